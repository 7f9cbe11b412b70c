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
import struct
from functools import cached_property
from importlib import resources
from typing import Final

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.shared import COUNTERS, RECORD_SIZE, SharedState
from pyteam.datapath.interface import DatapathError

RECEIVE: Final = "team_rx"
TRANSMIT: Final = {
    "activebackup": "team_tx_ab",
    "roundrobin": "team_tx_rr",
    "random": "team_tx_random",
    "broadcast": "team_tx_bcast",
}
_STATE, _COUNTERS, _EVENTS, _RECORD = ".bss", "team_counters", "team_events", "team_record"
_COUNTERS_OF_ONE_CPU: Final = struct.Struct(f"={len(COUNTERS)}Q")


def object_code() -> bytes:
    """The compiled object that this package carries."""
    try:
        return resources.files(__package__).joinpath("team.bpf.o").read_bytes()
    except FileNotFoundError:
        raise DatapathError(
            errno.ENOENT, "this pyteam was installed without its BPF object: build it with make"
        ) from None


def build_of(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()[:16]


class Hooks:
    """The two programs and the maps of one team, as descriptors; `close` leaves all in force."""

    def __init__(
        self, transmit: int, receive: int, maps: dict[str, int], owned: libbpf.Object | None
    ) -> None:
        self.transmit = transmit
        self.receive = receive
        self._receive_id = libbpf.program_id(receive)
        self._maps = maps
        self._owned = owned
        self.events = libbpf.RingBuffer(maps[_EVENTS])

    @cached_property
    def shared(self) -> SharedState:
        """Of programs of this build; another build's may be laid out otherwise."""
        return SharedState(next(fd for name, fd in self._maps.items() if name.endswith(_STATE)))

    @classmethod
    def load(cls, code: bytes, mode: str) -> Hooks:
        """New programs for a mode, hanging nowhere yet."""
        loaded = libbpf.Object(code, {TRANSMIT[mode], RECEIVE})
        libbpf.bind_map(loaded.programs[RECEIVE], loaded.maps[_RECORD])
        return cls(loaded.programs[TRANSMIT[mode]], loaded.programs[RECEIVE], loaded.maps, loaded)

    @classmethod
    def find(cls, team: int, other_end: int) -> Hooks | None:
        """Those that a predecessor left; None when there are none."""
        transmit = _ours(team, libbpf.TCX_EGRESS)
        receive = _ours(other_end, libbpf.TCX_EGRESS)
        if not transmit or not receive:
            for fd in (transmit, receive):
                if fd:
                    libbpf.close(fd)
            return None
        maps = {}
        for program in (transmit, receive):
            for map_id in libbpf.program_maps(program):
                fd = libbpf.map_by_id(map_id)
                name = libbpf.map_shape(fd)[0]
                if name in maps:
                    libbpf.close(fd)
                else:
                    maps[name] = fd
        return cls(transmit, receive, maps, None)

    def hang(self, team: int, other_end: int, ports: list[int], replacing: Hooks | None = None) -> None:
        """Put the programs in force; in place of a predecessor's each swap is atomic."""
        old_transmit = replacing.transmit if replacing else 0
        old_receive = replacing.receive if replacing else 0
        for port in ports:
            libbpf.attach(self.receive, port, libbpf.TCX_INGRESS, replace=old_receive)
        libbpf.attach(self.receive, other_end, libbpf.TCX_EGRESS, replace=old_receive)
        libbpf.attach(self.transmit, other_end, libbpf.TCX_INGRESS, replace=old_transmit)
        libbpf.attach(self.transmit, team, libbpf.TCX_EGRESS, replace=old_transmit)

    def check_free(self, port: int, name: str) -> None:
        """EBUSY when another team has the port already; ``name`` is for the message."""
        present = _ours(port, libbpf.TCX_INGRESS)
        if present:
            libbpf.close(present)
        if present and not self.on_port(port):
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
        size = _COUNTERS_OF_ONE_CPU.size
        values = libbpf.read_map(self._maps[_COUNTERS], slot, size * libbpf.possible_cpus())
        totals = map(sum, zip(*_COUNTERS_OF_ONE_CPU.iter_unpack(values), strict=True))
        return dict(zip(COUNTERS, totals, strict=True))

    def reset_counters(self, slot: int) -> None:
        """For a new port, which may get a slot that another one had."""
        zeros = bytes(_COUNTERS_OF_ONE_CPU.size * libbpf.possible_cpus())
        libbpf.write_map(self._maps[_COUNTERS], slot, zeros)

    def read_record(self) -> bytes:
        return libbpf.read_map(self._maps[_RECORD], 0, RECORD_SIZE)

    def write_record(self, data: bytes) -> None:
        if len(data) > RECORD_SIZE:
            raise DatapathError(errno.E2BIG, f"{len(data)} bytes to remember, at most {RECORD_SIZE} fit")
        libbpf.write_map(self._maps[_RECORD], 0, data.ljust(RECORD_SIZE, b"\0"))

    def close(self) -> None:
        self.events.close()
        if "shared" in self.__dict__:
            self.shared.close()
        if self._owned:
            self._owned.close()
            return
        for fd in (self.transmit, self.receive, *self._maps.values()):
            libbpf.close(fd)


def _ours(ifindex: int, hook: int) -> int:
    """A descriptor of some team's program on a hook; 0: none of the programs there is one."""
    for program_id in libbpf.attached(ifindex, hook):
        fd = libbpf.program_by_id(program_id)
        if libbpf.program_name(fd) in {RECEIVE, *TRANSMIT.values()}:
            return fd
        libbpf.close(fd)
    return 0
