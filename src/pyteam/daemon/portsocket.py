"""One packet socket on one port: probes leave by it, and what the engine listens for comes in.

It is a tap (``ETH_P_ALL``), since the kernel shows frames to taps before a team's driver or program takes
them away. So that this costs little, the kernel itself picks the frames (`pyteam.frames.pattern`) and does
not show what we send; and while nothing is listened for, nobody reads: what comes fills a small
buffer, is dropped behind that, and thrown away when there is something to listen for again.
"""

from __future__ import annotations

import array
import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final

from pyteam.datapath.interface import OWN_FRAMES
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear
from pyteam.frames.ethernet import Vlan
from pyteam.frames.pattern import program

ETH_P_ALL: Final = 3
# asm-generic/socket.h
_SO_ATTACH_FILTER: Final = 26
_SO_MARK: Final = 36
# linux/if_packet.h
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_DROP_MEMBERSHIP: Final = 2
_AUXDATA: Final = 8
_STATISTICS: Final = 6
_IGNORE_OUTGOING: Final = 23
_MEMBERSHIP: Final = struct.Struct("=iHH8s")
_MR_MULTICAST: Final = 0
_MR_UNICAST: Final = 3
#: `struct tpacket_auxdata`: status, three lengths and offsets, the tag and its protocol.
_TPACKET_AUXDATA: Final = struct.Struct("=I12xHH")
_VLAN_VALID: Final = 1 << 4

#: Bytes of the receive buffer; the kernel doubles it, and counts some 800 for a small frame.
_BUFFER: Final = 32768
#: More than fit into it: while it is emptied, more may come.
_MOST_STALE: Final = 256
#: Frames that are read at once, and in a `REST`: no protocol of ours has use for more, and whoever sends
#: more is not to keep the daemon from anything else. The kernel drops the rest before it costs much.
MOST_AT_ONCE: Final = 32
#: Seconds.
REST: Final = 0.1
#: `struct tpacket_stats`: frames that came in, and how many of them were dropped; reading begins anew.
_TPACKET_STATS: Final = struct.Struct("=II")
#: Nothing that is listened for is longer.
_LONGEST: Final = 2048


class PortSocket:
    """Deaf until `listen`. Raises OSError where there is no such interface, or no right to listen."""

    def __init__(self, ifindex: int) -> None:
        self.ifindex = ifindex
        self._ear = Ear(frozenset())
        self._filter = b""
        #: Frames that were read since `rests_until` less a `REST`.
        self._read = 0
        self.rests_until = 0.0
        #: Frames that nobody had time for.
        self.dropped = 0
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, OWN_FRAMES)
            self._socket.setsockopt(_SOL_PACKET, _AUXDATA, 1)
            # Since Linux 4.20; the filter refuses what we send, too, but a copy of it has been made by then.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
            self._bind(0)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    @property
    def listening(self) -> bool:
        """Whether it is to be read when it is readable."""
        return bool(self._ear.patterns)

    @property
    def tired(self) -> bool:
        """More came in than anybody needs: before `rests_until` it is not to be read again."""
        return self._read >= MOST_AT_ONCE

    def rise(self) -> None:
        """It has rested."""
        self._read = 0
        self.dropped += self._count_dropped()

    def listen(self, ear: Ear) -> None:
        """From now on for this, and for nothing that came before."""
        if ear == self._ear:
            return
        if ear.patterns:
            self._attach(program(ear.patterns))
            if not self._ear.patterns:
                self._drain()
        for kind, before, now in (
            (_MR_UNICAST, self._ear.address, ear.address),
            (_MR_MULTICAST, self._ear.group, ear.group),
        ):
            if now != before:
                self._admit(_DROP_MEMBERSHIP, kind, before)
                self._admit(_ADD_MEMBERSHIP, kind, now)
        self._ear = ear

    def receive(self, now: float) -> Iterator[FrameSeen]:
        """Some of the frames that wait, without blocking; ``now``: monotonic."""
        if now >= self.rests_until:
            self.rests_until, self._read = now + REST, 0
        # It is told once when the interface goes down, and hears again when it comes back up.
        with contextlib.suppress(OSError):
            while self._read < MOST_AT_ONCE:
                data, ancillary, _, _ = self._socket.recvmsg(_LONGEST, 64)
                self._read += 1
                yield FrameSeen(self.ifindex, data, _tag(ancillary))

    def send(self, data: bytes) -> None:
        """A whole frame. Raises OSError, also where it would have to wait."""
        self._socket.send(data)

    def _bind(self, protocol: int) -> None:
        self._socket.bind((socket.if_indextoname(self.ifindex), protocol))

    def _attach(self, code: bytes) -> None:
        if code == self._filter:
            return
        instructions = array.array("B", code)
        address, _ = instructions.buffer_info()
        self._socket.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(code) // 8, address)
        )
        if not self._filter:
            # Only now does it hear anything.
            self._bind(ETH_P_ALL)
        self._filter = code

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(_MOST_STALE):
                self._socket.recv(1)

    def _count_dropped(self) -> int:
        with contextlib.suppress(OSError):
            statistics = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, _TPACKET_STATS.size)
            return int(_TPACKET_STATS.unpack(statistics)[1])
        return 0

    def _admit(self, what: int, kind: int, address: bytes | None) -> None:
        if address is not None:
            request = _MEMBERSHIP.pack(self.ifindex, kind, len(address), address)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(_SOL_PACKET, what, request)


def _tag(ancillary: list[tuple[int, int, bytes]]) -> Vlan | None:
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_PACKET, _AUXDATA) and len(data) >= _TPACKET_AUXDATA.size:
            status, control, protocol = _TPACKET_AUXDATA.unpack_from(data)
            if status & _VLAN_VALID:
                return Vlan(control & 0xFFF, control >> 13, bool(control & 0x1000), protocol)
    return None
