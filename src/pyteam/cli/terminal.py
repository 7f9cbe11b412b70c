"""What the tools for the terminal share: options read from a table, their help, and how a run ends.

Knows no command. Imports only what starts within a blink.
"""

from __future__ import annotations

import getopt
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

#: The first word with which a shell asks what may be typed; see `completion`.
ASK: Final = "--complete"


class Failure(Exception):
    """The end of the run: the last words for stderr, and whether the help is to follow."""

    def __init__(self, message: str, show_help: bool = False) -> None:
        super().__init__(message)
        self.show_help = show_help


class Option(NamedTuple):
    #: Empty for one that has only a name.
    letter: str
    name: str
    #: Name of the argument; empty where the option takes none.
    value: str
    help: str


def read_options(
    program: str, table: Sequence[Option], argv: Sequence[str]
) -> tuple[list[tuple[Option, str]], list[str]]:
    """Options in the order given, each with its argument, and the words that are left.

    Options may stand anywhere, as GNU programs have it. Raises `Failure`.
    """
    letters = "".join(option.letter + ":" * bool(option.value) for option in table if option.letter)
    names = [option.name + "=" * bool(option.value) for option in table]
    try:
        found, words = getopt.gnu_getopt(argv, letters, names)
    except getopt.GetoptError as error:
        print(f"{program}: {error}", file=sys.stderr)
        raise Failure("unknown option.", show_help=True) from None
    by_flag = {f"-{option.letter}": option for option in table}
    by_flag |= {f"--{option.name}": option for option in table}
    return [(by_flag[flag], value) for flag, value in found], words


def help_text(program: str, table: Iterable[Option], commands: Iterable[str]) -> str:
    """Options from their table, and a line for each command."""

    def lines() -> Iterator[str]:
        yield f"{program} [options] teamdevname command [command args]"
        yield from option_lines(table)
        yield "Commands:"
        for command in commands:
            yield f"    {command}"

    return "".join(f"{line}\n" for line in lines())


def option_lines(table: Iterable[Option]) -> Iterator[str]:
    """A line for each option."""
    for option in table:
        name = f"--{option.name}={option.value}" if option.value else f"--{option.name}"
        letter = f"-{option.letter}" if option.letter else "  "
        yield f"    {letter} {name:<21} {option.help}"


def finish(output: Iterable[str], usage: Callable[[], str]) -> int:
    """Print what the run yields, each piece at once: somebody may be reading a pipe. The exit code.

    Ends with 1 on a `Failure`, whose words go to stderr, and when the reader left early.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal's character set does not have is no reason to fail.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        for piece in output:
            sys.stdout.write(piece)
            sys.stdout.flush()
        return 0
    except Failure as failure:
        print(failure, file=sys.stderr)
        if failure.show_help:
            print(usage(), end="")
        return 1
    except BrokenPipeError:
        # At exit Python would try to flush once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
