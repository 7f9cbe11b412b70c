"""What a machine of 802.1AX is: a table, and the one loop that runs any of them.

A row says from where to where, when (in the standard's words and as code) and by which clause. A state may
have something to do on entry. A row from no state is one from every state but its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyteam.engine.lacp.port import LacpPort

Test = Callable[["LacpPort", float], Any]


@dataclass(frozen=True, slots=True)
class Row:
    """``source`` None: any other state. ``test`` is given the port and the time."""

    source: StrEnum | None
    target: StrEnum
    when: str
    test: Test
    clause: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is done on entry to a state: ``what`` in the standard's words, and the code."""

    what: str
    action: Callable[[LacpPort, float], None]


class Machine:
    """``attribute``: where a port keeps the state. Rows that come first win."""

    def __init__(
        self,
        name: str,
        attribute: str,
        clause: str,
        rows: Sequence[Row],
        entries: Mapping[StrEnum, Entry],
    ) -> None:
        self.name = name
        self.attribute = attribute
        self.clause = clause
        self.rows = tuple(rows)
        self.entries = entries
        states = dict.fromkeys(state for row in rows for state in (row.source, row.target) if state)
        self._ways = {
            state: tuple(
                (row.test, row.target, entries[row.target].action if row.target in entries else None)
                for row in rows
                if row.source is state or (row.source is None and row.target is not state)
            )
            for state in states
        }

    @property
    def states(self) -> tuple[StrEnum, ...]:
        return tuple(self._ways)

    def begin(self, port: LacpPort, now: float, state: StrEnum) -> None:
        """BEGIN: enter this state from nowhere."""
        setattr(port, self.attribute, state)
        self.entries[state].action(port, now)

    def run(self, port: LacpPort, now: float) -> None:
        """Follow the rows until none applies."""
        ways = self._ways[getattr(port, self.attribute)]
        while True:
            for test, target, action in ways:
                if test(port, now):
                    setattr(port, self.attribute, target)
                    if action is not None:
                        action(port, now)
                    ways = self._ways[target]
                    break
            else:
                return


def always(port: LacpPort, now: float) -> bool:
    """UCT, an unconditional transition."""
    return True
