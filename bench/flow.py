"""One numbered stream of packets from a host to another, as the harness sees it.

Owns the two processes and their records; what a packet is, is `bench.traffic`'s business.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.hosts import CommandError, Host
from bench.loss import Arrived, Sent, Tally, Window, tally
from bench.traffic import Counters

#: Seconds that the last packets have to arrive.
SETTLE = 0.3


def traffic(host: Host, what: str, address: str, *argv: str) -> subprocess.Popen[bytes]:
    """Start one end of a flow; it ends when its standard input is closed."""
    command = (sys.executable, "-m", "bench.traffic", what, address, *argv)
    return host.start(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def await_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait until a listening end says that it listens."""
    if process.stdout is None or process.stdout.readline() != b"ready\n":
        raise CommandError("bench.traffic: ended before it was ready (its message is above)")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Tell an end to stop and wait for it."""
    if process.stdin is not None:
        process.stdin.close()
    if process.wait(30):
        raise CommandError(f"bench.traffic: exit {process.returncode} (its message is above)")


class Flow:
    """``rate`` packets a second from ``source`` to ``address`` on ``target``."""

    def __init__(self, source: Host, target: Host, address: str, rate: int, directory: Path) -> None:
        self.name = f"{source.name} -> {target.name}"
        self.sent = Sent()
        self.arrived = Arrived()
        stem = f"{source.netns}-{target.netns}-{time.monotonic_ns()}"
        self._sent, sending = directory / f"{stem}.sent", directory / f"{stem}.sending"
        self._arrived, receiving = directory / f"{stem}.arrived", directory / f"{stem}.receiving"
        self._counting = Counters.create(sending), Counters.create(receiving)
        files = f"--record={self._arrived}", f"--counters={receiving}"
        self._receiver = traffic(target, "receive", address, *files)
        await_ready(self._receiver)
        files = f"--record={self._sent}", f"--counters={sending}"
        self._sender = traffic(source, "send", address, f"--rate={rate}", *files)

    def so_far(self) -> tuple[int, int, int]:
        """Packets sent, received, and missing between those that were received."""
        sent, _ = self._counting[0].get()
        return (sent, *self._counting[1].get())

    def stop(self) -> None:
        """End the flow and read its records."""
        stop(self._sender)
        time.sleep(SETTLE)
        stop(self._receiver)
        self.sent = Sent.load(self._sent)
        self.arrived = Arrived.load(self._arrived)

    @property
    def missed(self) -> int:
        """Packets that reached the receiver's socket and were dropped there: the meter's own loss."""
        return sum(self.arrived.missed)

    def tally(self, window: Window) -> Tally:
        return tally(self.sent, self.arrived, window)
