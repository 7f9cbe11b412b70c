"""What the commands of pyteam take, in one form: their tables as the manual and completion read them.

Owns nothing but that form: options and commands stand where they are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pyteam.cli.terminal import Option


class Command(NamedTuple):
    words: tuple[str, ...]
    parameters: tuple[str, ...]
    help: str


class Program(NamedTuple):
    options: tuple[Option, ...]
    #: Empty: it takes no commands.
    commands: tuple[Command, ...] = ()
    #: Name of what stands before the command; empty: nothing does.
    subject: str = ""


def _teamd() -> Program:
    from pyteam.daemon import arguments

    return Program(tuple(Option(row.short, row.long, row.metavar, row.meaning) for row in arguments.TABLE))


def _teamdctl() -> Program:
    from pyteam.cli import teamdctl

    commands = (Command(row.words, row.parameters, row.help) for row in teamdctl.COMMANDS)
    return Program(teamdctl.OPTIONS, tuple(commands), "TEAM")


def _teamnl() -> Program:
    from pyteam.cli import teamnl

    commands = (Command((row.name,), tuple(row.parameters.split()), row.help) for row in teamnl.COMMANDS)
    return Program(teamnl.OPTIONS, tuple(commands), "TEAM")


def _bond2team() -> Program:
    from pyteam.cli import bond2team

    return Program(bond2team.OPTIONS)


def _team2bond() -> Program:
    from pyteam.cli import convert

    return Program(convert.TEAM2BOND, subject="FILE")


def _pyteam() -> Program:
    from pyteam.cli import convert, pyteam

    commands = (Command((name,), ("FILE",), row.help) for name, row in pyteam.COMMANDS.items())
    return Program(convert.CONVERT, tuple(commands))


#: Each imports what it shows: only one is needed at a time.
PROGRAMS: Final[Mapping[str, Callable[[], Program]]] = {
    "teamd": _teamd,
    "teamdctl": _teamdctl,
    "teamnl": _teamnl,
    "bond2team": _bond2team,
    "team2bond": _team2bond,
    "pyteam": _pyteam,
}
