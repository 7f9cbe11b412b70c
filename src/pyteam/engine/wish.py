"""A value that we want and that somebody else may change: who was it, this time?

What is seen lags behind what is wanted, so a value seen may be an echo of an earlier wish.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Wish(Generic[T]):
    """``value`` is wanted, None: nothing is; ``seen`` is the last news."""

    def __init__(self, seen: T | None = None) -> None:
        self.value: T | None = None
        self.seen = seen
        self._echoes: set[T] = set()

    def want(self, value: T) -> None:
        if value != self.value:
            self.value = value
            self._echoes.add(value)

    def see(self, value: T) -> bool:
        """True when it was somebody else."""
        changed = self.seen is not None and value != self.seen
        self.seen = value
        if value == self.value:
            self._echoes.clear()
            return False
        return changed and value not in self._echoes

    def accept(self) -> None:
        """What was seen last is what is wanted from now on."""
        self.value = self.seen
        self._echoes.clear()
