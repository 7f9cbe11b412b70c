"""What may stand where the cursor is: words from the tables, names from what there is on this machine.

The shells ask by ``PROGRAM --complete WORD...``, with the words after the program's name up to the
cursor; the last is the one that is not finished, and may be empty. The answer has a line for each
candidate, with a tab and what it means behind it, or one line that says that names of files are to
be offered. What cannot be found out is not offered, without a word: somebody is typing.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from pyteam.cli.programs import PROGRAMS, Command, Program
from pyteam.cli.terminal import Option
from pyteam.client import Client, ClientError
from pyteam.control.items import BOOL, find, leaves
from pyteam.control.protocol import run_directory

#: Answers to be looked for by the shell.
FILES, DIRECTORIES = ":files", ":directories"
#: Seconds that a daemon has for its answer.
_PATIENCE: Final = 1.0
_INTERFACES: Final = "/sys/class/net"

#: Candidates and what they mean.
Candidates = Iterable[tuple[str, str]]


class Line(NamedTuple):
    """What was typed so far."""

    #: Arguments of options, by their names.
    options: Mapping[str, str]
    #: Words that belong to no option.
    words: Sequence[str]
    #: The option whose argument is being typed.
    open: Option | None
    #: After ``--`` there are no more options.
    only_words: bool

    @property
    def run_dir(self) -> str | None:
        return self.options.get("run-dir")

    @property
    def team(self) -> str:
        return self.words[0] if self.words else ""


def main(name: str, words: Sequence[str]) -> int:
    """Answer the question; the exit code."""
    for candidate, meaning in complete(PROGRAMS[name](), words):
        print(f"{candidate}\t{meaning}" if meaning else candidate)
    return 0


def complete(program: Program, words: Sequence[str]) -> list[tuple[str, str]]:
    """Candidates for the last word, each with what it means."""
    *before, current = _joined(words) or [""]
    # Some shells split at the sign, others leave it to us.
    option, sign, value = current.partition("=")
    prefix = ""
    if sign and current.startswith("--"):
        before, current = [*before, option], value
        prefix = "" if "=" in words else f"{option}="
    line = _read(program, before)
    if line.open is not None:
        found = list(_arguments(line.open.value, (), line))
    elif current.startswith("-") and not line.only_words:
        found = [(flag, row.help) for row in program.options for flag in _flags(row, current)]
    else:
        found = list(_words(program, line))
    if found and found[0][0] in (FILES, DIRECTORIES):
        return found
    return [(prefix + name, meaning) for name, meaning in found if name.startswith(current)]


def _joined(words: Sequence[str]) -> list[str]:
    """Bash gives the sign between an option and its argument as a word of its own."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("--") and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _read(program: Program, words: Sequence[str]) -> Line:
    by_flag = {f"-{option.letter}": option for option in program.options if option.letter}
    by_flag |= {f"--{option.name}": option for option in program.options}
    options: dict[str, str] = {}
    rest: list[str] = []
    open_: Option | None = None
    only_words = False
    for word in words:
        if open_ is not None:
            options[open_.name], open_ = word, None
        elif only_words or not word.startswith("-"):
            rest.append(word)
        elif word == "--":
            only_words = True
        elif word.startswith("--"):
            flag, sign, value = word.partition("=")
            option = by_flag.get(flag)
            if option is not None and sign:
                options[option.name] = value
            elif option is not None and option.value:
                open_ = option
        else:
            # Of several letters the first with an argument takes the rest of the word, or the next.
            letters = word[1:]
            row = next((row for letter in letters if (row := by_flag.get(f"-{letter}")) and row.value), None)
            open_ = row if row is not None and letters.index(row.letter) == len(letters) - 1 else None
    return Line(options, rest, open_, only_words)


def _flags(option: Option, current: str) -> Iterator[str]:
    yield f"--{option.name}"
    if option.letter and current == "-":
        yield f"-{option.letter}"


def _words(program: Program, line: Line) -> Candidates:
    words = list(line.words)
    if program.subject:
        if not words:
            return _arguments(program.subject, (), line)
        words.pop(0)
    return _commands(program.commands, words, line)


def _commands(commands: Sequence[Command], words: Sequence[str], line: Line) -> Iterator[tuple[str, str]]:
    """What may follow these words, each of which may be abbreviated, as they are when carried out."""
    path: tuple[str, ...] = ()
    for at, word in enumerate(words):
        longer = [row.words[at] for row in commands if row.words[:at] == path and len(row.words) > at]
        known = next((name for name in longer if name.startswith(word)), None)
        if known is None:
            break
        path = (*path, known)
    given = words[len(path) :]
    seen = set()
    for row in commands:
        if row.words == path and len(given) < len(row.parameters):
            yield from _arguments(row.parameters[len(given)], (*path, *given), line)
        elif row.words[: len(path)] == path and len(row.words) > len(path) and not given:
            word = row.words[len(path)]
            if word not in seen:
                seen.add(word)
                yield word, row.help if len(row.words) == len(path) + 1 else ""


# What there is.


def _arguments(parameter: str, words: Sequence[str], line: Line) -> Candidates:
    """Candidates for an argument, by its name in the tables; ``words`` are those of the command before it."""
    source = _SOURCES.get(parameter)
    return source(words, line) if source else ()


def _teams(_: Sequence[str], line: Line) -> Candidates:
    names = _listed(run_directory(line.run_dir))
    return [(name.removesuffix(".sock"), "team") for name in names if name.endswith(".sock")]


def _ports(words: Sequence[str], line: Line) -> Candidates:
    ports = [(name, "port") for name in _members(line)]
    there = {name for name, _ in ports} | {line.team, "lo"}
    others = [(name, "interface") for _, name in socket.if_nameindex() if name not in there]
    match words:
        case ["port", "add"]:
            return others
        case ["port", "config", "update"]:
            return ports + others
    return ports


def _members(line: Line) -> list[str]:
    ports = _state(line).get("ports")
    if isinstance(ports, dict):
        return sorted(ports)
    # No daemon, or it has none: the driver may.
    return [name for _, name in socket.if_nameindex() if _master(name) == line.team]


def _master(name: str) -> str:
    try:
        return os.path.basename(os.readlink(f"{_INTERFACES}/{name}/master"))
    except OSError:
        return ""


def _items(words: Sequence[str], line: Line) -> Iterator[tuple[str, str]]:
    for path, _ in leaves(_state(line)):
        item = find(path)
        if "set" not in words or (item is not None and item.settable):
            yield path, item.meaning if item else ""


def _values(words: Sequence[str], line: Line) -> Candidates:
    if words[-1] == "runner.active_port":
        return _ports((), line)
    item = find(words[-1])
    return [("true", ""), ("false", "")] if item is not None and item.type == BOOL else ()


def _options(words: Sequence[str], line: Line) -> Candidates:
    from pyteam.options import OPTIONS

    return [(row.name, row.meaning) for row in OPTIONS.values() if row.writable or "setoption" not in words]


def _forms(words: Sequence[str], line: Line) -> Candidates:
    from pyteam.config.bonding import forms

    return [(form, "") for form in dict.fromkeys((*forms.WRITABLE, *forms.READABLE))]


def _interfaces(words: Sequence[str], line: Line) -> Candidates:
    return [(name, "interface") for _, name in socket.if_nameindex()]


def _state(line: Line) -> Mapping[str, object]:
    try:
        with Client(line.team, line.run_dir, timeout=_PATIENCE) as client:
            state = json.loads(client.state_dump())
    except (ClientError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _words_of(*names: str) -> Callable[[Sequence[str], Line], Candidates]:
    return lambda words, line: [(name, "") for name in names]


#: By the names that arguments have in the tables; of any other nothing is known.
_SOURCES: Final[Mapping[str, Callable[[Sequence[str], Line], Candidates]]] = {
    "TEAM": _teams,
    "DEVNAME": _teams,
    "PORTDEV": _ports,
    "PORT": _ports,
    "ITEMPATH": _items,
    "VALUE": _values,
    "OPT_NAME": _options,
    "OPT_STYLE": _words_of("changed", "all"),
    "NAME": _words_of("auto", "kernel", "ebpf"),
    "OUTPUT": _words_of("stdout", "stderr", "syslog"),
    "FORM": _forms,
    "IFACE": _interfaces,
    "IFACE|FILE": _words_of(FILES),
    "FILE": _words_of(FILES),
    "DIR": _words_of(DIRECTORIES),
}
