"""What readers are given and writers answer with: named texts. And how a reader tells of a mistake in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from pyteam.config.bonding.bond import options
from pyteam.config.bonding.words import Kind, interface_name
from pyteam.config.report import Report, hint, show

Found = TypeVar("Found")


class Text(NamedTuple):
    """A file, by the name under which it was read or is to be written."""

    name: str
    text: str


class Setting(NamedTuple):
    """One assignment as it stands somewhere."""

    #: File, line, and what of it: ``ifcfg-bond0:3: BONDING_OPTS``.
    where: str
    #: As bonding has it.
    option: str
    #: The words of the file, in bonding's own units.
    text: str


def refuse(report: Report, where: str, found: str, allowed: str) -> None:
    """An error: where, what was found, what is allowed."""
    report.error((), f"{where}: found {show(found)}. Allowed: {allowed}.")


def unknown(report: Report, where: str, key: str, known: Iterable[str], *, fatal: bool = True) -> None:
    """A key that nobody knows."""
    text = f"{where}: unknown: {show(key)}.{hint(key, known)}"
    if fatal:
        report.error((), text)
    else:
        report.warn((), f"{text} Ignored.")


def read_word(kind: Kind, where: str, text: str, report: Report) -> Any:
    """The typed value; None, after an error, when there is none."""
    try:
        return kind.read(text.strip())
    except ValueError:
        refuse(report, where, text, kind.allowed())
        return None


def read_name(where: str, text: str, report: Report) -> str | None:
    """The name of an interface; None, after an error, when it cannot be one."""
    try:
        return interface_name(text)
    except ValueError:
        allowed = "the name of an interface: 1 to 15 bytes without white space, '/', ':' or '%'"
        refuse(report, where, text, allowed)
        return None


def read_settings(settings: Iterable[Setting], report: Report) -> dict[str, Any]:
    """The options as `Bond` takes them; the last of several wins, addresses are collected."""
    found: dict[str, Any] = {}
    for setting in settings:
        value = read_word(options()[setting.option].kind, setting.where, setting.text, report)
        if isinstance(value, tuple):
            value = tuple(dict.fromkeys((*found.get(setting.option, ()), *value)))
        if value is not None:
            found[setting.option] = value
    return found


def choose(bonds: Mapping[str, Found], wanted: str, what: str, report: Report) -> Found:
    """The bond of that name, or the only one. Raises `ConfigError` with all that was reported."""
    report.raise_errors()
    if wanted in bonds:
        return bonds[wanted]
    names = ", ".join(bonds)
    if wanted:
        report.error((), f"{what}: no bond named {show(wanted)} there. Found: {names or 'none'}.")
    elif not bonds:
        report.error((), f"{what}: no bond there.")
    elif len(bonds) > 1:
        report.error((), f"{what}: several bonds there: {names}. Choose one with --name.")
    report.raise_errors()
    return next(iter(bonds.values()))
