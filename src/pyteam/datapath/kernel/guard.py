"""The guard of a team on the driver: two programs at its ports, which divert what a dead one would lose.

    team_guard_out   egress of each port: its packets leave by another port while it cannot carry them
    team_guard_in    ingress of each port but the active one: what comes in there is the team's meanwhile

Like the eBPF datapath's they stay where they hang when the daemon dies, and a successor finds them. Where the
kernel cannot have them the team works without. Must not know the driver.
"""

from __future__ import annotations

import ctypes as c
import errno
import logging
import mmap
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pyteam.datapath.ebpf import libbpf, requirements
from pyteam.datapath.ebpf.hanging import find_program, open_program
from pyteam.datapath.interface import DatapathError
from pyteam.options import OptionValue

log = logging.getLogger(__name__)

OUT: Final = "team_guard_out"
IN: Final = "team_guard_in"
_HOOKS: Final = {OUT: libbpf.TCX_EGRESS, IN: libbpf.TCX_INGRESS}
_OBJECT: Final = Path(__file__).with_name("guard.bpf.o")
_STATE: Final = ".bss"
#: GUARD_ABI.
ABI: Final = 1
#: GUARD_MAX_PORTS.
MAX_PORTS: Final = 64
_ACTIVE: Final = frozenset({OUT})
_WAITING: Final = frozenset({OUT, IN})
#: Left by a predecessor, and to be looked at.
_UNKNOWN: Final = frozenset({""})
#: Of a device that is gone, or of a program that somebody took off: nothing is left to be done.
_GONE: Final = (errno.ENODEV, errno.ENOENT)


class Order(c.Structure):
    _fields_ = [("count", c.c_uint32), ("port", c.c_uint32 * MAX_PORTS)]


class State(c.Structure):
    _fields_ = [
        ("abi", c.c_uint32),
        ("team", c.c_uint32),
        ("active", c.c_uint32),
        ("current", c.c_uint32),
        ("order", Order * 2),
    ]


class Programs:
    """Loaded, and their state mapped, until `close`, which takes nothing off."""

    def __init__(self, programs: dict[str, int], state_map: int, owned: libbpf.Object | None = None) -> None:
        self._programs = programs
        self._state_map = state_map
        self._owned = owned
        self._memory = mmap.mmap(state_map, mmap.PAGESIZE)
        self.state = State.from_buffer(self._memory)

    @classmethod
    def load(cls, team: int) -> Programs:
        loaded = libbpf.Object(_OBJECT.read_bytes(), set(_HOOKS))
        state = next(fd for name, fd in loaded.maps.items() if name.endswith(_STATE))
        made = cls(loaded.programs, state, loaded)
        made.state.team = team
        made.state.abi = ABI
        return made

    @classmethod
    def find(cls, ifindex: int) -> Programs | None:
        """Those of some team and this build's layout that hang on an interface, all of them."""
        programs = {name: fd for name, hook in _HOOKS.items() if (fd := _named(name, ifindex, hook))}
        if programs.keys() == _HOOKS.keys():
            state = _state_map(programs[OUT])
            if state and _state_id(programs[IN]) == _state_id(programs[OUT]) and _read(state).abi == ABI:
                return cls(programs, state)
            if state:
                libbpf.close(state)
        for fd in programs.values():
            libbpf.close(fd)
        return None

    def fd(self, name: str) -> int:
        """A program's descriptor."""
        return self._programs[name]

    def hang(self, name: str, ifindex: int) -> bool:
        """Whether it did not hang there before. Another guard's program is taken off."""
        ours, there = libbpf.program_id(self.fd(name)), False
        for program_id in libbpf.attached(ifindex, _HOOKS[name]):
            if program_id == ours:
                there = True
            else:
                _take_off(program_id, name, ifindex, _HOOKS[name])
        if not there:
            libbpf.attach(self.fd(name), ifindex, _HOOKS[name])
        return not there

    def close(self) -> None:
        del self.state
        self._memory.close()
        if self._owned:
            self._owned.close()
        else:
            for fd in (*self._programs.values(), self._state_map):
                libbpf.close(fd)


class Guard:
    """Of one team. ``ifindexes``: of all interfaces: a guard that a predecessor left there is taken over.

    Nothing here raises because there can be no guard: then it `exists` not.
    """

    def __init__(self, team: int, ifindexes: Iterable[int], order: bytes) -> None:
        self._team = team
        self._programs: Programs | None = None
        #: What hangs on each port.
        self._hung: dict[int, frozenset[str]] = {}
        self.exists = True
        #: Host-order u32 ifindexes, best first, as the option ``failover_order``.
        self.order = order
        try:
            requirements.check(requirements.GUARD)
            self._find(list(ifindexes))
        except OSError as error:
            self._give_up(error)

    def _find(self, ifindexes: list[int]) -> None:
        self._hung = {ifindex: _UNKNOWN for ifindex in ifindexes if _guarded_team(ifindex) == self._team}
        for ifindex in self._hung:
            # An active port has only one of the two.
            self._programs = self._programs or Programs.find(ifindex)
        if self._programs:
            order = self._programs.state.order[self._programs.state.current & 1]
            self.order = struct.pack(f"={order.count}I", *order.port[: order.count])

    def _give_up(self, error: OSError) -> None:
        log.debug("the ports are not guarded: %s", error)
        self.leave()

    def set_order(self, order: OptionValue) -> None:
        """EINVAL: it is none."""
        if not isinstance(order, bytes) or len(order) % 4:
            raise DatapathError(errno.EINVAL, "failover_order is an array of 32-bit interface indexes")
        self.order = order
        self._write_order()

    def _write_order(self) -> None:
        """Beside the one in force, which is then left by a single store."""
        if self._programs:
            state = self._programs.state
            other = 1 - (state.current & 1)
            ports = struct.unpack(f"={len(self.order) // 4}I", self.order)[:MAX_PORTS]
            for at, ifindex in enumerate(ports):
                state.order[other].port[at] = ifindex
            state.order[other].count = len(ports)
            state.current = other

    def is_due(self, active: int, ports: Iterable[int]) -> bool:
        """Whether `step` has something to do."""
        return self.exists and (self._hung != _wanted(active, ports) or not self._knows(active))

    def _knows(self, active: int) -> bool:
        return self._programs is None or self._programs.state.active == active

    def step(self, active: int, ports: Iterable[int]) -> None:
        """Towards guarding these ports and no others, by one port: hanging a program takes 10 ms."""
        if not self.exists:
            return
        wanted = _wanted(active, ports)
        try:
            if wanted and not self._programs:
                self._programs = Programs.load(self._team)
                self._write_order()
            if self._programs and not self._knows(active):
                self._programs.state.active = active
            none: frozenset[str] = frozenset()
            for port in wanted | self._hung:
                if self._hung.get(port, none) != wanted.get(port, none):
                    self._hang(port, wanted.get(port, none))
                    break
        except OSError as error:
            self._give_up(error)

    def _hang(self, port: int, names: frozenset[str]) -> bool:
        """Whether something that was to be there was not."""
        missed = False
        try:
            _free(port, _HOOKS.keys() - names)
            for name in names:
                assert self._programs is not None
                missed |= self._programs.hang(name, port)
        except DatapathError as error:
            if error.errno not in _GONE:
                raise
        self._hung[port] = names
        if not names:
            del self._hung[port]
        return missed

    def put_back(self) -> list[str]:
        """What somebody took off."""
        try:
            ours = {port: names for port, names in self._hung.items() if names != _UNKNOWN}
            return [f"guard of interface {port}" for port, names in ours.items() if self._hang(port, names)]
        except OSError as error:
            self._give_up(error)
            return []

    def release(self, port: int) -> None:
        """It is no port any more."""
        if self._hung.pop(port, None):
            _free_quietly(port)

    def leave(self) -> None:
        """Take everything off, for good."""
        ports = list(self._hung)
        self._hung = {}
        # Before they are let go of: who is not root could not open them again.
        for port in ports:
            _free_quietly(port)
        self.close()

    def close(self) -> None:
        """Let go of it, in force, as a daemon that dies does."""
        self.exists = False
        programs, self._programs = self._programs, None
        if programs:
            programs.close()


def _wanted(active: int, ports: Iterable[int]) -> dict[int, frozenset[str]]:
    return {port: _ACTIVE if port == active else _WAITING for port in ports}


def _guarded_team(ifindex: int) -> int:
    """The team whose guard an interface has; 0: it has none."""
    program = _named(OUT, ifindex, libbpf.TCX_EGRESS)
    state = 0
    try:
        state = _state_map(program) if program else 0
        return int(_read(state).team) if state else 0
    finally:
        for fd in filter(None, (program, state)):
            libbpf.close(fd)


def _read(state_map: int) -> State:
    """A copy. The first fields are at the same place in every layout."""
    data = libbpf.read_map(state_map, 0, libbpf.map_shape(state_map)[1])
    return State.from_buffer_copy(data.ljust(c.sizeof(State), b"\0"))


def _free_quietly(port: int) -> None:
    try:
        _free(port)
    except OSError as error:
        log.debug("the guard may still be at interface %d: %s", port, error)


def _named(name: str, ifindex: int, hook: int) -> int:
    """A descriptor of the program of that name on a hook; 0: there is none, or no such interface."""
    return find_program(ifindex, hook, {name}) if _attached(ifindex, hook) else 0


def _attached(ifindex: int, hook: int) -> list[int]:
    try:
        return libbpf.attached(ifindex, hook)
    except DatapathError as error:
        if error.errno not in _GONE:
            raise
        return []


def _free(ifindex: int, names: Iterable[str] = tuple(_HOOKS)) -> None:
    """Take the guard's programs off an interface, whoever hung them there."""
    for name in names:
        for program_id in _attached(ifindex, _HOOKS[name]):
            _take_off(program_id, name, ifindex, _HOOKS[name])


def _take_off(program_id: int, name: str, ifindex: int, hook: int) -> None:
    fd = open_program(program_id)
    if not fd:
        return
    try:
        if libbpf.program_name(fd) == name:
            libbpf.detach(fd, ifindex, hook)
    except DatapathError as error:
        if error.errno not in _GONE:
            raise
    finally:
        libbpf.close(fd)


def _state_id(program: int) -> int:
    return next(iter(libbpf.program_maps(program)), 0)


def _state_map(program: int) -> int:
    """A descriptor of the one map that the programs have; 0: they have none."""
    found = _state_id(program)
    return libbpf.map_by_id(found) if found else 0
