"""The counters of mode ``loadbalance``: read now and then, shown until the next time, told when they changed.

As with the kernel driver, ``lb_stats_refresh_interval`` says how often, and with 0 they are not read.
"""

from __future__ import annotations

import sys
from typing import Final

from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.loadbalance import LOADBALANCE
from pyteam.datapath.ebpf.record import Record
from pyteam.datapath.ebpf.shared import ENTRIES
from pyteam.engine.events import OptionSeen
from pyteam.options import OptionKey, OptionValue

_ENTRIES: Final = tuple(OptionKey("lb_hash_stats", array_index=entry) for entry in range(ENTRIES))
_PORT: Final = "lb_port_stats"
_NOTHING: Final = bytes(8)


class Meter:
    """Of one team, from the moment that it got its mode."""

    def __init__(self) -> None:
        self._interval = 0.0
        self._seen: dict[OptionKey, OptionValue] = {}
        #: When to read them again, by the monotonic clock; None: not at all.
        self.due: float | None = None

    def start(self, tenths: int, now: float) -> None:
        """The interval is this from now on; 0 ends it."""
        self._interval = tenths / 10
        self.due = now if tenths else None

    def refresh(self, now: float, hooks: Hooks) -> list[OptionSeen]:
        """What changed, if it is time to look."""
        if self.due is None or now < self.due:
            return []
        self.due = now + self._interval
        read = dict(zip(_ENTRIES, map(_shown, hooks.sent()), strict=True))
        for ifindex, slot in hooks.shared.slots().items():
            read[OptionKey(_PORT, ifindex)] = _shown(hooks.counters(slot)["tx_bytes"])
        changed = [OptionSeen(key, value) for key, value in read.items() if self._before(key) != value]
        self._seen = {**read}
        return changed

    def shown(self, record: Record) -> dict[OptionKey, OptionValue]:
        """The options of a team; none in other modes."""
        if record.options.get("mode") != LOADBALANCE:
            return {}
        keys = (*_ENTRIES, *(OptionKey(_PORT, ifindex) for ifindex in record.ports))
        return {key: self._before(key) for key in keys}

    def _before(self, key: OptionKey) -> OptionValue:
        return self._seen.get(key, _NOTHING)


def _shown(number: int) -> bytes:
    return number.to_bytes(8, sys.byteorder)
