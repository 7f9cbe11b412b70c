"""The processes at the two ends of a flow; each runs on a host of its own.

``python -m bench.traffic send|receive|blast|sink|ping|echo``: numbered and paced packets with their
record, unpaced packets that are only counted, and round trips. Every one ends when its standard input
does, so that none outlives the one who started it. What the records mean is `bench.loss`'s business.
"""

from __future__ import annotations

import argparse
import gc
import json
import mmap
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from bench.loss import Arrived, Sent
from bench.mmsg import CONTROL_WORDS, SO_TIMESTAMPNS, Ring, drops

#: Seconds after which a sender ends whatever happens.
LONGEST: Final = 300
#: Seconds between two bursts of a paced sender.
BURST: Final = 0.0005
#: A sender that was kept from running skips ahead instead of flooding, beyond this many seconds.
CATCH_UP: Final = 0.005
#: How often the receiver fetches what has come; the kernel keeps the times of arrival meanwhile.
FETCH: Final = 0.002
#: Bytes of socket buffer: more than a second of 50 000 packets/s.
BUFFER: Final = 64 << 20
#: Options that ``socket`` does not name (asm-generic/socket.h).
SO_SNDBUFFORCE: Final = 32
SO_RCVBUFFORCE: Final = 33
#: 64-bit words of a packet: its number, and room to look like a small packet.
WORDS: Final = 4
#: The counters shared with the harness: sent; or received and missing so far.
COUNTERS: Final = struct.Struct("=QQ")


class Counters:
    """Two numbers in a file that another process watches while they grow."""

    @classmethod
    def create(cls, path: Path) -> Self:
        path.write_bytes(bytes(COUNTERS.size))
        return cls(path)

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), COUNTERS.size)

    def set(self, first: int, second: int = 0) -> None:
        COUNTERS.pack_into(self._map, 0, first, second)

    def get(self) -> tuple[int, int]:
        first, second = COUNTERS.unpack_from(self._map)
        return first, second


def send(address: tuple[str, int], rate: int, record: Path, counters: Counters) -> None:
    """Send numbered packets, ``rate`` a second in bursts of `BURST`, until told to stop."""
    sock = _socket()
    sock.connect(address)
    each = max(1, round(rate * BURST))
    interval = round(each * 1e9 / rate)
    ring = Ring(each, WORDS)
    sent, number = Sent(), 0
    running = _until_told()
    due = start = time.monotonic_ns()
    while running() and due - start < LONGEST * 1e9:
        now = time.monotonic_ns()
        if now < due:
            time.sleep((due - now) / 1e9)
            now = time.monotonic_ns()
        due = max(due + interval, now - int(CATCH_UP * 1e9))
        ring.number(number, each)
        sent.at.append(now)
        sent.first.append(number)
        ring.send(sock, each)
        number += each
        counters.set(number)
    sent.at.append(time.monotonic_ns())
    sent.first.append(number)
    sent.save(record)


def receive(address: tuple[str, int], record: Path, counters: Counters) -> None:
    """Record every packet that arrives, until told to stop."""
    sock = _socket()
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.bind(address)
    ring = Ring(512, WORDS, CONTROL_WORDS)
    arrived, received = Arrived(), 0
    running = _until_told()
    _say("ready")
    last_round = False
    while True:
        # Arrivals are stamped by the wall clock, which may be slewed meanwhile.
        offset = time.time_ns() - time.monotonic_ns()
        while count := ring.receive(sock, socket.MSG_DONTWAIT):
            arrived.add(ring.numbers(count), [stamp - offset for stamp in ring.stamps(count)])
            received += count
        counters.set(received, len(arrived.at) - (received - len(arrived.again)))
        if last_round:
            break
        last_round = not running()
        time.sleep(FETCH)
    arrived.missed.append(drops(sock))
    arrived.save(record)


def blast(address: tuple[str, int]) -> None:
    """Send small packets as fast as one processor can, until told to stop."""
    sock = _socket()
    sock.connect(address)
    ring = Ring(64, WORDS)
    running = _until_told()
    end = time.monotonic() + LONGEST
    while running() and time.monotonic() < end:
        ring.send(sock, ring.rows)


def sink(address: tuple[str, int], warm_up: float, seconds: float) -> None:
    """Count packets for ``seconds`` after ``warm_up`` seconds; print the rate."""
    sock = _socket()
    sock.bind(address)
    ring = Ring(1024, WORDS)
    _say("ready")
    _fetch(sock, ring, warm_up)
    _say(json.dumps({"per_second": _fetch(sock, ring, seconds) / seconds}))


def _fetch(sock: socket.socket, ring: Ring, seconds: float) -> int:
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fetched = ring.receive(sock, socket.MSG_DONTWAIT)
        count += fetched
        if not fetched:
            time.sleep(0.0002)
    return count


def echo(address: tuple[str, int]) -> None:
    """Send every packet back, until told to stop."""
    sock = _socket()
    sock.bind(address)
    threading.Thread(target=_exit_when_told, daemon=True).start()
    _say("ready")
    while True:
        data, sender = sock.recvfrom(64)
        sock.sendto(data, sender)


def ping(address: tuple[str, int], seconds: float) -> None:
    """Wait for each answer before the next packet is sent; print the round trips a second."""
    sock = _socket()
    sock.connect(address)
    timeout = struct.pack("@ll", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
    trips = lost = 0
    start = now = time.monotonic()
    while now < start + seconds:
        sock.send(b"16 bytes of ping")
        try:
            sock.recv(64)
            trips += 1
        except (BlockingIOError, ConnectionRefusedError):
            lost += 1
        now = time.monotonic()
    _say(json.dumps({"per_second": trips / (now - start), "lost": lost}))


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return sock


def _until_told() -> Callable[[], bool]:
    """True until standard input ends."""
    told = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        told.set()

    threading.Thread(target=wait, daemon=True).start()
    return lambda: not told.is_set()


def _exit_when_told() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.traffic")
    parser.add_argument("what", choices=("send", "receive", "blast", "sink", "echo", "ping"))
    parser.add_argument("address", type=_address, help="ADDRESS:PORT to send to or to listen on")
    parser.add_argument("--rate", type=int, default=50_000, help="packets a second")
    parser.add_argument("--record", type=Path, help="file to write the record to at the end")
    parser.add_argument("--counters", type=Path, help="file of counters to keep up to date")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--warm-up", type=float, default=0.3)
    parser.add_argument("--cpu", type=int, help="the processor to stay on")
    args = parser.parse_args()
    if args.cpu is not None:
        os.sched_setaffinity(0, {args.cpu})
    # A collection of the whole heap takes longer than a burst.
    gc.disable()
    match args.what:
        case "send":
            send(args.address, args.rate, args.record, Counters(args.counters))
        case "receive":
            receive(args.address, args.record, Counters(args.counters))
        case "blast":
            blast(args.address)
        case "sink":
            sink(args.address, args.warm_up, args.seconds)
        case "echo":
            echo(args.address)
        case "ping":
            ping(args.address, args.seconds)


if __name__ == "__main__":
    main()
