"""The programs of receive balancing without a team: real ports, frames in, verdicts and frames out.

The ports are p0, p1, ... with the MACs `mac(0)`, `mac(1)`, ...; the team's MAC is `mac(0)`. Where a
redirected frame goes is read from a tap at the far end of each port's cable, since the kernel does
not carry out a redirect in BPF_PROG_TEST_RUN: so what is asserted is the verdict and the frame.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pyteam.datapath.ebpf.libbpf import TCX_EGRESS, TCX_INGRESS
from pyteam.datapath.rxbalance import shared
from pyteam.datapath.rxbalance.programs import Programs
from pyteam.frames import arp, icmpv6
from pyteam.frames.ethernet import BROADCAST, ETH_P_ARP, ETH_P_IPV6, Frame, Vlan
from pyteam.frames.ip import checksum, ipv6_packet
from pyteam.netlink.rtnl import Rtnl
from tests.bpf.harness import _IFINDEX, _Options
from tests.netns.anonymous import inside, namespace

_CONTEXT_SIZE: Final = 192  # struct __sk_buff
_MARK: Final = 8  # offset in it
_ROOM: Final = 2048

PEER: Final = bytes.fromhex("020000000a01")
OTHER_PEER: Final = bytes.fromhex("020000000a02")
GUEST: Final = bytes.fromhex("020000000b01")
OUR_IP: Final = bytes([10, 0, 0, 1])
PEER_IP: Final = bytes([10, 0, 0, 2])
OUR_IPV6: Final = bytes.fromhex("fd00" + "00" * 13 + "01")
PEER_IPV6: Final = bytes.fromhex("fd00" + "00" * 13 + "02")
ALL_NODES_MAC: Final = bytes.fromhex("333300000001")


def mac(port: int) -> bytes:
    return bytes([2, 0, 0, 0, 0, port + 1])


TEAM: Final = mac(0)


class Verdict(NamedTuple):
    code: int
    frame: bytes

    @property
    def destination(self) -> bytes:
        return self.frame[:6]

    @property
    def source(self) -> bytes:
        return self.frame[6:12]


@dataclass
class Bench:
    rtnl: Rtnl
    programs: Programs
    ports: list[int] = field(default_factory=list)
    far: dict[int, int] = field(default_factory=dict)

    def plug(self) -> int:
        at = len(self.ports)
        made = self.rtnl.add_veth(f"p{at}", f"far{at}", up=True, peer_up=True)
        self.ports.append(made.ifindex)
        self.far[made.ifindex] = made.link
        self.programs.shared.take_slot(made.ifindex, mac(at)).live = 1
        return made.ifindex

    def cut(self, at: int) -> None:
        self.rtnl.set_link(self.far[self.ports[at]], up=False)

    def mend(self, at: int) -> None:
        self.rtnl.set_link(self.far[self.ports[at]], up=True)

    def out(self, at: int, frame: bytes, *, mark: int = 0) -> Verdict:
        """What happens to a frame that the team sends by port ``at``."""
        return self._run(TCX_EGRESS, at, frame, mark)

    def enter(self, at: int, frame: bytes) -> Verdict:
        """What happens to a frame that comes in by port ``at``."""
        return self._run(TCX_INGRESS, at, frame, 0)

    def _run(self, hook: int, at: int, frame: bytes, mark: int) -> Verdict:
        context = bytearray(_CONTEXT_SIZE)
        struct.pack_into("=I", context, _IFINDEX, self.ports[at])
        struct.pack_into("=I", context, _MARK, mark)
        room = ctypes.create_string_buffer(_ROOM)
        options = _Options(
            size=ctypes.sizeof(_Options),
            data_in=frame,
            data_size_in=len(frame),
            data_out=ctypes.addressof(room),
            data_size_out=len(room),
            context_in=bytes(context),
            context_size_in=len(context),
            repeat=1,
        )
        result = ctypes.CDLL("libbpf.so.1").bpf_prog_test_run_opts(
            self.programs.by_hook[hook], ctypes.byref(options)
        )
        assert result == 0, f"BPF_PROG_TEST_RUN: {result}"
        return Verdict(int(options.verdict), room.raw[: options.data_size_out])

    def told(self) -> dict[bytes, int]:
        """Which port (0, 1, ...) each MAC is told."""
        return {
            station.mac: self.ports.index(use.port) for station, use in self.programs.neighbours().items()
        }

    def uses(self) -> dict[bytes, int]:
        """To which port's MAC each sent last."""
        return {
            station.mac: self.ports.index(use.uses) for station, use in self.programs.neighbours().items()
        }


@contextmanager
def bench(ports: int = 3) -> Iterator[Bench]:
    with namespace() as made, inside(made), Rtnl() as rtnl:
        programs = Programs.load()
        try:
            state = programs.shared.state
            state.abi = shared.ABI
            state.mac = shared.number_of(TEAM)
            found = Bench(rtnl, programs)
            for _ in range(ports):
                found.plug()
            yield found
        finally:
            programs.close()


# Frames


def eth(
    destination: bytes, source: bytes, ethertype: int, payload: bytes = b"", vlan: int | None = None
) -> bytes:
    tags = () if vlan is None else (Vlan(vlan),)
    return Frame(destination, source, ethertype, payload.ljust(46, b"\0"), tags).build()


def arp_frame(
    destination: bytes,
    operation: int = arp.REPLY,
    *,
    sender: bytes = TEAM,
    sender_ip: bytes = OUR_IP,
    target_ip: bytes = PEER_IP,
    vlan: int | None = None,
) -> bytes:
    target = bytes(6) if destination == BROADCAST else destination
    body = arp.Arp(operation, sender, sender_ip, target, target_ip).build()
    return eth(destination, sender, ETH_P_ARP, body, vlan)


def arp_of(frame: bytes) -> arp.Arp:
    return arp.parse(frame[14:] if frame[12:14] == b"\x08\x06" else frame[18:])


def nd_frame(
    destination: bytes,
    kind: int,
    option: int,
    *,
    to: bytes = PEER_IPV6,
    flags: int = 0,
    target: bytes = OUR_IPV6,
    ahead: bytes = b"",
    vlan: int | None = None,
) -> bytes:
    """A neighbour discovery message of the team's with its MAC as an option behind ``ahead``."""
    head = {133: 8, 134: 16, 135: 24, 136: 24}[kind]
    body = struct.pack("!BBHI", kind, 0, 0, flags) + target[: max(0, head - 8)]
    body += ahead + bytes((option, 1)) + TEAM
    packet = ipv6_packet(OUR_IPV6, to, 58, 255, icmpv6.message(OUR_IPV6, to, body))
    return eth(destination, TEAM, ETH_P_IPV6, packet, vlan)


def icmp_of(frame: bytes) -> bytes:
    """The ICMPv6 message; its checksum must be right."""
    start = 14 if frame[12:14] == b"\x86\xdd" else 18
    packet = frame[start:]
    length = int.from_bytes(packet[4:6], "big")
    body = packet[40 : 40 + length]
    pseudo = packet[8:40] + struct.pack("!I3xB", length, 58)
    assert checksum(pseudo + body) == 0, "wrong checksum"
    return body
