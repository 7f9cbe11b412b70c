"""Another configuration for a team that runs: where it is, whether this team can become it, what differs.

Changes nothing, and knows neither the engine nor a transport.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pyteam.config import ConfigError, Document, LoadBalanceRunner, TeamConfig
from pyteam.daemon import tipc
from pyteam.daemon.arguments import Arguments
from pyteam.daemon.hashfile import choose_datapath, read_files

_INTERRUPTS: Final = " (the ports leave and join again: no traffic meanwhile)"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a team is to become."""

    #: What was loaded, without what is beside it.
    loaded: Document
    #: What takes the place of the live configuration.
    document: Document
    #: For the engine: that of ``loaded``, with the content of files.
    team: TeamConfig
    #: What differs from the live configuration, a line each.
    changes: tuple[str, ...]


class Reloader:
    """Of one team. ``loaded`` is the configuration that it was given last, at the start or since."""

    def __init__(
        self, arguments: Arguments, loaded: Document, datapath: str, file: str | None = None
    ) -> None:
        """``datapath``: the kind that moves the packets; ``file``: to be read again, if there is one."""
        self._arguments = arguments
        self._datapath = datapath
        self._file = file
        self.loaded = loaded

    def read(self) -> Document:
        """The file as it is now. Raises `ConfigError`."""
        if self._file is None:
            text = "teamd was started without -f FILE: there is no file to read again (config replace FILE)."
            raise ConfigError([text])
        return load(self._file)

    def plan(self, found: Document, live: Document, members: Iterable[str]) -> Plan:
        """``members``: names of ports that got the implicit watch, if they needed it.

        Raises `ConfigError` with every reason why the team cannot become it.
        """
        problems: list[str] = []
        document = self._named(found, live.team.device, problems).with_defaults()
        team = self._readable(document.team, problems)
        if problems:
            raise ConfigError(problems, found.warnings)
        whole = document.with_ports_beside(self.loaded, live)
        for name in members:
            if name in whole.team.ports:
                whole = whole.with_implicit_link_watch(name)
        return Plan(document, whole, team, changes(live, whole))

    def debug_level(self, team: TeamConfig) -> int:
        return max(self._arguments.debug, team.debug_level)

    def _named(self, found: Document, name: str, problems: list[str]) -> Document:
        wanted = found.team.device
        if wanted and wanted != name and self._arguments.team_device is None:
            problems.append(f"device: a team that runs cannot be renamed: it is {name}, not {wanted}.")
        try:
            return found.with_device(name)
        except ConfigError as error:
            problems += error.problems
            return found

    def _readable(self, team: TeamConfig, problems: list[str]) -> TeamConfig:
        """With the content of files."""
        try:
            team = read_files(team)
            choice = choose_datapath(team, self._arguments.datapath or team.datapath)
            if choice not in ("auto", self._datapath):
                problems.append(
                    f"datapath: cannot change while the team runs: it is {self._datapath}, not {choice}."
                )
            if balances(team) != balances(self.loaded.team):
                problems.append("runner.rx_balancer: cannot come or go while the team runs: restart teamd.")
            tipc.require(team)
        except ConfigError as error:
            problems += error.problems
        except tipc.TipcError as error:
            problems.append(f"{error}.")
        return team


def load(file: str) -> Document:
    """Read and parsed. Raises `ConfigError`."""
    try:
        with open(file, "rb") as opened:
            text = opened.read()
    except OSError as error:
        raise ConfigError([f"cannot read {file}: {error.strerror}"]) from error
    return Document.parse(text, source=file)


def changes(live: Document, other: Document) -> tuple[str, ...]:
    """What a team notices when the one takes the place of the other."""
    lines = live.changes_to(other)
    name = ("runner", "name")
    if name in lines:
        lines[name] += _INTERRUPTS
    return tuple(lines.values())


def balances(team: TeamConfig) -> bool:
    """Whether it spreads what comes in."""
    return isinstance(team.runner, LoadBalanceRunner) and team.runner.rx_balancer.name is not None
