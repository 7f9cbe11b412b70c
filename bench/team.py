"""A team on a host, as a user makes one: a configuration file, ``teamd -d``, an address on team0.

Owns the daemon of one host: starting, stopping (SIGSTOP), killing and asking it. Speaks to it by its
command line and its socket only; imports nothing of the package, so that what is measured is what is
installed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.hosts import PATIENCE, CommandError, Host, alive, wait_for

DEVICE: Final = "team0"
PORTS: Final = ("eth0", "eth1")
CONFIG: Final = {
    "device": DEVICE,
    "runner": {"name": "activebackup"},
    "link_watch": {"name": "ethtool"},
    "ports": {port: {} for port in PORTS},
}
#: The shortest question whose answer proves that the daemon works (control protocol, unix socket).
QUESTION: Final = b"REQUEST\nConfigDump\n"
ANSWER: Final = b"REPLY_SUCCESS\n"


def program(name: str) -> tuple[str, ...]:
    """The installed console script, or the module of a source tree."""
    script = Path(sys.executable).with_name(name)
    return (str(script),) if script.exists() else (sys.executable, "-m", f"pyteam.cli.{name}")


class Team:
    """team0 of one host, and its daemon."""

    def __init__(self, host: Host, directory: Path, datapath: str = "ebpf") -> None:
        self.host = host
        self.directory = directory / host.netns
        self.directory.mkdir()
        self.datapath = datapath
        self.config = self.directory / "teamd.conf"
        self.config.write_text(json.dumps(CONFIG, indent=4) + "\n")
        self.pid_file = self.directory / f"{DEVICE}.pid"
        self.socket = self.directory / f"{DEVICE}.sock"

    def teamd(self, *argv: str) -> str:
        """``teamd`` on this host, to its end: with ``-d`` until the daemon is ready."""
        where = (f"--run-dir={self.directory}", f"--pid-file={self.pid_file}")
        return self.host.run(*program("teamd"), *where, *argv)

    def start(self, *argv: str) -> None:
        self.teamd("-d", f"--config-file={self.config}", f"--datapath={self.datapath}", *argv)

    def end(self) -> None:
        """The orderly end: the device goes, too."""
        self.teamd("-k", f"--config-file={self.config}")

    def up(self, address: str) -> None:
        """An address (with prefix length) for team0, and up."""
        self.host.ip("addr", "add", address, "dev", DEVICE)
        self.host.ip("link", "set", "dev", DEVICE, "up")

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the daemon with -9 and wait until it is gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), f"the end of teamd {pid} of host {self.host.name}")

    def teamdctl(self, *argv: str) -> str:
        return self.host.run(*program("teamdctl"), f"--run-dir={self.directory}", DEVICE, *argv)

    def active(self) -> str:
        """The name of the active port; empty when there is none."""
        return self.teamdctl("state", "item", "get", "runner.active_port").strip()

    def answers(self) -> bool:
        """Whether the daemon answers on its socket now."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock, suppress(OSError):
            sock.settimeout(1)
            sock.connect(str(self.socket))
            sock.send(QUESTION)
            return sock.recv(1 << 16).startswith(ANSWER)
        return False

    def time_to_answer(self) -> float:
        """Start the daemon; seconds from ``teamd -d`` to the first answer on its socket.

        The network namespace is entered by the same program in front, about 2 ms of it.
        """
        failed: list[BaseException] = []

        def start() -> None:
            try:
                self.start()
            except CommandError as error:
                failed.append(error)

        begin = time.monotonic()
        starting = threading.Thread(target=start)
        starting.start()
        while not self.answers():
            if failed or time.monotonic() > begin + PATIENCE:
                break
            time.sleep(0.001)
        took = time.monotonic() - begin
        starting.join()
        if failed:
            raise failed[0]
        if took > PATIENCE:
            raise CommandError(f"teamd of host {self.host.name}: no answer within {PATIENCE:g} s")
        return took


def same_port(teams: Sequence[Team], unlike: str = "") -> str:
    """Wait until all teams have the same active port (another than ``unlike``); return its name."""

    def agreed() -> str:
        name, *others = {team.active() for team in teams}
        return "" if others or name == unlike else name

    return wait_for(agreed, "an active port that both hosts agree on")
