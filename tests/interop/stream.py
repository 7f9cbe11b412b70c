"""Numbered datagrams both ways between two hosts, over many flows, and how many of them were lost.

A process of its own, so that whoever starts and kills daemons meanwhile is no thread's neighbour.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.netns.anonymous import inside

#: As many flows as spread over two members for sure.
FLOWS: Final = 32
PORT: Final = 9000
#: Seconds that the last datagrams have to arrive.
SETTLE: Final = 0.3
#: Without a checksum: who forwards in user space is handed one that a card should have filled in.
_SO_NO_CHECK: Final = 11


@dataclass
class Way:
    """One direction. ``dark``: the longest time without an arrival, in seconds."""

    sent: int = 0
    arrived: int = 0
    doubled: int = 0
    dark: float = 0.0

    @property
    def lost(self) -> int:
        return self.sent - self.arrived


@dataclass
class Stream:
    """Filled in when it is over."""

    rate: float
    there: Way
    back: Way

    def __str__(self) -> str:
        return f"lost {self.there.lost} + {self.back.lost} of {self.there.sent} + {self.back.sent}"


@contextmanager
def stream(here: int, address: str, there: int, other: str, rate: float) -> Iterator[Stream]:
    """``rate`` datagrams a second each way while the block runs; ``here`` and ``there`` are namespaces."""
    found = Stream(rate, Way(), Way())
    stop_read, stop = os.pipe()
    results, results_write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            ways = _run(((here, address), (there, other)), rate, stop_read)
            os.write(results_write, json.dumps([vars(way) for way in ways]).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(stop_read)
    os.close(results_write)
    said = b""
    try:
        yield found
    finally:
        # Not by closing it: daemons that were forked meanwhile hold the other end, too.
        os.write(stop, b".")
        os.close(stop)
        with open(results, "rb") as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
    assert said, "the stream ended before it was told to"
    found.there, found.back = (Way(**way) for way in json.loads(said))


def _run(ends: tuple[tuple[int, str], tuple[int, str]], rate: float, stop: int) -> list[Way]:
    inboxes: list[socket.socket] = []
    outboxes: list[list[socket.socket]] = []
    for namespace, address in ends:
        with inside(namespace):
            inboxes.append(_socket(address, PORT))
            outboxes.append([_socket(address, PORT + 1 + flow) for flow in range(FLOWS)])
    ways = [Way(), Way()]
    seen: list[set[int]] = [set(), set()]
    start = time.monotonic()
    last = [start, start]

    def read(now: float) -> None:
        for way, inbox, numbers, at in zip(ways, reversed(inboxes), seen, (0, 1), strict=True):
            with suppress(BlockingIOError):
                while data := inbox.recv(64):
                    (number,) = struct.unpack("!I", data)
                    way.doubled += number in numbers
                    numbers.add(number)
                    way.dark = max(way.dark, now - last[at])
                    last[at] = now

    def send(number: int) -> None:
        data = struct.pack("!I", number)
        for way, boxes, (_, target) in zip(ways, outboxes, reversed(ends), strict=True):
            # Refused: there is no way out just now. It counts as sent, and as lost.
            with suppress(OSError):
                boxes[number % FLOWS].sendto(data, (target, PORT))
            way.sent += 1

    over = select.poll()
    over.register(stop, select.POLLIN)
    for inbox in inboxes:
        over.register(inbox, select.POLLIN)
    number, ending = 0, 0.0
    while True:
        now = time.monotonic()
        if ending:
            if now > ending:
                break
        elif now >= start + number / rate:
            send(number)
            number += 1
        wait = 0.01 if ending else max(0.0, start + number / rate - now)
        events = over.poll(wait * 1000)
        now = time.monotonic()
        read(now)
        if not ending and any(fd == stop for fd, _ in events):
            ending = now + SETTLE
            over.unregister(stop)
    for way, numbers in zip(ways, seen, strict=True):
        way.arrived = len(numbers)
    return ways


def _socket(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, 1)
    made.bind((address, port))
    made.setblocking(False)
    return made
