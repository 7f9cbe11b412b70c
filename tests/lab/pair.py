"""Two hosts with cables between them and a real daemon on each, on either datapath of the lab's kernel."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Imported late by teamd, and wanted here before it is forked.
import pyteam.datapath.ebpf.datapath  # noqa: F401
from pyteam.cli import teamd
from pyteam.client import Client, ClientError
from tests.lab.sidebyside import TEAM, Daemon, fork, wait_for
from tests.netns.anonymous import inside, namespace

DATAPATHS: Final = ("kernel", "ebpf")
UDP_PORT: Final = 9000
#: Seconds in which a datagram comes, or never will.
SOON: Final = 1.0


@dataclass
class End:
    """One host."""

    netns: int
    directory: Path
    daemon: Daemon | None = None

    def sh(self, script: str) -> str:
        """What has to work; its output."""
        with inside(self.netns):
            done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def ip(self, words: str) -> None:
        self.sh(f"ip {words}")

    def link(self, name: str) -> dict[str, Any]:
        """What iproute2 knows of an interface."""
        (found,) = json.loads(self.sh(f"ip -j -s link show {name}"))
        return dict(found)

    def start(self, datapath: str, config: Mapping[str, Any]) -> None:
        where = [f"--run-dir={self.directory}", f"--datapath={datapath}"]
        with inside(self.netns):
            self.daemon = daemon = fork(
                lambda: teamd.main(["teamd", *where, "-c", json.dumps(config)]), self.directory / "log"
            )
        wait_for(lambda: daemon.over() or self.answers(), lambda: f"teamd; it says:\n{daemon.log}")
        assert not daemon.over(), daemon.log

    def answers(self) -> bool:
        with suppress(ClientError):
            return bool(self.item("setup.pid"))
        return False

    def item(self, path: str) -> str:
        """A state item."""
        with Client(TEAM, str(self.directory)) as client:
            return client.state_item_get(path)

    def becomes(self, path: str, value: str) -> None:
        """Wait until the state item has the value."""
        wait_for(lambda: self.item(path) == value, lambda: f"{path} is {self.item(path)}, not {value}")


@dataclass
class Pair:
    """See `pair_of_hosts`."""

    datapath: str
    a: End
    b: End

    def ip(self, words: str) -> None:
        """The same on both; ``%`` stands for the host's number, 1 or 2."""
        for number, one in ((1, self.a), (2, self.b)):
            one.ip(words.replace("%", str(number)))

    def start(self, ports: Mapping[str, Any], runner: str = "activebackup", **options: object) -> None:
        """``ports``, and ``options`` of the runner, as in a configuration."""
        configuration = {"device": TEAM, "runner": {"name": runner, **options}, "ports": dict(ports)}
        for one in (self.a, self.b):
            one.start(self.datapath, configuration)
        self.ip(f"link set {TEAM} up")

    def send(self, subnet: str, port: int = UDP_PORT) -> None:
        """One datagram from ``subnet``.1 to ``subnet``.2, whether it comes or not."""
        with inside(self.a.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
            outbox.sendto(b"hello", (f"{subnet}.2", port))

    def reaches(self, subnet: str, port: int = UDP_PORT) -> bool:
        """A datagram comes through the addresses ``subnet``.1 and ``subnet``.2, both ways."""
        ways = (self.a, f"{subnet}.1", self.b, f"{subnet}.2"), (self.b, f"{subnet}.2", self.a, f"{subnet}.1")
        return all(_passes(*way, port) for way in ways)

    def comes_through(self, subnet: str, port: int = UDP_PORT) -> None:
        wait_for(lambda: self.reaches(subnet, port), lambda: f"a datagram through {subnet}.0")


def _passes(sender: End, here: str, receiver: End, there: str, port: int) -> bool:
    with ExitStack() as stack:
        with inside(receiver.netns):
            inbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            inbox.bind((there, port))
            inbox.settimeout(SOON)
        with inside(sender.netns):
            outbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            outbox.bind((here, port))
            outbox.sendto(b"hello", (there, port))
        try:
            return inbox.recv(100) == b"hello"
        except TimeoutError:
            return False


@contextmanager
def pair_of_hosts(directory: Path, datapath: str, cables: Sequence[str]) -> Iterator[Pair]:
    """A cable's ends have its name on both."""
    with namespace() as first, namespace() as second:
        ends = []
        for name, netns in (("a", first), ("b", second)):
            (directory / name).mkdir()
            ends.append(End(netns, directory / name))
        for cable in cables:
            # By a path that the child has, too.
            there = f"/proc/{os.getpid()}/fd/{second}"
            ends[0].ip(f"link add {cable} type veth peer name {cable} netns {there}")
        try:
            yield Pair(datapath, *ends)
        finally:
            for end in ends:
                if end.daemon and not end.daemon.over():
                    end.daemon.end(signal.SIGKILL)
