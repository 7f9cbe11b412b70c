"""What a packet costs, in instructions of the guest.

Owns the three ways to send; must run where the clock counts instructions (QEMU's ``-icount shift=0``: an
instruction takes 1 ns). One process holds both ends, so that between two looks at the clock there are the
way of the packets, both ends' sockets, and nothing that waits.
"""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from bench.contenders import B, Contender
from bench.hosts import CommandError, Host
from bench.mmsg import Ring

PORT: Final = 7001
#: Small packets sent before they are fetched: fewer than the backlog of a receiver holds.
BURST: Final = 64
WORDS: Final = 4
#: Bytes of one write to a TCP socket, and how many of them are a measurement.
WRITE: Final = 1 << 16
CLONE_NEWNET: Final = 0x40000000

_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(host: Host) -> Iterator[None]:
    """Sockets made in this block belong to the host, and stay its."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{host.netns}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {host.netns}")
        yield
    finally:
        _libc.setns(home, CLONE_NEWNET)
        os.close(there)
        os.close(home)


def _pair(contender: Contender, kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets, one on each host."""
    with inside(contender.b):
        there = socket.socket(socket.AF_INET, kind)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        there.bind((B, PORT))
        if kind is socket.SOCK_STREAM:
            there.listen(1)
    with inside(contender.a):
        here = socket.socket(socket.AF_INET, kind)
        here.connect((B, PORT))
    if kind is socket.SOCK_STREAM:
        listening, (there, _) = there, there.accept()
        listening.close()
    else:
        there.connect(here.getsockname())
    return here, there


def udp(contender: Contender, packets: int) -> float:
    """Instructions of one packet of 32 bytes, one way, sent and received in bursts."""
    here, there = _pair(contender, socket.SOCK_DGRAM)
    with here, there:
        sending, receiving = Ring(BURST, WORDS), Ring(BURST, WORDS)
        start = time.monotonic_ns()
        for _ in range(packets // BURST):
            sending.send(here, BURST)
            got = receiving.receive(there, socket.MSG_DONTWAIT)
            if got != BURST:
                raise CommandError(f"{contender.name}: {BURST - got} of {BURST} packets lost while counting")
        return (time.monotonic_ns() - start) / (packets // BURST * BURST)


def ping_pong(contender: Contender, trips: int) -> float:
    """Instructions of one round trip, with the four calls that it takes of Python."""
    here, there = _pair(contender, socket.SOCK_DGRAM)
    with here, there:
        packet = bytearray(16)
        there.settimeout(None)
        start = time.monotonic_ns()
        for _ in range(trips):
            here.send(packet)
            there.recv_into(packet)
            there.send(packet)
            here.recv_into(packet)
        return (time.monotonic_ns() - start) / trips


def tcp(contender: Contender, writes: int) -> float:
    """Instructions of 64 kB over TCP: sent, segmented if need be, received and acknowledged."""
    here, there = _pair(contender, socket.SOCK_STREAM)
    with here, there:
        data, room = bytes(WRITE), bytearray(WRITE)
        for end in (here, there):
            end.setblocking(False)
        sent = received = 0
        start = time.monotonic_ns()
        while received < writes * WRITE:
            if sent < writes * WRITE:
                with suppress(BlockingIOError):
                    sent += here.send(data)
            with suppress(BlockingIOError):
                received += there.recv_into(room)
        return (time.monotonic_ns() - start) / writes


@dataclass(frozen=True)
class Count:
    """One way to count: what it says, and how many units make a measurement."""

    title: str
    count: Callable[[Contender, int], float]
    units: int
    #: Ways of a packet in one unit, where that number is fixed.
    ways: int | None = None


COUNTS: Final = (
    Count("UDP, one way", udp, 6400, 1),
    Count("UDP ping-pong", ping_pong, 2000, 2),
    Count("TCP, 64 kB", tcp, 400),
)


def warm_up(contender: Contender) -> None:
    """What happens once only: allocations, translation of the emulator, connection tracking."""
    gc.disable()
    for count in COUNTS:
        count.count(contender, count.units // 10)
