"""Our own end: a teamd with the runner lacp, its state, and its two kinds of a restart."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# Imported late by teamd, and wanted here before it is forked.
import pyteam.datapath.ebpf.datapath  # noqa: F401
from pyteam.cli import teamd
from pyteam.client import Client, ClientError
from tests.interop.end import End
from tests.lab.sidebyside import PATIENCE, TEAM, Daemon, fork, wait_for
from tests.netns.anonymous import inside


class Ours:
    """On either datapath. The device outlives its daemon; it goes with its namespace."""

    def __init__(self, end: End, directory: Path, datapath: str) -> None:
        self.end = end
        self.directory = directory
        self.datapath = datapath
        self.config: Mapping[str, Any] = {}
        self.daemons: list[Daemon] = []

    def start(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self._start()
        self.end.up(TEAM)

    def _start(self, *words: str) -> None:
        where = [f"--run-dir={self.directory}", f"--datapath={self.datapath}", "-N", *words]
        with inside(self.end.netns):
            daemon = fork(
                lambda: teamd.main(["teamd", *where, "-c", json.dumps(self.config)]),
                self.directory / f"log{len(self.daemons)}",
            )
        self.daemons.append(daemon)
        wait_for(lambda: daemon.over() or self._answers(), lambda: f"teamd; it says:\n{daemon.log}")
        assert not daemon.over(), daemon.log

    def _answers(self) -> bool:
        with suppress(ClientError):
            return self.item("setup.pid") == str(self.daemons[-1].pid)
        return False

    def restart(self) -> None:
        """As a unit file does it: leave everything as it is, and take it over."""
        assert self.daemons[-1].end() == 0, self.daemons[-1].log
        self._start("-o")

    def crash(self) -> None:
        self.daemons[-1].end(signal.SIGKILL)
        self._start()

    def close(self) -> None:
        for daemon in self.daemons:
            if not daemon.over():
                daemon.end(signal.SIGKILL)

    # What it says.

    def item(self, path: str) -> str:
        with Client(TEAM, str(self.directory), timeout=PATIENCE) as client:
            return client.state_item_get(path)

    def ports(self) -> Mapping[str, Any]:
        """What the runner says of each port."""
        with Client(TEAM, str(self.directory), timeout=PATIENCE) as client:
            state = json.loads(client.state_dump())
        return {name: port["runner"] for name, port in state["ports"].items()}

    def in_use(self) -> set[str]:
        return {name for name, port in self.ports().items() if port["distributing"]}

    def why(self) -> str:
        """For a message: why ports are not in use."""
        return ", ".join(f"{name}: {port['why_not'] or 'in use'}" for name, port in self.ports().items())
