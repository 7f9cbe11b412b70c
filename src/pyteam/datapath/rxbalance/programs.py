"""The two programs of receive balancing, and where they hang: the only place that knows their names.

    rx_balance_out   egress of each port, behind what others have there
    rx_balance_in    ingress of each port, ahead of all others: they see the team's MAC

As the programs of the eBPF datapath, they stay where they hang when their maker dies, and are found
there by whoever comes later.
"""

from __future__ import annotations

import contextlib
import errno
import os.path
import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.hanging import find_program, open_maps
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.rxbalance import shared
from pyteam.datapath.rxbalance.shared import SharedState
from pyteam.engine.rxbalance import Station, Use

#: By hook.
PROGRAMS: Final = {libbpf.TCX_EGRESS: "rx_balance_out", libbpf.TCX_INGRESS: "rx_balance_in"}
_OBJECT: Final = os.path.join(os.path.dirname(__file__), "rx_balance.bpf.o")
_STATE, _NEIGHBOURS, _TOLD = ".bss", "rx_neighbours", "rx_told"
_MAPPED: Final = bytes(10) + b"\xff\xff"


class Programs:
    """Programs and maps of one team, as descriptors; `close` leaves all in force."""

    def __init__(self, by_hook: dict[int, int], maps: dict[str, int], owned: libbpf.Object | None) -> None:
        self.by_hook = by_hook
        self._maps = maps
        self._owned = owned
        self._ids = {hook: libbpf.program_id(fd) for hook, fd in by_hook.items()}

    @cached_property
    def shared(self) -> SharedState:
        return SharedState(next(fd for name, fd in self._maps.items() if name.endswith(_STATE)))

    @classmethod
    def load(cls) -> Programs:
        """New ones, hanging nowhere yet. EOPNOTSUPP: the package was built without them."""
        try:
            with open(_OBJECT, "rb") as file:
                code = file.read()
        except OSError as error:
            raise DatapathError(
                errno.EOPNOTSUPP, f"cannot read {_OBJECT}: build pyteam anew with make"
            ) from error
        loaded = libbpf.Object(code, set(PROGRAMS.values()))
        return cls(
            {hook: loaded.programs[name] for hook, name in PROGRAMS.items()}, dict(loaded.maps), loaded
        )

    @classmethod
    def find(cls, ports: Iterable[int]) -> Programs | None:
        """Those that a predecessor left on one of the ports, if they are of this build's layout."""
        for port in ports:
            by_hook = {hook: fd for hook in PROGRAMS if (fd := _ours(port, hook))}
            if len(by_hook) == len(PROGRAMS):
                found = cls(by_hook, open_maps(by_hook.values()), None)
                if found._fits():
                    return found
                found.close()
                continue
            for fd in by_hook.values():
                libbpf.close(fd)
        return None

    def _fits(self) -> bool:
        fd = next((fd for name, fd in self._maps.items() if name.endswith(_STATE)), 0)
        return (
            {_NEIGHBOURS, _TOLD} <= self._maps.keys()
            and fd > 0
            and int.from_bytes(libbpf.read_map(fd, 0, libbpf.map_shape(fd)[1])[:4], sys.byteorder)
            == shared.ABI
        )

    def hang(self, port: int) -> bool:
        """On a port, in place of another team's or build's; whether anything had to be done."""
        changed = False
        for hook, program in self.by_hook.items():
            if self._ids[hook] in libbpf.attached(port, hook):
                continue
            old = _ours(port, hook)
            libbpf.attach(program, port, hook, replace=old, first=hook == libbpf.TCX_INGRESS)
            if old:
                libbpf.close(old)
            changed = True
        return changed

    def neighbours(self) -> dict[Station, Use]:
        """What the programs know of each station, in terms of ports by ifindex."""
        movable = {key.station for key in self.told()}
        by_slot = {at: ifindex for ifindex, at in self.shared.slots().items()}
        entries = libbpf.read_hash(
            self._maps[_NEIGHBOURS], shared.STATION.size, shared.NEIGHBOUR.size, shared.MAX_NEIGHBOURS
        )
        found = {}
        for key, value in entries.items():
            slot, uses, octets, told = shared.NEIGHBOUR.unpack(value)
            station = shared.unpack_station(*shared.STATION.unpack(key))
            found[station] = Use(
                by_slot.get(slot, 0), by_slot.get(uses, 0), octets, told, movable=station in movable
            )
        return found

    def told(self) -> dict[Told, int]:
        """Which addresses of ours stations were told, and the role in which (``ROLE_*``)."""
        entries = libbpf.read_hash(self._maps[_TOLD], shared.TOLD.size, shared.ROLE.size, shared.MAX_TOLD)
        found = {}
        for key, value in entries.items():
            number, address = shared.TOLD.unpack(key)
            ip = address[len(_MAPPED) :] if address.startswith(_MAPPED) else address
            found[Told(shared.unpack_station(number), ip)] = int(shared.ROLE.unpack(value)[0])
        return found

    def give(self, given: Mapping[Station, int]) -> None:
        """Stations to ports (by ifindex)."""
        slots = self.shared.slots()
        entries = self._maps[_NEIGHBOURS]
        known = libbpf.read_hash(entries, shared.STATION.size, shared.NEIGHBOUR.size, shared.MAX_NEIGHBOURS)
        for station, port in given.items():
            key = shared.STATION.pack(shared.pack_station(station))
            if key in known and port in slots:
                _, uses, octets, told = shared.NEIGHBOUR.unpack(known[key])
                libbpf.write_hash(entries, key, shared.NEIGHBOUR.pack(slots[port], uses, octets, told))

    def forget(self, stations: Iterable[Station]) -> None:
        gone = set(stations)
        for station in gone:
            key = shared.STATION.pack(shared.pack_station(station))
            libbpf.delete_hash(self._maps[_NEIGHBOURS], key)
        for told in self.told() if gone else ():
            if told.station in gone:
                libbpf.delete_hash(self._maps[_TOLD], told.pack())

    def close(self) -> None:
        if "shared" in self.__dict__:
            self.shared.close()
        if self._owned:
            self._owned.close()
            return
        for fd in (*self.by_hook.values(), *self._maps.values()):
            libbpf.close(fd)


class Told(tuple[Station, bytes]):
    """A station and an address of ours (4 or 16 bytes)."""

    __slots__ = ()

    def __new__(cls, station: Station, address: bytes) -> Told:
        return super().__new__(cls, (station, address))

    @property
    def station(self) -> Station:
        return self[0]

    @property
    def address(self) -> bytes:
        return self[1]

    def pack(self) -> bytes:
        mapped = self.address if len(self.address) == 16 else _MAPPED + self.address
        return shared.TOLD.pack(shared.pack_station(self.station), mapped)


def take_off(port: int) -> bool:
    """Whoever hung them there; whether there was anything. Nothing to do where the port is gone."""
    found = False
    for hook in PROGRAMS:
        with contextlib.suppress(DatapathError):
            while fd := _ours(port, hook):
                try:
                    libbpf.detach(fd, port, hook)
                    found = True
                finally:
                    libbpf.close(fd)
    return found


def _ours(ifindex: int, hook: int) -> int:
    """A descriptor of a program of receive balancing on a hook; 0: there is none."""
    return find_program(ifindex, hook, {PROGRAMS[hook]})
