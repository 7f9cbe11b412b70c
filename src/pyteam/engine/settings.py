"""Options that the configuration gives and users may change beside it: who said what last?

What is configured is wanted until somebody sets another value, which then stands until the
configuration changes. Must not know what an option does; one that a decision rests on is decided
where the decision is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pyteam.engine.wish import Wish
from pyteam.options import OptionValue

_NOTHING: Final[Mapping[str, OptionValue]] = MappingProxyType({})


class Settings:
    """Of the team, or of one port; by the names of options."""

    def __init__(self, there: Mapping[str, OptionValue] = _NOTHING) -> None:
        """``there``: the values that the device began with."""
        self._there = there
        self._wishes: dict[str, Wish[OptionValue]] = {}
        #: What the configuration said last.
        self._given: dict[str, OptionValue] = {}

    def configure(self, name: str, value: OptionValue | None) -> None:
        """None: the configuration says nothing, so it is nobody's wish; a number that it gave is 0 again."""
        if value is None:
            given, wish = self._given.pop(name, None), self._wishes.get(name)
            if wish is None or wish.value != given or not isinstance(given, int):
                self.forget(name)
            else:
                wish.want(0)
            return
        self._given[name] = value
        # The driver's own numbers begin with 0, and ours too.
        there = self._there.get(name, 0 if isinstance(value, int) else None)
        self._wishes.setdefault(name, Wish(there)).want(value)

    def forget(self, name: str) -> None:
        """It is nobody's wish from now on."""
        self._wishes.pop(name, None)
        self._given.pop(name, None)

    def see(self, name: str, value: OptionValue) -> bool:
        """News of an option, perhaps of our own doing: whether it is one of these."""
        wish = self._wishes.get(name)
        if wish is not None and wish.see(value):
            wish.accept()
        return wish is not None

    def choose(self, name: str, value: OptionValue) -> bool:
        """A user has set an option, and nobody else: whether it is one of these."""
        wish = self._wishes.get(name)
        if wish is not None:
            wish.see(value)
            wish.accept()
        return wish is not None

    def value(self, name: str) -> OptionValue | None:
        """None: nobody's wish."""
        wish = self._wishes.get(name)
        return wish.value if wish is not None else None

    def wanted(self) -> dict[str, OptionValue]:
        return {name: wish.value for name, wish in self._wishes.items() if wish.value is not None}
