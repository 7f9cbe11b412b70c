"""A daemon as a process: background, log, pid file, signals, loop, and a clean end of all of them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final

from pyteam.config import Document
from pyteam.control.protocol import run_directory
from pyteam.daemon import background, logs, pidfile, signals
from pyteam.daemon.arguments import LOG_OUTPUTS, Arguments
from pyteam.daemon.background import Foreground
from pyteam.daemon.life import Life, prepare
from pyteam.daemon.manager import Manager
from pyteam.daemon.state import status_line, status_of_all
from pyteam.datapath.ebpf import held
from pyteam.errors import PyteamError

if TYPE_CHECKING:
    from pyteam.daemon.teams import Teams

log = logging.getLogger(__name__)

LOG_OUTPUT_VARIABLE: Final = "TEAM_LOG_OUTPUT"


class RunDirectoryError(PyteamError, OSError):
    """The directory for pid file and socket cannot be made."""

    def __str__(self) -> str:
        return f"run directory {self.filename}: {self.strerror}"


def run(program: str, arguments: Arguments, document: Document) -> int:
    """Run the team until it is told to stop. Returns the exit code; raises what went wrong before.

    With -d this returns only in the background; the process that called it has exited by then.
    """
    prepared = prepare(arguments, document)
    name = prepared.team.device
    pid_file = _pid_file(arguments, name)
    manager = Manager.of(os.environ)
    foreground = _detach(arguments)
    debug_level = max(arguments.debug, prepared.team.debug_level)
    logs.start(_log_output(arguments), f"{program}_{name}", debug_level)
    foreground.listen()
    file = arguments.config_file if arguments.config_text is None else None
    life = Life(
        arguments,
        prepared,
        file=file,
        pid_file=pid_file,
        debug_level=debug_level,
        on_changed=manager.status_changed if manager.exists else None,
    )

    def status() -> str:
        team = life.snapshot()
        return "" if team is None else status_line(team)

    async def live() -> None:
        def ready() -> None:
            _settle(manager, status)
            foreground.ready()

        with _listening(manager, life):
            await life.live(ready)

    code = _run(live(), pid_file, manager)
    return 2 if code and life.started else code


def run_teams(program: str, arguments: Arguments, directory: str) -> int:
    """Run the teams of all configurations of a directory; as `run`."""
    # For one team this is not needed.
    from pyteam.daemon.teams import Teams

    pid_file = _pid_file(arguments, pidfile.OF_TEAMS)
    manager = Manager.of(os.environ)
    teams = Teams(arguments, directory, manager.status_changed if manager.exists else None)
    teams.look()
    foreground = _detach(arguments)
    logs.start(_log_output(arguments), program, arguments.debug)
    foreground.listen()

    async def live() -> None:
        def ready() -> None:
            _settle(manager, lambda: status_of_all(teams.snapshots()))
            foreground.ready()

        with _listening(manager, teams):
            await teams.live(ready, foreground.wait)

    return _run(live(), pid_file, manager) or 2 * teams.failed


def _settle(manager: Manager, status: Callable[[], str]) -> None:
    """All works that can."""
    # What lives as long as the daemon is not searched for garbage: 5 ms, some time, of a cut.
    gc.freeze()
    gc.enable()
    held.dismiss()
    held.watch(manager.objects_changed)
    manager.start(asyncio.get_running_loop(), status, held.everything)


@contextlib.contextmanager
def _listening(manager: Manager, living: Life | Teams) -> Iterator[None]:
    """To signals, for those who live."""

    def stop(succeeded: bool) -> None:
        log.info("Got SIGUSR1: a successor goes on." if succeeded else "Got SIGINT, SIGQUIT or SIGTERM.")
        manager.stop()
        living.stop(succeeded)

    def reload() -> None:
        log.info("Got SIGHUP.")
        manager.reloading()
        try:
            living.reload()
        finally:
            manager.reloaded()

    try:
        with signals.listening(stop, reload):
            yield
    finally:
        manager.stop()


def _pid_file(arguments: Arguments, name: str) -> str:
    """Absolute, in a directory that exists. Raises `RunDirectoryError`, or `RunningError`."""
    directory = run_directory(arguments.run_dir)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(error.errno, error.strerror, directory) from error
    path = os.path.abspath(arguments.pid_file or pidfile.path_of(arguments.run_dir, name))
    pid = pidfile.running(path)
    if pid:
        raise pidfile.RunningError(pid)
    return path


def _detach(arguments: Arguments) -> Foreground:
    foreground = background.detach() if arguments.daemonize else Foreground()
    # Until the loop listens to them: nothing is to be left half-made.
    signals.block()
    return foreground


def _run(live: Coroutine[Any, Any, None], pid_file: str, manager: Manager) -> int:
    """0, or 1 when something went wrong; it is in the log."""

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(_callback_failed)
        await live

    try:
        if manager.kept:
            from pyteam.datapath.ebpf import libbpf

            libbpf.accept(manager.kept)
        pidfile.write(pid_file)
        try:
            asyncio.run(main())
        finally:
            pidfile.remove(pid_file)
    except (PyteamError, OSError) as error:
        log.error("Failed: %s", error)
    except Exception as error:
        # A defect of ours: whoever reports it needs to know where.
        log.exception("Failed: %s", error)
    else:
        return 0
    finally:
        live.close()
    return 1


def _log_output(arguments: Arguments) -> str:
    output = arguments.log_output or os.environ.get(LOG_OUTPUT_VARIABLE, "")
    if output in LOG_OUTPUTS:
        return output
    return "syslog" if arguments.daemonize else "stderr"


def _callback_failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("Loop callback failed with: %s", error or context["message"], exc_info=error)
