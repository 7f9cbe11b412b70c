"""Many teams in one process: one of each configuration in a directory. Knows no signal.

A file is a team; the device is named by ``device``, or after the file. One that is broken, or whose team
cannot be, stops no other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pyteam.config import ConfigError, Document
from pyteam.daemon import logs, pidfile
from pyteam.daemon.arguments import Arguments, UsageError
from pyteam.daemon.life import Life, Prepared, prepare
from pyteam.daemon.service import LOOK_INTERVAL, RECOVERY
from pyteam.datapath.hub import LinkHub
from pyteam.engine.snapshot import TeamSnapshot
from pyteam.errors import PyteamError
from pyteam.netlink.rtnl import NetlinkError

log = logging.getLogger(__name__)

_PATTERN: Final = "*.conf"


@dataclass
class _Team:
    """One file, and the team that is run by it."""

    #: None: the file is broken, or its team could not be or ended.
    life: Life | None = None
    task: asyncio.Task[None] | None = None
    #: When it works, or is not going to.
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    #: In which all is done that concerns it.
    context: Context = field(default_factory=copy_context)


class Teams:
    """The teams of the files in a directory."""

    def __init__(
        self, arguments: Arguments, directory: str, on_changed: Callable[[], None] | None = None
    ) -> None:
        self._arguments = arguments
        self._on_changed = on_changed
        self._directory = Path(directory)
        self._teams: dict[Path, _Team] = {}
        self._news = asyncio.Event()
        self._over = False
        self._succeeded = False
        #: Whether any team ended otherwise than in order.
        self.failed = False

    def look(self) -> None:
        """Raises `UsageError` for a directory that cannot be read."""
        try:
            os.listdir(self._directory)
        except OSError as error:
            raise UsageError(f"--config-dir {self._directory}: {error.strerror}") from error

    async def live(self, ready: Callable[[], None], wait: Callable[[], None]) -> None:
        """``ready`` is called when all teams work that can; ``wait`` now and then until it is."""
        _allow_files()
        loop = asyncio.get_running_loop()
        self._hub = LinkHub()
        loop.add_reader(self._hub.fileno(), self._hear)
        looking = asyncio.create_task(self._look())
        try:
            await self._live(ready, wait)
        finally:
            looking.cancel()
            loop.remove_reader(self._hub.fileno())
            self._hub.close()

    def _hear(self) -> None:
        try:
            self._hub.pump()
        except Exception as error:
            # What cannot be read stays readable: let it rest for a moment.
            log.error("Loop callback failed with: %s (next try in %g s)", error, RECOVERY, exc_info=True)
            loop, fd = asyncio.get_running_loop(), self._hub.fileno()
            loop.remove_reader(fd)
            loop.call_later(RECOVERY, lambda: self._over or loop.add_reader(fd, self._hear))

    async def _look(self) -> None:
        """At every interface now and then, once for all teams."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            try:
                self._hub.look()
            except NetlinkError as error:
                log.error("Failed to look at all interfaces: %s", error)

    async def _live(self, ready: Callable[[], None], wait: Callable[[], None]) -> None:
        await self._follow(wait)
        running = sum(team.life is not None for team in self._teams.values())
        log.info("%d of %d teams started.", running, len(self._teams))
        if self._teams and not running and not self._over:
            raise UsageError(f"none of the teams of {self._directory} could be started")
        ready()
        while not self._over:
            await self._news.wait()
            self._news.clear()
            if not self._over:
                await self._follow(lambda: None)
        for team in self._teams.values():
            if team.life is not None:
                team.life.stop(self._succeeded)
        await asyncio.gather(*(team.task for team in self._teams.values() if team.task is not None))

    def snapshots(self) -> dict[str, TeamSnapshot | None]:
        """By device or, where there is none, by file; None: it does not run."""
        return {
            team.life.name if team.life else file.name: team.life.snapshot() if team.life else None
            for file, team in self._teams.items()
        }

    def stop(self, succeeded: bool = False) -> None:
        """End them all in order; ``succeeded`` as for one."""
        self._over, self._succeeded = True, succeeded
        self._news.set()

    def reload(self) -> None:
        """Files may have come, gone or changed."""
        self._news.set()

    async def _follow(self, wait: Callable[[], None]) -> None:
        """What the directory says now."""
        try:
            names = {self._directory / name for name in os.listdir(self._directory)}
        except OSError as error:
            log.error("Failed to read %s: %s; nothing was changed.", error.filename, error.strerror)
            return
        files = sorted(file for file in names if file.match(_PATTERN) and not file.name.startswith("."))
        gone = [self._teams.pop(file) for file in self._teams.keys() - set(files)]
        for team in gone:
            if team.life is not None:
                team.life.stop()
        await asyncio.gather(*(team.task for team in gone if team.task is not None))
        for file in files:
            if self._over:
                return
            known = self._teams.get(file)
            try:
                if known is None or known.life is None:
                    await self._start(file)
                    wait()
                else:
                    known.context.run(known.life.reload)
            except Exception as error:
                # A defect, or a device that went away just now: the others are not to suffer.
                log.exception("%s: Failed: %s", file, error)

    async def _start(self, file: Path) -> None:
        team = self._teams[file] = _Team()
        try:
            prepared = self._prepared(file, file.read_bytes())
            name = prepared.team.device
            pid_file = os.path.abspath(pidfile.path_of(self._arguments.run_dir, name))
            pid = pidfile.running(pid_file)
            if pid:
                raise pidfile.RunningError(pid)
        except ConfigError as error:
            for problem in (*error.warnings, *error.problems):
                log.error("%s", problem)
            return
        except (PyteamError, OSError) as error:
            log.error("%s: %s", file, error)
            return
        debug_level = max(self._arguments.debug, prepared.team.debug_level)
        if debug_level:
            # There is one log: what one team wants to be told, all are asked for.
            logs.set_debug_level(debug_level)
        team.life = Life(
            self._arguments,
            prepared,
            file=str(file),
            pid_file=pid_file,
            debug_level=debug_level,
            hub=self._hub,
            on_changed=self._on_changed,
        )
        # All that the team is about to do, and ask the loop to call, is logged under its name.
        team.context.run(logs.team.set, name)
        team.task = asyncio.create_task(self._run(team, team.life, pid_file), context=team.context)
        await team.settled.wait()

    def _prepared(self, file: Path, text: bytes) -> Prepared:
        document = Document.parse(text, source=str(file))
        for warning in document.warnings:
            log.warning("%s", warning)
        if not document.team.device:
            document = document.with_device(file.stem)
        name = document.team.device
        for other, team in self._teams.items():
            if team.life is not None and team.life.name == name:
                raise ConfigError([f"{file}: device: {name} is the team of {other} already."])
        return prepare(self._arguments, document)

    async def _run(self, team: _Team, life: Life, pid_file: str) -> None:
        try:
            pidfile.write(pid_file)
            try:
                await life.live(team.settled.set)
            finally:
                pidfile.remove(pid_file)
        except (PyteamError, OSError) as error:
            log.error("Failed: %s", error)
            self.failed = self.failed or life.started
        except Exception as error:
            # A defect of ours: whoever reports it needs to know where.
            log.exception("Failed: %s", error)
            self.failed = self.failed or life.started
        finally:
            team.life = None
            team.settled.set()


def _allow_files() -> None:
    """A team has some twenty files open; what is allowed by default is for a user's programs."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where nothing is to be raised, asking may be forbidden.
    if allowed != most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
