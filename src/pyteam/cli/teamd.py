"""teamd: the command. Reads the command line and the configuration, then runs one team."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import pyteam
from pyteam.config import ConfigError, Document
from pyteam.daemon import pidfile
from pyteam.daemon.arguments import Arguments, UsageError, help_text, parse
from pyteam.errors import PyteamError


def main(argv: list[str] | None = None) -> int:
    """Run with these words (default: the process's). Returns the exit code: 0, 1, or 2 (see teamd(8))."""
    words = sys.argv if argv is None else argv
    program = os.path.basename(words[0])
    try:
        return _run(program, parse(words[1:]))
    except ConfigError as error:
        for problem in error.problems:
            _say(program, problem)
        _say(program, "Failed to load config.")
    except UsageError as error:
        _say(program, str(error))
    except (PyteamError, OSError) as error:
        _say(program, f"Failed: {error}")
    return 1


def _run(program: str, arguments: Arguments) -> int:
    match arguments.command:
        case "help":
            from pyteam.engine.runners import RUNNERS

            print(help_text(program, list(RUNNERS)))
            return 0
        case "version":
            print(f"{program} {pyteam.__version__}")
            return 0
    for warning in arguments.warnings:
        _say(program, warning)
    document = _load(arguments)
    if arguments.team_device is not None:
        document = document.with_device(arguments.team_device)
    if arguments.command == "check-config":
        return _check(program, document)
    if arguments.command in ("kill", "check"):
        return _signal(program, arguments, document)
    from pyteam.daemon.run import run

    for warning in document.warnings:
        _say(program, warning)
    return run(program, arguments, document)


def _load(arguments: Arguments) -> Document:
    if arguments.config_text is not None:
        return Document.parse(arguments.config_text, source="command line")
    if arguments.config_file is not None:
        try:
            with open(arguments.config_file, "rb") as file:
                text = file.read()
        except OSError as error:
            raise UsageError(f"cannot read {arguments.config_file}: {error.strerror}") from error
        return Document.parse(text, source=arguments.config_file)
    return Document.parse("{}")


def _check(program: str, document: Document) -> int:
    """--check-config: what a start would say, without the network."""
    from pyteam.engine.team import Team

    for warning in document.warnings:
        _say(program, warning)
    Team(document.team, 1)
    return 0


def _signal(program: str, arguments: Arguments, document: Document) -> int:
    """-k and -e: for a daemon that runs already."""
    from pyteam.daemon.run import pid_path

    if arguments.pid_file is None and not document.team.device:
        raise UsageError("Team device name not specified.")
    pid = pidfile.running(pid_path(arguments, document.team.device))
    if arguments.command == "check":
        return 0 if pid else 1
    if not pid:
        _say(program, "Daemon not running")
        return 1
    if not pidfile.kill(pid):
        _say(program, f"Failed to kill daemon: process {pid} did not end in {pidfile.KILL_PATIENCE:.0f} s")
        return 1
    return 0


def _say(program: str, text: str) -> None:
    print(f"{program}: {text}", file=sys.stderr)


def entry() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    entry()
