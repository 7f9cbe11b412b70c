"""The BPF programs without a team: real ports, frames put in by BPF_PROG_TEST_RUN, verdicts out.

The kernel answers with the program's verdict, not with where a redirect would go: that is read from
the counters, which the programs keep per port.
"""

from __future__ import annotations

import ctypes
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from pyteam.datapath.ebpf import hooks
from pyteam.datapath.ebpf.bytecode import Code
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.quiet import silence
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace
from tests.netns.ticks import next_tick

# Verdicts, as unsigned as the kernel returns them (uapi linux/pkt_cls.h, linux/bpf.h).
NEXT: Final = 0xFFFFFFFF
SHOT: Final = 2
REDIRECT: Final = 7

UNICAST: Final = bytes.fromhex("0200000000010200000000020800") + bytes(46)
_ETH_P_ALL: Final = 3
_CONTEXT_SIZE: Final = 192  # struct __sk_buff
_IFINDEX, _GSO_SEGS, _GSO_SIZE = 40, 164, 176  # offsets in it


class _Options(ctypes.Structure):
    """struct bpf_test_run_opts, libbpf's bpf.h."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("data_in", ctypes.c_char_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("context_in", ctypes.c_char_p),
        ("context_out", ctypes.c_void_p),
        ("context_size_in", ctypes.c_uint32),
        ("context_size_out", ctypes.c_uint32),
        ("verdict", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("duration", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    ]


@dataclass
class Programs:
    """Two programs of one mode and a namespace with ports for them; nothing is attached."""

    rtnl: Rtnl
    hooks: Hooks
    #: The device that stands for team0, and the other end of it.
    team: int
    other_end: int
    #: Ports in the order of their slots, by ifindex; each one's cable ends at `far`.
    ports: list[int] = field(default_factory=list)
    far: dict[int, int] = field(default_factory=dict)

    def plug(self, ifindex: int = 0) -> int:
        """A new port with carrier; ``ifindex`` 0: the kernel chooses."""
        name = f"p{len(self.ports)}"
        if ifindex:
            # Asking for an index is rare enough to be left to iproute2.
            words = f"ip link add {name} index {ifindex} type veth peer name far{name}"
            subprocess.run(words.split(), check=True)
            made = self.rtnl.link_by_name(name)
            for end in (made.ifindex, made.link):
                self.rtnl.set_link(end, up=True)
        else:
            made = self.rtnl.add_veth(name, f"far{name}", up=True, peer_up=True)
        self.ports.append(made.ifindex)
        self.far[made.ifindex] = made.link
        self.hooks.shared.take_slot(made.ifindex)
        return made.ifindex

    def cut(self, port: int) -> None:
        self.rtnl.set_link(self.far[port], up=False)

    def mend(self, port: int) -> None:
        self.rtnl.set_link(self.far[port], up=True)

    def transmit(self, frame: bytes = UNICAST, *, segments: int = 0, times: int = 1) -> int:
        """What the transmit program says of a packet that team0 sends."""
        return run_program(self.hooks.transmit, frame, self.team, segments, times)

    def transmit_at_other_end(self, *, times: int = 1) -> int:
        """What it says of a packet that team0 has sent for real."""
        return run_program(self.hooks.transmit, UNICAST, self.other_end, times=times)

    @contextmanager
    def tap(self) -> Iterator[None]:
        """tcpdump listens on team0."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) as tap:
            tap.bind(("team", _ETH_P_ALL))
            next_tick()
            yield

    def receive(self, port: int, frame: bytes = UNICAST, *, times: int = 1) -> int:
        """What the receive program says of a frame that came in on a port."""
        return run_program(self.hooks.receive, frame, port, times=times)

    def sent(self) -> list[int]:
        """Packets that each port was given to send, in the order of `ports`."""
        return [self.counters(port)["tx_packets"] for port in self.ports]

    def received(self) -> list[int]:
        return [self.counters(port)["rx_packets"] for port in self.ports]

    def counters(self, port: int) -> dict[str, int]:
        return self.hooks.counters(self.hooks.shared.slots()[port])

    def told(self) -> list[int]:
        """The ports of which the programs said, since the last call, that they cannot send."""
        return [int.from_bytes(sample[:4], "little") for sample in self.hooks.events.take()]


def run_program(program: int, frame: bytes, ifindex: int = 1, segments: int = 0, times: int = 1) -> int:
    """A program's verdict on a packet of an interface of this namespace."""
    context = bytearray(_CONTEXT_SIZE)
    context[_IFINDEX : _IFINDEX + 4] = ifindex.to_bytes(4, "little")
    if segments:
        context[_GSO_SEGS : _GSO_SEGS + 4] = segments.to_bytes(4, "little")
        context[_GSO_SIZE : _GSO_SIZE + 4] = (20).to_bytes(4, "little")
    options = _Options(
        size=ctypes.sizeof(_Options),
        data_in=frame,
        data_size_in=len(frame),
        context_in=bytes(context),
        context_size_in=len(context),
        repeat=times,
    )
    result = ctypes.CDLL("libbpf.so.1").bpf_prog_test_run_opts(program, ctypes.byref(options))
    assert result == 0, f"BPF_PROG_TEST_RUN: {result}"
    return int(options.verdict)


@contextmanager
def programs(mode: str, ports: int = 2, function: Code | None = None) -> Iterator[Programs]:
    """Programs of a mode, in a namespace of their own, with so many ports that can all send.

    ``function``: the hash function of mode loadbalance.
    """
    with namespace() as made, inside(made), Rtnl() as rtnl:
        team = rtnl.add_veth("team", "teampeer")
        for end, name in ((team.link, "teampeer"), (team.ifindex, "team")):
            silence(rtnl, end, name)  # where the programs are hung, too, only the test speaks
            rtnl.set_link(end, up=True)
        loaded = Hooks.load(hooks.object_code(), mode, function)
        try:
            loaded.shared.start(team.ifindex)
            bench = Programs(rtnl, loaded, team.ifindex, team.link)
            for _ in range(ports):
                bench.plug()
            loaded.shared.set_order(bench.ports)
            yield bench
        finally:
            loaded.close()
