"""The life of one team: from the creation of its device to its end. Knows no signal and no other team."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyteam
from pyteam.config import Document, TeamConfig
from pyteam.control.protocol import run_directory, socket_path
from pyteam.daemon import device, surfaces, tipc
from pyteam.daemon.arguments import Arguments
from pyteam.daemon.core import DaemonCore
from pyteam.daemon.hashfile import choose_datapath, read_files
from pyteam.daemon.memory import MemoryFile
from pyteam.daemon.reload import Reloader, balances
from pyteam.daemon.service import TeamService
from pyteam.datapath.interface import Datapath
from pyteam.engine.snapshot import TeamSnapshot
from pyteam.engine.team import Team
from pyteam.errors import PyteamError

if TYPE_CHECKING:
    from pyteam.datapath.hub import LinkHub

log = logging.getLogger(__name__)


class StartError(PyteamError, OSError):
    """The team cannot be as it is configured; the reason was logged already."""

    def __str__(self) -> str:
        return os.strerror(self.errno or 0)


class Prepared(NamedTuple):
    """A configuration that was found fit to be run."""

    #: With the name of the device, and the defaults that a dump shows.
    document: Document
    #: With the content of files.
    team: TeamConfig
    #: Which datapath: auto, kernel or ebpf.
    choice: str


def prepare(arguments: Arguments, document: Document) -> Prepared:
    """Whatever cannot be had is refused here, before anything is touched. Raises a `PyteamError`."""
    team = read_files(document.team)
    Team(team, 1)
    tipc.require(team)
    choice = choose_datapath(team, arguments.datapath or team.datapath)
    document = document.with_device(document.team.device or device.free_name()).with_defaults()
    surfaces.require(arguments, document.team.device)
    return Prepared(document, replace(document.team, runner=team.runner), choice)


class Life:
    """Of one team. ``file``: where its configuration is read again; None: there is none.

    ``hub``: what it shares with other teams of this process. ``on_changed`` is called after its
    state has changed.
    """

    def __init__(
        self,
        arguments: Arguments,
        prepared: Prepared,
        *,
        file: str | None,
        pid_file: str,
        debug_level: int,
        hub: LinkHub | None = None,
        on_changed: Callable[[], None] | None = None,
    ) -> None:
        self._arguments = arguments
        self._prepared = prepared
        self._file = file
        self._pid_file = pid_file
        self._debug_level = debug_level
        self._hub = hub
        self._on_changed = on_changed
        self._over = asyncio.Event()
        self._removed = False
        self._succeeded = False
        self._core: DaemonCore | None = None
        self.started = False

    @property
    def name(self) -> str:
        """Of the device."""
        return self._prepared.team.device

    async def live(self, ready: Callable[[], None]) -> None:
        """``ready`` is called when the team works. Raises what kept it from that, or from ending in order."""
        team = self._prepared.team
        datapath, adopted = device.open_datapath(
            self.name, self._arguments, self._prepared.choice, balances(team), self._hub
        )
        try:
            await self._serve(datapath, adopted, ready)
        finally:
            self._let_go(datapath, adopted)

    def snapshot(self) -> TeamSnapshot | None:
        """Its state; None while there is none."""
        return None if self._core is None else self._core.snapshot()

    def stop(self, succeeded: bool = False) -> None:
        """End in order; twice is once. ``succeeded``: as if it had died, for a successor to go on."""
        if not self._over.is_set():
            self._succeeded = succeeded and self.started
            self._over.set()

    def reload(self) -> None:
        """Become what the file says by now; all that there is to say about it goes to the log."""
        if self._core is not None and not self._over.is_set():
            self._core.reload()

    async def _serve(self, datapath: Datapath, adopted: bool, ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        document, team, _ = self._prepared
        memory = MemoryFile(
            Path(run_directory(self._arguments.run_dir), f"{self.name}.memory"), datapath.ifindex
        )
        service = TeamService(
            team,
            datapath,
            adopted=adopted,
            add_ports=not self._arguments.no_ports,
            on_removed=self._team_is_gone,
            keeper=memory,
        )
        core = DaemonCore(
            document,
            service,
            datapath,
            daemonized=self._arguments.daemonize,
            pid_file=self._pid_file,
            debug_level=self._debug_level,
            reloader=Reloader(self._arguments, document, datapath.kind, self._file),
            dbus=self._arguments.dbus,
            zmq=self._arguments.zmq is not None,
        )
        socket_file = os.path.abspath(socket_path(self.name, self._arguments.run_dir))
        ways_in = surfaces.Surfaces(self._arguments, self.name, socket_file, core)
        try:
            service.start(loop)
            hindrances = service.hindrances()
            if hindrances:
                raise StartError(hindrances[0], "the team cannot be as it is configured")
            core.current_document()
            self._core = core
            # Last: whoever waits for the socket, or the bus name, finds a team that works.
            await ways_in.start(loop)
            self.started = True
            log.info("%s successfully started.", pyteam.__version__)
            if self._on_changed is not None:
                core.subscribe(self._tell)
                self._on_changed()
            ready()
            await self._over.wait()
            log.info("Exiting...")
        finally:
            self._core = None
            await ways_in.close()
            ends = self._ends(adopted)
            service.stop(farewell=ends)
            if ends:
                memory.forget()

    def _ends(self, adopted: bool) -> bool:
        """Whether the device is ours to destroy."""
        keep = self._succeeded or (self._arguments.no_quit_destroy if self.started else adopted)
        return self._removed or not keep

    def _let_go(self, datapath: Datapath, adopted: bool) -> None:
        if self._ends(adopted):
            datapath.destroy()
        elif not self._succeeded and (self.started or self._arguments.take_over):
            datapath.close()
        # Else the next start is to find an orphan, as this one may have, and not a device left on purpose.

    def _tell(self, _before: TeamSnapshot, _after: TeamSnapshot) -> None:
        if self._on_changed is not None:
            self._on_changed()

    def _team_is_gone(self) -> None:
        self._removed = True
        self._over.set()
