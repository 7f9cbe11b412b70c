"""The state that the BPF programs act on: the mirror of bpf/team.h, in memory shared with them.

Every store is one aligned store of a whole field, so that a program in the middle of a packet sees
the old value or the new one. (`struct.pack_into` on such memory clears bytes before it writes them,
and was seen to lose packets.)
"""

from __future__ import annotations

import ctypes as c
import errno
import mmap
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from pyteam.datapath.interface import DatapathError

#: TEAM_ABI: raised whenever this layout changes.
ABI: Final = 5
#: TEAM_MAX_PORTS.
MAX_PORTS: Final = 64
#: TEAM_HINTS.
HINTS: Final = 256
#: TEAM_RECORD_SIZE, bytes.
RECORD_SIZE: Final = 65536
ENTRIES: Final = 256


class Target(c.Structure):
    _fields_ = [
        ("ifindex", c.c_uint32),
        ("slot", c.c_uint32),
        ("dev", c.c_uint64),
        ("tick", c.c_uint64),
    ]


class Entry(c.Structure):
    _fields_ = [("at", c.c_uint8), ("turn", c.c_uint8)]


class Table(c.Structure):
    _fields_ = [
        ("count", c.c_uint32),
        ("unused", c.c_uint32),
        ("to", Target * MAX_PORTS),
        ("entry", Entry * ENTRIES),
    ]


class Slot(c.Structure):
    _fields_ = [
        ("ifindex", c.c_uint32),
        ("rx", c.c_uint32),
        ("told", c.c_uint32),
        ("queue", c.c_uint32),
        ("priority", c.c_int32),
    ]


class Hint(c.Structure):
    _fields_ = [("rx", c.c_uint32), ("slot", c.c_uint32)]


class State(c.Structure):
    _fields_ = [
        ("abi", c.c_uint32),
        ("current", c.c_uint32),
        ("ifindex", c.c_uint32),
        ("spare", c.c_uint32),
        ("net", c.c_uint64),
        ("queues", c.c_uint32),
        ("unused", c.c_uint32),
        ("first", Target),
        ("hint", Hint * HINTS),
        ("slot", Slot * MAX_PORTS),
        ("table", Table * 2),
    ]


#: struct team_counters: u64 each.
COUNTERS: Final = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")


def counters_size(cpus: int) -> int:
    """Bytes that the counters of so many CPUs take."""
    return cpus * MAX_PORTS * len(COUNTERS) * c.sizeof(c.c_uint64)


def team_of(state: bytes) -> int:
    """ifindex of the team device in a copy of the state; it is at the same place in every layout."""
    return int.from_bytes(state[State.ifindex.offset : State.ifindex.offset + 4], sys.byteorder)


def _numbered(entries: tuple[int, ...]) -> bytes:
    """struct team_entry of each: its target, and its number among those of the same target."""
    seen: dict[int, int] = {}
    packed = bytearray()
    for at in entries:
        packed += bytes((at, turn := seen.get(at, 0)))
        seen[at] = turn + 1 & 0xFF
    return bytes(packed)


@cache
def _by_remainder(count: int) -> bytes:
    return _numbered(tuple(entry % (count or 1) for entry in range(ENTRIES)))


class SharedState:
    """The programs' state of one team. ``map_fd`` is its map; the memory is mapped until `close`."""

    def __init__(self, map_fd: int) -> None:
        self._memory = _map(map_fd, c.sizeof(State))
        self._state: State | None = State.from_buffer(self._memory)

    @property
    def state(self) -> State:
        assert self._state is not None, "closed"
        return self._state

    def start(self, team: int) -> None:
        """Say which device this is. Until then no packet is anybody's."""
        self.state.ifindex = team
        self.state.abi = ABI

    def slots(self) -> dict[int, int]:
        """Ports by ifindex, and the slot that each has."""
        return {slot.ifindex: at for at, slot in enumerate(self.state.slot) if slot.ifindex}

    def take_slot(self, ifindex: int) -> int | None:
        """A slot for a new port; None when all `MAX_PORTS` are taken."""
        at = next((at for at, slot in enumerate(self.state.slot) if not slot.ifindex), None)
        if at is not None:
            slot = self.state.slot[at]
            slot.rx = 0
            slot.told = 0
            slot.queue = 0
            slot.ifindex = ifindex
            hint = self.state.hint[ifindex % HINTS]
            hint.rx = 0
            hint.slot = at
        return at

    def free_slot(self, ifindex: int) -> None:
        at = self.slots()[ifindex]
        self._receive(at, 0)
        self.state.slot[at].ifindex = 0

    def _receive(self, at: int, rx: int) -> None:
        slot = self.state.slot[at]
        hint = self.state.hint[slot.ifindex % HINTS]
        # Both are looked at: a predecessor may have died between the two stores.
        if hint.slot == at and hint.rx != rx:
            hint.rx = rx
        if slot.rx != rx:
            slot.rx = rx

    def retire(self, ifindex: int) -> None:
        """Neither send by it nor receive from it any more; it keeps its slot."""
        self.set_order([other for other in self.order() if other != ifindex])
        self.receive_on(self.receiving() - {ifindex}, spare=bool(self.state.spare))

    def keep_only(self, ifindexes: set[int]) -> None:
        """Free the slots of all others, and give one to each that has none."""
        for ifindex in self.slots().keys() - ifindexes:
            self.retire(ifindex)
            self.free_slot(ifindex)
        for ifindex in ifindexes - self.slots().keys():
            self.take_slot(ifindex)

    def receive_on(self, ifindexes: set[int], *, spare: bool) -> None:
        """Whose frames are the team's; ``spare``: any port's, while the first in the order is dead."""
        for at, slot in enumerate(self.state.slot):
            self._receive(at, slot.ifindex if slot.ifindex in ifindexes else 0)
        self.state.spare = int(spare)

    def set_queues(self, queues: Mapping[int, tuple[int, int]]) -> None:
        """Ports by ifindex that packets of a queue leave by, whatever the mode: the queue, and the priority.

        All others have none.
        """
        for slot in self.state.slot:
            queue, slot.priority = queues.get(slot.ifindex, (0, 0))
            if slot.queue != queue:
                slot.queue = queue
        self.state.queues = sum(1 << queue for queue in {queue for queue, _ in queues.values()})

    def receiving(self) -> set[int]:
        """The ports whose frames are the team's now."""
        return {slot.ifindex for slot in self.state.slot if slot.ifindex and slot.rx}

    def order(self) -> list[int]:
        """The ports that may send, by ifindex, in the order in force."""
        table = self.state.table[self.state.current & 1]
        return [target.ifindex for target in table.to[: table.count]]

    def set_order(self, ifindexes: Sequence[int], entries: Sequence[int] = ()) -> None:
        """Put an order in force: written beside the old one, then switched to by a single store.

        ``entries``: where each hash goes, by index in the order; for mode loadbalance. Empty: by remainder.
        """
        wanted = _numbered(tuple(entries)) if entries else _by_remainder(len(ifindexes))
        if list(ifindexes) != self.order() or wanted != self._entries():
            self._switch(ifindexes, wanted)
        self._copy_first()

    def _switch(self, ifindexes: Sequence[int], entries: bytes) -> None:
        slots = self.slots()
        other = 1 - (self.state.current & 1)
        table = self.state.table[other]
        for target, ifindex in zip(table.to, ifindexes, strict=False):
            target.dev = 0
            target.slot = slots[ifindex]
            target.ifindex = ifindex
        c.memmove(table.entry, entries, len(entries))
        table.count = len(ifindexes)
        self.state.current = other

    def _entries(self) -> bytes:
        return bytes(self.state.table[self.state.current & 1].entry)

    def _copy_first(self) -> None:
        """Also where the order is in force already: a predecessor may have died before it did this."""
        first, ifindex = self.state.first, next(iter(self.order()), 0)
        slot = self.slots().get(ifindex, 0)
        if (first.ifindex, first.slot) != (ifindex, slot):
            first.slot = slot
            first.ifindex = ifindex
            # Last, so that what a program finds for the old index meanwhile is not taken for the new one's.
            first.dev = 0

    def listen_again(self, ifindex: int) -> None:
        """The port can carry packets: ask the programs to tell of the next time that it cannot."""
        at = self.slots().get(ifindex)
        if at is not None and self.state.slot[at].told:
            self.state.slot[at].told = 0

    def close(self) -> None:
        self._state = None
        self._memory.close()


class SharedCounters:
    """What passed each port, counted by every CPU for itself; mapped until `close`."""

    def __init__(self, map_fd: int, cpus: int) -> None:
        self._memory = _map(map_fd, counters_size(cpus))
        self._words = memoryview(self._memory)[: counters_size(cpus)].cast("Q")

    def read(self, slot: int) -> dict[str, int]:
        """All CPUs together."""
        return {name: sum(self._words[at] for at in self._places(slot, name)) for name in COUNTERS}

    def reset(self, slot: int) -> None:
        for name in COUNTERS:
            for at in self._places(slot, name):
                self._words[at] = 0

    def _places(self, slot: int, name: str) -> range:
        first = slot * len(COUNTERS) + COUNTERS.index(name)
        return range(first, len(self._words), MAX_PORTS * len(COUNTERS))

    def close(self) -> None:
        self._words.release()
        self._memory.close()


def _map(map_fd: int, size: int) -> mmap.mmap:
    try:
        return mmap.mmap(map_fd, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
    except OSError as error:
        raise DatapathError(error.errno or errno.EIO, "cannot map the memory of the programs") from error
