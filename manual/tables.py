"""The tables of pyteam as tables of a page, by what ``{{...}}`` names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from manual.markdown import Table
from pyteam.cli.programs import PROGRAMS
from pyteam.config import ManualEntry, manual
from pyteam.control.items import ITEMS
from pyteam.control.methods import ERRORS, METHODS
from pyteam.options import OPTIONS, Scope

#: A key that every runner has.
_EVERYBODY: Final = {name for entry in manual() if entry.path == "runner.addr" for name in entry.owners}


def options(program: str) -> Table:
    """What may stand on the command line."""
    rows = []
    for option in PROGRAMS[program]().options:
        letter = f"`-{option.letter}`, " if option.letter else ""
        value = f"`=`{_argument(option.value)}" if option.value else ""
        rows.append((f"{letter}`--{option.name}`{value}", f"{option.help}."))
    return _table(rows)


def commands(program: str) -> Table:
    rows = []
    for command in PROGRAMS[program]().commands:
        words = [f"`{' '.join(command.words)}`", *map(_argument, command.parameters)]
        rows.append((" ".join(words), f"{command.help}."))
    return _table(rows)


def keys(prefix: str) -> Table:
    """Of teamd.conf, those that begin with the prefix and have no link watches of their own."""
    return _table((f"`{entry.path}`", _key(entry)) for entry in manual() if _is_of(entry.path, prefix))


def items(_: str) -> Table:
    """Of the state."""
    return _table(
        (
            f"`{item.path}`",
            f"{item.meaning}. {item.type.capitalize()}."
            + (f" With {item.of} only." if item.of else "")
            + (" Can be set." if item.settable else ""),
        )
        for item in ITEMS
    )


def methods(_: str) -> Table:
    return _table(
        (
            " ".join([f"`{method.name}`", *map(_argument, method.arguments)]),
            f"{method.help} Errors: {', '.join(f'`{code}`' for code in method.errors)}.",
        )
        for method in METHODS.values()
    )


def errors(_: str) -> Table:
    return _table((f"`{code}`", text) for code, text in ERRORS.items())


def device(_: str) -> Table:
    """The options of a team device."""
    scopes = {Scope.TEAM: "", Scope.PORT: " Of each port.", Scope.ARRAY: " 256 of them."}
    return _table(
        (
            f"`{option.name}`",
            f"{option.meaning}. Type {option.type}.{scopes[option.scope]}"
            + (f" In mode {option.mode}." if option.mode else "")
            + ("" if option.writable else " Can only be read."),
        )
        for option in OPTIONS.values()
    )


TABLES: Final[Mapping[str, Callable[[str], Table]]] = {
    table.__name__: table for table in (options, commands, keys, items, methods, errors, device)
}


def _table(rows: Iterable[tuple[str, str]]) -> Table:
    return Table(("", ""), tuple(rows))


def _argument(name: str) -> str:
    return "|".join(f"*{word}*" for word in name.upper().split("|"))


def _is_of(path: str, prefix: str) -> bool:
    groups = ("runner", "link_watch", "ports")
    if not prefix:
        return path.split(".")[0] not in groups
    ours = path == prefix or path.startswith(f"{prefix}.")
    return ours and not path.startswith("ports.PORT.link_watch.")


def _key(entry: ManualEntry) -> str:
    # Both say the unit.
    meaning, _, unit = entry.meaning.rpartition(" (")
    if not unit or not entry.allowed.endswith(f" ({unit}"):
        meaning = entry.meaning
    sentences = [meaning, entry.allowed[0].upper() + entry.allowed[1:]]
    if entry.owners and set(entry.owners) != _EVERYBODY:
        sentences.insert(0, f"With {', '.join(f'`{name}`' for name in entry.owners)}")
    if entry.required:
        sentences.append("Must be given")
    if entry.default:
        sentences.append(f"Default: `{entry.default}`")
    return "".join(f"{sentence}. " for sentence in sentences).strip()
