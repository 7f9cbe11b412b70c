"""The life of a daemon: background, pid file, device, loop, and a clean end of all of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyteam
from pyteam.config import Document, TeamConfig
from pyteam.control.protocol import run_directory, socket_path
from pyteam.control.usock import Server
from pyteam.daemon import background, device, logs, pidfile, tipc
from pyteam.daemon.arguments import LOG_OUTPUTS, Arguments
from pyteam.daemon.background import Foreground
from pyteam.daemon.core import DaemonCore
from pyteam.daemon.hashfile import choose_datapath, read_files
from pyteam.daemon.memory import MemoryFile
from pyteam.daemon.reload import Reloader, balances
from pyteam.daemon.service import TeamService
from pyteam.datapath.interface import Datapath
from pyteam.engine.team import Team
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)

LOG_OUTPUT_VARIABLE: Final = "TEAM_LOG_OUTPUT"
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


class StartError(PyteamError, OSError):
    """The team cannot be as it is configured; the reason was logged already."""

    def __str__(self) -> str:
        return os.strerror(self.errno or 0)


class RunDirectoryError(PyteamError, OSError):
    """The directory for pid file and socket cannot be made."""

    def __str__(self) -> str:
        return f"run directory {self.filename}: {self.strerror}"


def pid_path(arguments: Arguments, name: str) -> str:
    """Where the pid file of the team device ``name`` is."""
    return arguments.pid_file or os.path.join(run_directory(arguments.run_dir), f"{name}.pid")


def run(program: str, arguments: Arguments, document: Document) -> int:
    """Run the team until it is told to stop. Returns the exit code; raises what went wrong before.

    With -d this returns only in the background; the process that called it has exited by then.
    """
    # Whatever the configuration asks for that cannot be had is refused here, before anything is touched.
    team = read_files(document.team)
    Team(team, 1)
    tipc.require(team)
    choice = choose_datapath(team, arguments.datapath or team.datapath)
    document = document.with_device(document.team.device or device.free_name()).with_defaults()
    name = document.team.device
    directory = run_directory(arguments.run_dir)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(error.errno, error.strerror, directory) from error
    pid_file = os.path.abspath(pid_path(arguments, name))
    socket_file = os.path.abspath(socket_path(name, arguments.run_dir))
    pid = pidfile.running(pid_file)
    if pid:
        raise pidfile.RunningError(pid)

    foreground = background.detach() if arguments.daemonize else Foreground()
    # Until the loop listens to them: nothing is to be left half-made.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ENDING, signal.SIGHUP})
    debug_level = max(arguments.debug, document.team.debug_level)
    logs.start(_log_output(arguments), f"{program}_{name}", debug_level)
    foreground.listen()
    life = _Life(
        arguments,
        document,
        replace(document.team, runner=team.runner),
        choice,
        pid_file,
        socket_file if arguments.usock else "",
        debug_level,
        foreground,
    )
    try:
        pidfile.write(pid_file)
        try:
            asyncio.run(life.live())
        finally:
            pidfile.remove(pid_file)
    except (PyteamError, OSError) as error:
        log.error("Failed: %s", error)
    except Exception as error:
        # A defect of ours: whoever reports it needs to know where.
        log.exception("Failed: %s", error)
    else:
        return 0
    return 2 if life.started else 1


def _log_output(arguments: Arguments) -> str:
    output = arguments.log_output or os.environ.get(LOG_OUTPUT_VARIABLE, "")
    if output in LOG_OUTPUTS:
        return output
    return "syslog" if arguments.daemonize else "stderr"


class _Life:
    """From the creation of the device to its end."""

    def __init__(
        self,
        arguments: Arguments,
        document: Document,
        team: TeamConfig,
        choice: str,
        pid_file: str,
        socket_file: str,
        debug_level: int,
        foreground: Foreground,
    ) -> None:
        self._arguments = arguments
        self._document = document
        self._team = team
        self._choice = choice
        self._pid_file = pid_file
        self._socket_file = socket_file
        self._memory_path = Path(run_directory(arguments.run_dir), f"{team.device}.memory")
        self._debug_level = debug_level
        self._foreground = foreground
        self._over = asyncio.Event()
        self._removed = False
        self._core: DaemonCore | None = None
        self._reload_is_due = False
        self.started = False

    async def live(self) -> None:
        """Raises what kept the team from starting, or from ending in order."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_callback_failed)

        def told_to_stop(_number: int, _frame: object) -> None:
            # Once is enough. With the loop's own handlers, who goes on telling it keeps it from listening.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            loop.call_soon_threadsafe(self._told_to_stop)

        def told_to_reload(_number: int, _frame: object) -> None:
            # Asked a hundred times, one answer is enough.
            if not self._reload_is_due:
                self._reload_is_due = True
                loop.call_soon_threadsafe(self._told_to_reload)

        for number in _ENDING:
            signal.signal(number, told_to_stop)
        signal.signal(signal.SIGHUP, told_to_reload)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        try:
            datapath, adopted = device.open_datapath(
                self._team.device, self._arguments, self._choice, balances(self._team)
            )
            try:
                await self._serve(loop, datapath, adopted)
            finally:
                self._let_go(datapath, adopted)
        finally:
            # The loop is about to close, and the pid file is still there.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)

    async def _serve(self, loop: asyncio.AbstractEventLoop, datapath: Datapath, adopted: bool) -> None:
        memory = MemoryFile(self._memory_path, datapath.ifindex)
        service = TeamService(
            self._team,
            datapath,
            adopted=adopted,
            add_ports=not self._arguments.no_ports,
            on_removed=self._team_is_gone,
            keeper=memory,
        )
        core = DaemonCore(
            self._document,
            service,
            datapath,
            daemonized=self._arguments.daemonize,
            pid_file=self._pid_file,
            debug_level=self._debug_level,
            reloader=Reloader(self._arguments, self._document, datapath.kind),
        )
        server = Server(self._socket_file, core)
        try:
            service.start(loop)
            hindrances = service.hindrances()
            if hindrances:
                raise StartError(hindrances[0], "the team cannot be as it is configured")
            core.current_document()
            self._core = core
            # Last: whoever waits for the socket finds a team that works.
            if self._socket_file:
                server.start(loop)
            self.started = True
            log.info("%s successfully started.", pyteam.__version__)
            # What lives as long as the daemon is not searched for garbage: 5 ms, some time, of a cut.
            gc.freeze()
            gc.enable()
            self._foreground.ready()
            await self._over.wait()
            log.info("Exiting...")
        finally:
            self._core = None
            server.close()
            ends = self._ends(adopted)
            service.stop(farewell=ends)
            if ends:
                memory.forget()

    def _ends(self, adopted: bool) -> bool:
        """Whether the device is ours to destroy."""
        keep = self._arguments.no_quit_destroy if self.started else adopted
        return self._removed or not keep

    def _let_go(self, datapath: Datapath, adopted: bool) -> None:
        if self._ends(adopted):
            datapath.destroy()
        elif self.started or self._arguments.take_over:
            datapath.close()
        # Else the next start is to find an orphan, as this one did, and not a device left on purpose.

    def _team_is_gone(self) -> None:
        self._removed = True
        self._over.set()

    def _told_to_reload(self) -> None:
        self._reload_is_due = False
        if self._core is not None and not self._over.is_set():
            log.info("Got SIGHUP.")
            self._core.reload()

    def _told_to_stop(self) -> None:
        if not self._over.is_set():
            log.info("Got SIGINT, SIGQUIT or SIGTERM.")
            self._over.set()


def _callback_failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("Loop callback failed with: %s", error or context["message"], exc_info=error)
