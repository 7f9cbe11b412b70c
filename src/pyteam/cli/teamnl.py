"""``teamnl``: look at a team device, and set its options, with or without a daemon.

Owns the command line, its errors and exit codes, all of them the original's, and ``-j``. What a line
looks like is `teamnl_text`'s, where it comes from `teamnl_device`'s.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyteam.cli import teamnl_text as text
from pyteam.cli import terminal
from pyteam.cli.teamnl_device import Device, Refused, open_device
from pyteam.cli.terminal import Failure, Option
from pyteam.libteam import LinkGone, LinkInfo, OptionKey, OptionState, Port, PortState
from pyteam.libteam.watch import Change
from pyteam.options import parse_value, show_value

#: Largest array index that netlink can carry.
INDEX_MAX: Final = 2**32 - 1


@dataclass(slots=True)
class Options:
    """What the options said."""

    help: bool = False
    json: bool = False
    port_name: str = ""
    array_index: str = ""
    run_dir: str | None = None


OPTIONS: Final = (
    Option("h", "help", "", "Print this help"),
    Option("p", "port_name", "PORT", "The port that an option belongs to"),
    Option("a", "array_index", "INDEX", "The index in an option that is an array"),
    Option("j", "json", "", "Print JSON"),
    Option("", "run-dir", "DIR", "Directory of the sockets of teamd (TEAMD_RUN_DIR, /var/run/teamd)"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What a command works on: the device, and which instance of an option is meant."""

    device: Device
    port: int
    index: int
    json: bool
    words: Sequence[str]

    def word(self, at: int, command: str, what: str) -> str:
        """An argument that must be there."""
        if at >= len(self.words):
            expected = f"{command}: Option {what} as a command line parameter expected."
            raise Refused(errno.EINVAL, expected)
        return self.words[at]

    def option(self, name: str) -> OptionState:
        """The instance that is meant. ENOENT: there is none."""
        wanted = OptionKey(name, self.port, self.index)
        for option in self.device.options():
            if option.key == wanted:
                return option
        raise Refused(errno.ENOENT, "")

    def names(self) -> dict[int, str]:
        """Interface names by ifindex."""
        return {link.ifindex: link.name for link in self.device.links()}


Output = Iterable[str]


def _ports(request: Request) -> Output:
    ports = request.device.ports()[::-1]
    if request.json:
        return [_dumps([text.port_object(port) for port in ports])]
    return [text.port_line(port) for port in ports]


def _options(request: Request) -> Output:
    options, names = request.device.options()[::-1], request.names()
    if request.json:
        return [_dumps([text.option_object(option, names) for option in options])]
    return [text.option_line(option, names) for option in options]


def _getoption(request: Request) -> Output:
    value = request.option(request.word(0, "getoption", "name")).value
    return [json.dumps(text.value_object(value)) if request.json else show_value(value)]


def _setoption(request: Request) -> Output:
    name = request.word(0, "setoption", "name")
    value = request.word(1, "setoption", "value")
    option = request.option(name)
    try:
        wanted = option._replace(value=parse_value(value, option.type))
    except OverflowError as error:
        raise Refused(errno.ERANGE, "") from error
    except ValueError as error:
        raise Refused(errno.EINVAL, "") from error
    request.device.write(wanted)
    return []


def _monitor(request: Request) -> Output:
    style = request.words[0] if request.words else "changed"
    if style not in ("all", "changed"):
        raise Refused(errno.EINVAL, f'Unknown monitor style "{style}"')
    return _follow(request, everything=style == "all")


def _follow(request: Request, *, everything: bool) -> Iterator[str]:
    device = request.device
    links = {link.ifindex: link for link in device.links()}
    for changes in device.news():
        before = dict(links)
        for change in changes:
            if isinstance(change, LinkInfo):
                links[change.ifindex] = change
            elif isinstance(change, LinkGone):
                links.pop(change.ifindex, None)
        names = {link.ifindex: link.name for link in (*before.values(), *links.values())}
        if request.json:
            yield from _news_objects(changes, names)
        else:
            yield from _blocks(device, changes, before, links, names, everything)


def _news_objects(changes: Iterable[Change], names: dict[int, str]) -> Iterator[str]:
    for change in changes:
        match change:
            case PortState():
                found = text.port_object(Port.of(change, names.get(change.ifindex, "")))
                yield json.dumps({"event": "port", "removed": change.removed, **found})
            case OptionState():
                found = text.option_object(change, names)
                yield json.dumps({"event": "option", "removed": change.removed, **found})
            case LinkInfo():
                yield json.dumps({"event": "link", "removed": False, **text.link_object(change)})
            case LinkGone():
                yield json.dumps({"event": "link", "removed": True, "ifindex": change.ifindex})


def _blocks(
    device: Device,
    changes: Iterable[Change],
    before: dict[int, LinkInfo],
    links: dict[int, LinkInfo],
    names: dict[int, str],
    everything: bool,
) -> Iterator[str]:
    """One block for each kind of thing that has news."""
    options = {change.key: change for change in changes if isinstance(change, OptionState)}
    ports = {change.ifindex: change for change in changes if isinstance(change, PortState)}
    ours = {device.ifindex}
    ours |= {link.ifindex for link in (*before.values(), *links.values()) if link.master == device.ifindex}
    # Of a carrier or an MTU the line says nothing.
    seen = {i for i in ours & links.keys() if text.has_news(links[i], before.get(i))}
    if ports:
        shown = [Port.of(port._replace(changed=True), names.get(i, "")) for i, port in ports.items()]
        if everything:
            shown += [port for port in device.ports() if port.ifindex not in ports]
        yield from _block("ports", map(text.port_line, shown))
    there = [option._replace(changed=True) for option in options.values() if not option.removed]
    if there:
        if everything:
            there += [option for option in device.options() if option.key not in options]
        yield from _block("options", (text.option_news(option, names) for option in there))
    if seen:
        shown_links = [links[i] for i in links if i in (ours if everything else seen)]
        yield from _block("ifinfos", (text.link_line(link, before.get(link.ifindex)) for link in shown_links))


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Newest first, as everywhere."""
    yield f"{title}:"
    for line in reversed(list(lines)):
        yield f"  {line}"


class Command(NamedTuple):
    name: str
    parameters: str
    run: Callable[[Request], Output]
    #: A phrase without a full stop, for the manual and completion.
    help: str


#: The order decides which command an abbreviation means.
COMMANDS: Final = (
    Command("ports", "", _ports, "The ports, newest first"),
    Command("options", "", _options, "Every option with its value, newest first"),
    Command("getoption", "OPT_NAME", _getoption, "The value of one option"),
    Command(
        "setoption", "OPT_NAME OPT_VALUE", _setoption, "Set an option; a negative number needs -- before it"
    ),
    Command(
        "monitor", "OPT_STYLE", _monitor, "Show changes until interrupted; all: beside what did not change"
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0, or 1 with the reason on stderr. ``argv`` is without the program's name."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == terminal.ASK:
        from pyteam.cli import completion

        return completion.main("teamnl", words[1:])
    lines = _run(words)
    try:
        return terminal.finish((f"{line}\n" for line in lines), help_text)
    except OSError as error:
        if isinstance(error, Refused) and error.strerror:
            print(error.strerror, file=sys.stderr)
        print(f"Command failed: {os.strerror(error.errno or errno.EIO)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _run(argv: Sequence[str]) -> Iterator[str]:
    """The lines to print, as they come."""
    options, words = parse_options(argv)
    if options.help:
        yield from help_text().splitlines()
        return
    if not words:
        raise Failure("No team device specified.", show_help=True)
    if len(words) < 2:
        raise Failure("No command specified.", show_help=True)
    command = find_command(words[1])
    index = _parse_index(options.array_index)
    with ExitStack() as opened:
        device = _open(opened, words[0], options.run_dir)
        port = _find_port(device, options.port_name)
        yield from command.run(Request(device, port, index, options.json, words[2:]))


def parse_options(argv: Sequence[str]) -> tuple[Options, list[str]]:
    """What the options said, and the words that are left."""
    found, words = terminal.read_options("teamnl", OPTIONS, argv)
    options = Options()
    for option, value in found:
        setattr(options, option.name.replace("-", "_"), value if option.value else True)
    return options, words


def find_command(word: str) -> Command:
    """The first command that begins like this."""
    for command in COMMANDS:
        if command.name.startswith(word):
            return command
    raise Failure(f'Unknown command "{word}".', show_help=True)


def help_text() -> str:
    """Options and commands, from their tables."""
    commands = (f"{command.name} {command.parameters}".rstrip() for command in COMMANDS)
    return terminal.help_text("teamnl", OPTIONS, commands)


def _parse_index(word: str) -> int:
    if word and not re.fullmatch(r"\s*\+?\d+", word):
        raise Refused(errno.EINVAL, "Failed to parse array index.")
    index = int(word or 0)
    if index > INDEX_MAX:
        raise Refused(errno.ERANGE, "Array index too big.")
    return index


def _open(opened: ExitStack, name: str, run_dir: str | None) -> Device:
    try:
        return opened.enter_context(open_device(name, run_dir))
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise Refused(errno.ENODEV, f'Netdevice "{name}" not found.') from error
        raise Refused(error.errno or errno.EIO, "Team init failed.") from error


def _find_port(device: Device, name: str) -> int:
    """The ifindex of a port; 0 where no name was given."""
    if not name:
        return 0
    if name not in (link.name for link in device.links()):
        raise Refused(errno.ENODEV, f'Netdevice "{name}" not found.')
    for port in device.ports():
        if port.name == name:
            return port.ifindex
    raise Refused(errno.ENODEV, f'Netdevice "{name}" is not port of this team.')


def _dumps(value: object) -> str:
    return json.dumps(value, indent=4)


if __name__ == "__main__":
    sys.exit(main())
