"""teamd: the command. Reads the command line and the configuration, then runs one team."""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import pyteam
from pyteam.cli import terminal
from pyteam.config import ConfigError, Document, extensions, json_schema
from pyteam.daemon import logs, pidfile
from pyteam.daemon.arguments import Arguments, UsageError, help_text, parse
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run with these words (default: the process's). Returns the exit code: 0, 1 or 2 (docs/teamd.md)."""
    words = sys.argv if argv is None else argv
    program = os.path.basename(words[0])
    if words[1:2] == [terminal.ASK]:
        from pyteam.cli import completion

        return completion.main("teamd", words[2:])
    # Whatever goes wrong before the daemon has its own log belongs on the terminal.
    logs.start("stderr", program)
    # Nothing is garbage yet, and looking for it takes a tenth of the time until the first answer.
    gc.disable()
    try:
        return _run(program, parse(words[1:]))
    except ConfigError as error:
        for warning in error.warnings:
            log.warning("%s", warning)
        for problem in error.problems:
            log.error("%s", problem)
        log.error("Failed to load config.")
    except UsageError as error:
        log.error("%s", error)
    except (PyteamError, OSError) as error:
        log.error("Failed: %s", error)
    finally:
        gc.enable()
    return 1


def _run(program: str, arguments: Arguments) -> int:
    match arguments.command:
        case "help":
            from pyteam.engine.runners import RUNNERS

            print(help_text(program, [*RUNNERS, *extensions.names(extensions.RUNNERS)]))
            return 0
        case "schema":
            extensions.load_all()
            print(json.dumps(json_schema(), indent=2))
            return 0
        case "version":
            print(f"{program} {pyteam.__version__}")
            return 0
    for warning in arguments.warnings:
        log.warning("%s", warning)
    if arguments.config_dir is not None:
        return _run_teams(program, arguments, arguments.config_dir)
    document = _load(arguments)
    if arguments.team_device is not None:
        document = document.with_device(arguments.team_device)
    match arguments.command:
        case "check-config":
            return _check(arguments, document)
        case "kill" | "check":
            if arguments.pid_file is None and not document.team.device:
                raise UsageError("Team device name not specified.")
            name = document.team.device
            return _signal(arguments, arguments.pid_file or pidfile.path_of(arguments.run_dir, name))
    from pyteam.daemon.run import run

    for warning in document.warnings:
        log.warning("%s", warning)
    return run(program, arguments, document)


def _run_teams(program: str, arguments: Arguments, directory: str) -> int:
    """The same for the teams of a directory."""
    from pyteam.daemon.run import run_teams

    match arguments.command:
        case "check-config":
            return _check_all(arguments, directory)
        case "kill" | "check":
            return _signal(
                arguments, arguments.pid_file or pidfile.path_of(arguments.run_dir, pidfile.OF_TEAMS)
            )
    return run_teams(program, arguments, directory)


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


def _check(arguments: Arguments, document: Document) -> int:
    """--check-config: what a start would say, without the network."""
    from pyteam.daemon.hashfile import read_files
    from pyteam.engine.team import Team

    if arguments.config_text is None and arguments.config_file is None:
        raise UsageError("--check-config: nothing to check, give -f FILE or -c TEXT")
    for warning in document.warnings:
        log.warning("%s", warning)
    if document.team.device:
        document.with_device(document.team.device)
    Team(read_files(document.team), 1)
    return 0


def _check_all(arguments: Arguments, directory: str) -> int:
    """All files are checked, whatever is wrong with one."""
    code = 0
    for file in sorted(Path(directory).glob("*.conf")):
        try:
            one = replace(arguments, config_file=str(file))
            _check(one, _load(one))
        except ConfigError as error:
            for line in (*error.warnings, *error.problems):
                log.error("%s", line)
            code = 1
        except (PyteamError, OSError) as error:
            log.error("%s: %s", file, error)
            code = 1
    return code


def _signal(arguments: Arguments, pid_file: str) -> int:
    """-k and -e: for a daemon that runs already."""
    pid = pidfile.running(pid_file)
    if arguments.command == "check":
        return 0 if pid else 1
    if not pid:
        log.error("Daemon not running")
        return 1
    many = arguments.config_dir is not None
    if pidfile.runs_many(pid) and not many:
        log.error(
            "Process %d runs many teams: to end one, take its file away and send SIGHUP; "
            "to end all: teamd --config-dir DIR -k",
            pid,
        )
        return 1
    patience = pidfile.KILL_PATIENCE_OF_TEAMS if many else pidfile.KILL_PATIENCE
    if not pidfile.kill(pid, patience):
        log.error("Failed to kill daemon: process %d runs after %.0f s still", pid, patience)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
