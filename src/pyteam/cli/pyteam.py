"""``pyteam``: one command for what has no name of its own in the original. Finds the subcommand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import pyteam
from pyteam.cli import terminal
from pyteam.cli.convert import convert


class Command(NamedTuple):
    run: Callable[[Sequence[str]], int]
    help: str


COMMANDS: Final[Mapping[str, Command]] = {
    "convert": Command(convert, "a bond or a team from one form into another"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: the subcommand's; 1 when there is none. ``argv`` is without the program's name."""
    words = sys.argv[1:] if argv is None else argv
    if words and words[0] == terminal.ASK:
        from pyteam.cli import completion

        return completion.main("pyteam", words[1:])
    command = COMMANDS.get(words[0]) if words else None
    if command:
        return command.run(words[1:])
    if words and words[0] in ("-v", "--version"):
        print(f"pyteam {pyteam.__version__}")
        return 0
    asked = bool(words) and words[0] in ("-h", "--help")
    if words and not asked:
        print(f'pyteam: unknown command "{words[0]}".', file=sys.stderr)
    print(_help(), end="", file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 1


def _help() -> str:
    lines = [f"    {name:<12} {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        ["pyteam COMMAND [options]", "Commands:", *lines, "pyteam COMMAND --help tells more.", ""]
    )


if __name__ == "__main__":
    sys.exit(main())
