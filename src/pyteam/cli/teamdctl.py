"""``teamdctl``: one question to, or one order for, a running teamd.

Owns the command line, the texts on the terminal and the exit codes, all of them the original's;
what travels is `pyteam.client`'s. The whole process is to end within a blink, so nothing heavier
than the standard library's lightest modules may be imported here.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final, NamedTuple

from pyteam.cli import lacpview, terminal
from pyteam.cli.stateview import render
from pyteam.cli.terminal import Failure, Option
from pyteam.cli.transports import Daemon, Place, connect, explain
from pyteam.client import Client, ClientError
from pyteam.control.protocol import run_directory

Arguments = Sequence[str]


class Options:
    """What the options said."""

    def __init__(self) -> None:
        self.help = False
        self.verbosity = 0
        self.one_line = False
        self.json = False
        self.list = False
        self.run_dir: str | None = None
        #: Letters of the transports that were asked for.
        self.forced: list[str] = []
        self.zmq_address = ""


OPTIONS: Final = (
    Option("h", "help", "", "Print this help"),
    Option("v", "verbose", "", "Show more in the state view; may be repeated"),
    Option("o", "oneline", "", "Print JSON on one line"),
    Option("j", "json", "", "Print JSON where there is text for people, too"),
    Option("D", "force-dbus", "", "Use D-Bus and nothing else"),
    Option("Z", "force-zmq", "ADDRESS", "Use ZeroMQ at this address and nothing else"),
    Option("U", "force-usock", "", "Use the unix socket and nothing else"),
    Option("", "list", "", "Print the teams whose teamd answers, one a line"),
    Option("", "run-dir", "DIR", "Directory of the sockets (TEAMD_RUN_DIR, /var/run/teamd)"),
)
_SOCKET: Final = ".sock"
#: Seconds that a daemon has to show that it lives.
_SOON: Final = 1.0


def _config_dump(client: Daemon, options: Options, _: Arguments) -> str:
    return _json(client.config_dump(), options)


def _config_dump_noports(client: Daemon, options: Options, _: Arguments) -> str:
    config = _parse(client.config_dump())
    config.pop("ports", None)
    return _dumps(config, options)


def _config_dump_actual(client: Daemon, options: Options, _: Arguments) -> str:
    return _json(client.config_dump_actual(), options)


def _config_reload(client: Daemon, _: Options, __: Arguments) -> str:
    return _lines(client.config_reload())


def _config_replace(client: Daemon, _: Options, arguments: Arguments) -> str:
    return _lines(client.config_replace(_read(arguments[0])))


def _config_diff(client: Daemon, _: Options, arguments: Arguments) -> str:
    return _lines(client.config_diff(_read(arguments[0]) if arguments else ""))


def _state_view(client: Daemon, options: Options, _: Arguments) -> str:
    if options.json:
        return _state_dump(client, options, _)
    return render(_parse(client.state_dump()), verbose=options.verbosity > 0)


def _state_dump(client: Daemon, options: Options, _: Arguments) -> str:
    return _json(client.state_dump(), options)


def _state_item_get(client: Daemon, _: Options, arguments: Arguments) -> str:
    return f"{client.state_item_get(*arguments)}\n"


def _state_item_set(client: Daemon, _: Options, arguments: Arguments) -> str:
    client.state_item_set(*arguments)
    return ""


def _lacp(client: Daemon, options: Options, _: Arguments) -> str:
    state = _parse(client.state_dump())
    setup = state.get("setup")
    runner = setup.get("runner_name") if isinstance(setup, dict) else None
    if runner != "lacp":
        raise Failure(f'{client.device}: no LACP: its runner is "{runner}"')
    if options.json:
        return _dumps(lacpview.excerpt(state), options)
    return lacpview.render(client.device, state)


def _port_add(client: Daemon, _: Options, arguments: Arguments) -> str:
    client.port_add(*arguments)
    return ""


def _port_remove(client: Daemon, _: Options, arguments: Arguments) -> str:
    client.port_remove(*arguments)
    return ""


def _port_present(client: Daemon, _: Options, arguments: Arguments) -> str:
    ports = _parse(client.config_dump_actual()).get("ports")
    if not isinstance(ports, dict) or arguments[0] not in ports:
        raise _call_failed(errno.ENODEV)
    return ""


def _port_config_update(client: Daemon, _: Options, arguments: Arguments) -> str:
    client.port_config_update(*arguments)
    return ""


def _port_config_dump(client: Daemon, options: Options, arguments: Arguments) -> str:
    return _json(client.port_config_dump(*arguments), options)


class Command(NamedTuple):
    words: tuple[str, ...]
    parameters: tuple[str, ...]
    run: Callable[[Daemon, Options, Arguments], str]
    #: A phrase without a full stop, for the manual and completion.
    help: str


#: The order decides which command an abbreviation means.
COMMANDS: Final = (
    Command(("config", "dump"), (), _config_dump, "The configuration with its defaults, as JSON"),
    Command(("config", "dump", "noports"), (), _config_dump_noports, "The same without the ports"),
    Command(
        ("config", "dump", "actual"), (), _config_dump_actual, "The same with the ports that there are now"
    ),
    Command(("config", "reload"), (), _config_reload, "Read the file anew; the team keeps running"),
    Command(
        ("config", "replace"),
        ("FILE",),
        _config_replace,
        "Take this configuration instead; the team keeps running",
    ),
    Command(("config", "diff"), (), _config_diff, "What a reload would change"),
    Command(("config", "diff"), ("FILE",), _config_diff, "What this configuration would change"),
    Command(("state",), (), _state_view, "The state, for people; -v shows all of it"),
    Command(("state", "dump"), (), _state_dump, "The state, as JSON"),
    Command(("state", "view"), (), _state_view, "The state, for people; -v shows all of it"),
    Command(("state", "item", "get"), ("ITEMPATH",), _state_item_get, "One value of the state"),
    Command(("state", "item", "set"), ("ITEMPATH", "VALUE"), _state_item_set, "Change a value of the state"),
    Command(("lacp",), (), _lacp, "What LACP makes of each port, and why not"),
    Command(("port", "add"), ("PORTDEV",), _port_add, "Make an interface a port; it must be down"),
    Command(("port", "remove"), ("PORTDEV",), _port_remove, "Release a port"),
    Command(("port", "present"), ("PORTDEV",), _port_present, "Exit with 0 if it is a port, else with 1"),
    Command(
        ("port", "config", "update"),
        ("PORTDEV", "PORTCONFIG"),
        _port_config_update,
        "Replace its configuration (JSON)",
    ),
    Command(("port", "config", "dump"), ("PORTDEV",), _port_config_dump, "Its configuration, as JSON"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 with the reason on stderr. ``argv`` is without the program's name."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == terminal.ASK:
        from pyteam.cli import completion

        return completion.main("teamdctl", words[1:])
    try:
        return terminal.finish(_run(words), help_text)
    except KeyboardInterrupt:
        return 1


def _run(argv: Sequence[str]) -> Iterator[str]:
    """What is to be printed."""
    options, words = parse_options(argv)
    if options.help:
        yield help_text()
        return
    if len(options.forced) > 1:
        one = "Only one interface could be forced at a time (UNIX domain socket, D-Bus, ZMQ)."
        raise Failure(one, show_help=True)
    if options.list:
        yield from _teams(options)
        return
    if not words:
        raise Failure("No team device specified.", show_help=True)
    device = words[0]
    command, arguments = find_command(words[1:])
    try:
        socket.if_nametoindex(device)
    except (OSError, ValueError):
        raise Failure(f'Device "{device}" does not exist') from None
    place = Place(device, options.run_dir, options.zmq_address)
    client, transport = connect(place, "".join(options.forced))
    with closing(client):
        try:
            _check(client, device)
        except ClientError as error:
            explain(transport, error)
            raise Failure(f"teamdctl_connect failed ({os.strerror(error.errno or 0)})") from error
        try:
            yield command.run(client, options, arguments)
        except ClientError as error:
            explain(transport, error)
            raise _call_failed(error.errno) from error


def parse_options(argv: Sequence[str]) -> tuple[Options, list[str]]:
    """What the options said, and the words that are left."""
    found, words = terminal.read_options("teamdctl", OPTIONS, argv)
    options = Options()
    for option, value in found:
        match option.name:
            case "help":
                options.help = True
            case "verbose":
                options.verbosity += 1
            case "list":
                options.list = True
            case "oneline":
                options.one_line = True
            case "json":
                options.json = True
            case "run-dir":
                options.run_dir = value
            case _:
                if option.letter not in options.forced:
                    options.forced.append(option.letter)
                options.zmq_address = value or options.zmq_address
    return options, words


def find_command(words: Sequence[str]) -> tuple[Command, Arguments]:
    """The command that the words begin with, each a prefix of the table's, and its arguments.

    A command with fewer parameters than words left is but a step on the way to a longer one.
    """
    path: tuple[str, ...] = ()
    while True:
        depth = len(path)
        rest = words[depth:]
        for command in COMMANDS:
            if command.words == path and len(rest) <= len(command.parameters):
                if len(rest) < len(command.parameters):
                    missing = command.parameters[len(rest)]
                    raise Failure(f'Command line parameter "{missing}" expected.', show_help=True)
                return command, rest
        if not rest:
            raise Failure("None or incomplete command", show_help=True)
        for command in COMMANDS:
            if command.words[:depth] == path and len(command.words) > depth:
                word = command.words[depth]
                if word.startswith(rest[0]):
                    path = (*path, word)
                    break
        else:
            raise Failure(f'Unknown command "{rest[0]}".', show_help=True)


def help_text() -> str:
    """Options and commands, from their tables."""
    commands = (" ".join((*command.words, *command.parameters)) for command in COMMANDS)
    return terminal.help_text("teamdctl", OPTIONS, commands)


def _teams(options: Options) -> Iterator[str]:
    directory = run_directory(options.run_dir)
    try:
        files = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise Failure(f"cannot read {directory}: {error.strerror}") from error
    for name in (file.removesuffix(_SOCKET) for file in files if file.endswith(_SOCKET)):
        try:
            with Client(name, options.run_dir, timeout=_SOON) as client:
                client.config_dump()
        except ClientError:
            # Left by one that died, or stopped: it does not answer.
            continue
        yield f"{name}\n"


def _check(client: Daemon, device: str) -> None:
    """That it is the daemon of this device: a renamed one answers under its old name."""
    controlled = _parse(client.config_dump()).get("device")
    if not isinstance(controlled, str):
        raise Failure("Failed to parse device name from config.")
    if controlled != device:
        raise Failure(
            f"Unable to access to {device} through connected teamd daemon because it controls {controlled}."
        )


def _read(file: str) -> str:
    """A configuration; ``-`` is stdin."""
    try:
        if file == "-":
            return sys.stdin.read()
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"cannot read {file}: not UTF-8 (byte {error.start})") from error


def _lines(text: str) -> str:
    return f"{text}\n" if text else ""


def _call_failed(number: int | None) -> Failure:
    return Failure(f"command call failed ({os.strerror(number or 0)})")


def _parse(text: str) -> dict[str, object]:
    """A JSON object from teamd."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Failure("Failed to parse JSON dump.")
    return value


def _json(text: str, options: Options) -> str:
    return _dumps(_parse(text), options)


def _dumps(value: dict[str, object], options: Options) -> str:
    return json.dumps(value, indent=None if options.one_line else 4, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.exit(main())
