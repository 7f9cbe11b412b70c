"""The life of a daemon: pid file, background, device, loop, and a clean end of all of them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import pyteam
from pyteam.config import Document
from pyteam.control.protocol import run_directory, socket_path
from pyteam.control.usock import Server
from pyteam.daemon import background, logs, pidfile, start
from pyteam.daemon.arguments import Arguments, UsageError
from pyteam.daemon.background import Word
from pyteam.daemon.core import DaemonCore
from pyteam.daemon.service import TeamService
from pyteam.datapath.interface import Datapath
from pyteam.engine.team import Team
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)


def pid_path(arguments: Arguments, device: str) -> str:
    """Where this team's pid file is."""
    return arguments.pid_file or os.path.join(run_directory(arguments.run_dir), f"{device}.pid")


def run(program: str, arguments: Arguments, document: Document) -> int:
    """Run the team until it is told to stop. Returns the exit code; raises what the terminal should show.

    With -d this returns only in the background, and the process that called has the same exit code.
    """
    # Whatever the configuration asks for that cannot be had is refused here, before anything is touched.
    Team(document.team, 1)
    document = document.with_device(document.team.device or start.free_name()).with_defaults()
    device = document.team.device
    os.makedirs(run_directory(arguments.run_dir), mode=0o755, exist_ok=True)
    pid_file = os.path.abspath(pid_path(arguments, device))
    socket_file = os.path.abspath(socket_path(device, arguments.run_dir))
    pid = pidfile.running(pid_file)
    if pid:
        raise UsageError(f"Daemon already running on PID {pid}.")

    word = background.detach() if arguments.daemonize else Word()
    output = arguments.log_output or os.environ.get("TEAM_LOG_OUTPUT", "")
    if output not in ("stdout", "stderr", "syslog"):
        output = "syslog" if arguments.daemonize else "stderr"
    debug = max(arguments.debug, document.team.debug_level)
    logs.start(output, f"{program}_{device}", debug)
    try:
        pidfile.write(pid_file)
        try:
            _Life(arguments, document, pid_file, socket_file if arguments.usock else "", word).live()
        finally:
            pidfile.remove(pid_file)
    except (PyteamError, OSError) as error:
        log.error("Failed: %s", error)
        word.bad(f"{program}: Failed: {error}")
        return 1
    return 0


class _Life:
    """From the creation of the device to its end."""

    def __init__(
        self, arguments: Arguments, document: Document, pid_file: str, socket_file: str, word: Word
    ) -> None:
        self._arguments = arguments
        self._document = document
        self._pid_file = pid_file
        self._socket_file = socket_file
        self._word = word
        self._over = asyncio.Event()

    def live(self) -> None:
        choice = self._arguments.datapath or self._document.team.datapath
        datapath, adopted = start.open_datapath(self._document.team.device, self._arguments, choice)
        keep = True
        try:
            asyncio.run(self._serve(datapath, adopted))
            keep = self._arguments.no_quit_destroy
        except BaseException:
            # A device that somebody else made, or a predecessor left, is not ours to destroy.
            keep = adopted
            raise
        finally:
            if keep:
                datapath.close()
            else:
                datapath.destroy()

    async def _serve(self, datapath: Datapath, adopted: bool) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            loop.add_signal_handler(number, self._told_to_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: log.debug("Got SIGHUP: ignored."))
        service = TeamService(
            self._document.team,
            datapath,
            adopted=adopted,
            add_ports=not self._arguments.no_ports,
            on_removed=self._over.set,
        )
        core = DaemonCore(
            self._document,
            service,
            datapath,
            daemonized=self._arguments.daemonize,
            pid_file=self._pid_file,
        )
        server = Server(self._socket_file, core)
        try:
            service.start(loop)
            core.write_implicit_link_watches()
            # Last: whoever waits for the socket finds a team that works.
            if self._socket_file:
                server.start(loop)
            log.info("%s successfully started.", pyteam.__version__)
            self._word.good()
            await self._over.wait()
            log.info("Exiting...")
        finally:
            server.close()
            service.stop()

    def _told_to_stop(self) -> None:
        log.info("Got SIGINT, SIGQUIT or SIGTERM.")
        self._over.set()
