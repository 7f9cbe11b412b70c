"""The programs of one team, and where they hang: the only place that knows their names.

    transmit   egress of the team device, and ingress of the receiver's other end
    receive    ingress of each port, and, parked where no packet passes, egress of the other end

A program stays where it hangs when its maker dies, and keeps its maps; whoever comes later finds
it on the device and its maps through it. Other people's programs on the same hooks run before ours.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import struct
from functools import cached_property
from typing import Final, NamedTuple

from pyteam.datapath.ebpf import bytecode, libbpf
from pyteam.datapath.ebpf.bytecode import Code
from pyteam.datapath.ebpf.hanging import are_readable, find_program, open_maps
from pyteam.datapath.ebpf.mould import Mould, load
from pyteam.datapath.ebpf.shared import (
    ENTRIES,
    RECORD_SIZE,
    SharedCounters,
    SharedState,
    counters_size,
    team_of,
)
from pyteam.datapath.ebpf.splice import splice
from pyteam.datapath.interface import DatapathError

RECEIVE: Final = "team_rx"
TRANSMIT: Final = {
    "activebackup": "team_tx_ab",
    "roundrobin": "team_tx_rr",
    "random": "team_tx_random",
    "broadcast": "team_tx_bcast",
    "loadbalance": "team_tx_lb",
}
_HASHING: Final = TRANSMIT["loadbalance"]
_OBJECT: Final = os.path.join(os.path.dirname(__file__), "team.bpf.o")
_STATE, _COUNTERS, _EVENTS, _RECORD = ".bss", ".bss.counters", "team_events", "team_record"
#: What this process has loaded before, by mode and object.
_moulds: dict[tuple[str, bytes], Mould] = {}
_SENT: Final = "team_sent"
_SENT_BY_ONE_CPU: Final = struct.Struct(f"={ENTRIES}Q")


def object_code() -> bytes:
    """The compiled object that this package carries."""
    try:
        # A plain path: importlib.resources would cost milliseconds of every start.
        with open(_OBJECT, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise DatapathError(
            errno.EOPNOTSUPP, "this pyteam was installed without its BPF object: build it with make"
        ) from None
    except OSError as error:
        raise DatapathError(error.errno or errno.EIO, f"cannot read {_OBJECT}") from error


def build_of(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()[:16]


class Place(NamedTuple):
    """Where a program hangs, besides on ports; ``name`` as in "the program at ..."."""

    name: str
    program: int
    ifindex: int
    hook: int


class Hooks:
    """The two programs and the maps of one team, as descriptors; `close` leaves all in force."""

    def __init__(
        self,
        transmit: int,
        receive: int,
        maps: dict[str, int],
        owned: libbpf.Object | None = None,
        mould: Mould | None = None,
    ) -> None:
        """``owned`` or ``mould``: what the programs were made from, if it was here."""
        self.transmit = transmit
        self.receive = receive
        self._receive_id = libbpf.program_id(receive)
        self._maps = maps
        self._owned = owned
        self._mould = mould
        self.events = libbpf.RingBuffer(maps[_EVENTS])

    @cached_property
    def shared(self) -> SharedState:
        """Of programs of this build; another build's may be laid out otherwise."""
        return SharedState(next(fd for name, fd in self._maps.items() if name.endswith(_STATE)))

    @cached_property
    def _counters(self) -> SharedCounters:
        return SharedCounters(self._maps[_COUNTERS], libbpf.cpus())

    @classmethod
    def load(cls, code: bytes, mode: str, function: Code | None = None) -> Hooks:
        """New programs for a mode, hanging nowhere yet; ``function`` as for `use_hash`."""
        mould = _moulds.get((mode, code))
        if mould is not None:
            return cls._cast(mould, TRANSMIT[mode], function)
        sizes = {_COUNTERS: counters_size(libbpf.cpus())}
        loaded = libbpf.Object(code, {TRANSMIT[mode], RECEIVE}, sizes=sizes)
        _moulds[mode, code] = Mould.of(loaded)
        libbpf.bind_map(loaded.programs[RECEIVE], loaded.maps[_RECORD])
        transmit = _with_hash(loaded, TRANSMIT[mode], function)
        return cls(transmit, loaded.programs[RECEIVE], loaded.maps, loaded)

    @classmethod
    def _cast(cls, mould: Mould, transmit: str, function: Code | None) -> Hooks:
        maps = mould.make_maps()
        opened = list(maps.values())
        try:
            opened.append(_cast_with_hash(mould, maps, transmit, function))
            opened.append(load(RECEIVE, mould.code(RECEIVE, maps)))
            libbpf.bind_map(opened[-1], maps[_RECORD])
            return cls(opened[-2], opened[-1], maps, mould=mould)
        except BaseException:
            for fd in opened:
                libbpf.close(fd)
            raise

    @classmethod
    def find(cls, team: int, other_end: int) -> Hooks | None:
        """Those that a predecessor left; None when there are none. EPERM: nobody kept them for us."""
        transmit = _ours(team, libbpf.TCX_EGRESS) or _ours(other_end, libbpf.TCX_INGRESS)
        receive = _ours(other_end, libbpf.TCX_EGRESS)
        if not transmit or not receive:
            for fd in (transmit, receive):
                if fd:
                    libbpf.close(fd)
            if not are_readable(team, libbpf.TCX_EGRESS):
                raise DatapathError(
                    errno.EPERM,
                    "the programs that the daemon before has left can be opened with CAP_SYS_ADMIN only, "
                    "as nobody kept them: start teamd as root, or delete the device (-r)",
                )
            return None
        return cls(transmit, receive, open_maps([receive, transmit]))

    def hang(self, team: int, other_end: int, ports: list[int], replacing: Hooks | None = None) -> None:
        """Put the programs in force; in place of a predecessor's each swap is atomic."""
        old = {}
        if replacing:
            old = {self.receive: replacing.receive, self.transmit: replacing.transmit}
        for port in ports:
            libbpf.attach(self.receive, port, libbpf.TCX_INGRESS, replace=old.get(self.receive, 0))
        for place in self._places(team, other_end):
            libbpf.attach(place.program, place.ifindex, place.hook, replace=old.get(place.program, 0))

    def use_hash(self, team: int, other_end: int, code: bytes, function: Code | None) -> None:
        """In mode loadbalance: the function that the hash is computed by from now on; each swap is atomic.

        ``code`` is the object that the programs are of. None: every packet's hash is 0.
        """
        old, self.transmit = self.transmit, self._hashing(code, function)
        try:
            for place in self._places(team, other_end):
                # Where somebody took it off it is put back now and then, not here.
                hangs = libbpf.program_id(old) in libbpf.attached(place.ifindex, place.hook)
                if place.program == self.transmit and hangs:
                    libbpf.attach(place.program, place.ifindex, place.hook, replace=old)
        finally:
            libbpf.close(old)

    def _hashing(self, code: bytes, function: Code | None) -> int:
        if self._mould:
            return _cast_with_hash(self._mould, self._maps, _HASHING, function)
        if self._owned:
            return _with_hash(self._owned, _HASHING, function)
        origin = libbpf.Object(code, {_HASHING}, self._maps)
        try:
            return _with_hash(origin, _HASHING, function)
        finally:
            origin.close()

    def put_back(self, team: int, other_end: int) -> list[str]:
        """Hang the programs where somebody took them off, ports aside; where that was."""
        found = []
        for place in self._places(team, other_end):
            if libbpf.program_id(place.program) not in libbpf.attached(place.ifindex, place.hook):
                libbpf.attach(place.program, place.ifindex, place.hook)
                found.append(place.name)
        return found

    def _places(self, team: int, other_end: int) -> tuple[Place, ...]:
        """In the order in which they are put in force."""
        return (
            Place("egress of its other end", self.receive, other_end, libbpf.TCX_EGRESS),
            Place("ingress of its other end", self.transmit, other_end, libbpf.TCX_INGRESS),
            Place("egress of the team device", self.transmit, team, libbpf.TCX_EGRESS),
        )

    def check_free(self, port: int, name: str) -> None:
        """EINVAL: part of a team device. EBUSY: another team's port. ``name`` is for the message."""
        for hook in (libbpf.TCX_EGRESS, libbpf.TCX_INGRESS):
            present = _ours(port, hook)
            if not present:
                continue
            transmits = libbpf.program_name(present) != RECEIVE
            libbpf.close(present)
            if transmits or hook == libbpf.TCX_EGRESS:
                raise DatapathError(errno.EINVAL, f"{name} is (part of) a team device itself")
            if not self.on_port(port):
                raise DatapathError(errno.EBUSY, f"{name} is a port of another team already")

    def hang_on_port(self, port: int) -> None:
        """It hangs there already when the port comes back from another namespace."""
        if not self.on_port(port):
            libbpf.attach(self.receive, port, libbpf.TCX_INGRESS)

    def take_off_port(self, port: int) -> None:
        """Nothing to do where the device is gone, or somebody took it off before."""
        try:
            libbpf.detach(self.receive, port, libbpf.TCX_INGRESS)
        except DatapathError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def on_port(self, port: int) -> bool:
        """Whether this team's receive program hangs on the port (somebody may have taken it off)."""
        with contextlib.suppress(DatapathError):
            return self._receive_id in libbpf.attached(port, libbpf.TCX_INGRESS)
        return False

    def counters(self, slot: int) -> dict[str, int]:
        """What passed a port, all CPUs together."""
        return self._counters.read(slot)

    def sent(self) -> tuple[int, ...]:
        """Bytes sent by each entry of mode loadbalance, all CPUs together."""
        values = libbpf.read_map(self._maps[_SENT], 0, _SENT_BY_ONE_CPU.size * libbpf.possible_cpus())
        return tuple(map(sum, zip(*_SENT_BY_ONE_CPU.iter_unpack(values), strict=True)))

    def reset_counters(self, slot: int) -> None:
        """For a new port, which may get a slot that another one had."""
        self._counters.reset(slot)

    def read_record(self) -> bytes:
        return libbpf.read_map(self._maps[_RECORD], 0, RECORD_SIZE)

    def write_record(self, data: bytes) -> None:
        if len(data) > RECORD_SIZE:
            raise DatapathError(errno.E2BIG, f"{len(data)} bytes to remember, at most {RECORD_SIZE} fit")
        libbpf.write_map(self._maps[_RECORD], 0, data.ljust(RECORD_SIZE, b"\0"))

    def close(self) -> None:
        self.events.close()
        for memory in ("shared", "_counters"):
            if memory in self.__dict__:
                self.__dict__[memory].close()
        libbpf.close(self.transmit)
        if self._owned:
            self._owned.close()
            return
        for fd in (self.receive, *self._maps.values()):
            libbpf.close(fd)


def _with_hash(origin: libbpf.Object, program: str, function: Code | None) -> int:
    """A descriptor of a transmit program; it works on the maps of the object that it is of."""
    if function is None:
        return os.dup(origin.programs[program])
    return load(program, splice(bytecode.decode(origin.instructions(program)), function))


def _cast_with_hash(mould: Mould, maps: dict[str, int], program: str, function: Code | None) -> int:
    """The same of a mould, on these maps."""
    code = mould.code(program, maps)
    return load(program, splice(code, function) if function else code)


def take_off_orphan(port: int) -> bytes:
    """Free a port of a team whose device is gone: take its program off; the record of that team.

    Empty, and nothing is done, where the port has no program of ours or its team lives.
    """
    program = _ours(port, libbpf.TCX_INGRESS)
    if not program:
        return b""
    maps = open_maps([program])
    try:
        state = next((fd for name, fd in maps.items() if name.endswith(_STATE)), 0)
        if not state or _RECORD not in maps or _alive(libbpf.read_map(state, 0, libbpf.map_shape(state)[1])):
            return b""
        record = libbpf.read_map(maps[_RECORD], 0, libbpf.map_shape(maps[_RECORD])[1])
        libbpf.detach(program, port, libbpf.TCX_INGRESS)
        return record
    finally:
        for fd in (program, *maps.values()):
            libbpf.close(fd)


def _alive(state: bytes) -> bool:
    """Whether the device that the programs' state names is a team device."""
    with contextlib.suppress(DatapathError):
        transmit = _ours(team_of(state), libbpf.TCX_EGRESS)
        if transmit:
            libbpf.close(transmit)
        return bool(transmit)
    return False


def _ours(ifindex: int, hook: int) -> int:
    """A descriptor of some team's program on a hook; 0: none of the programs there is one."""
    return find_program(ifindex, hook, {RECEIVE, *TRANSMIT.values()})
