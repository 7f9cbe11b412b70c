"""A value that we want and that somebody else may change: who was it, this time?

What is seen lags behind what is wanted, so a value seen may be an echo of an earlier wish.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

T = TypeVar("T")

#: Where nothing is ever seen, no more than these wait for it.
_MOST_ECHOES: Final = 64


class Wish(Generic[T]):
    """``value`` is wanted, None: nothing is; ``seen`` is the last news."""

    def __init__(self, seen: T | None = None) -> None:
        self.value: T | None = None
        self.seen = seen
        #: Wishes that were not seen yet, oldest first.
        self._echoes: list[T] = []

    def want(self, value: T) -> None:
        if value != self.value:
            self.value = value
            self._echoes.append(value)
            del self._echoes[:-_MOST_ECHOES]

    def see(self, value: T) -> bool:
        """True when it was somebody else."""
        changed = self.seen is not None and value != self.seen
        self.seen = value
        if value in self._echoes:
            # News may skip some, but do not come in another order.
            del self._echoes[: self._echoes.index(value) + 1]
            return False
        return changed and value != self.value

    def accept(self) -> None:
        """What was seen last is what is wanted from now on."""
        self.value = self.seen
        self._echoes.clear()
