"""ifcfg files of Red Hat's network scripts: a bond (BONDING_OPTS) or a team (TEAM_CONFIG)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pyteam.config.bonding.bond import Bond, Member, known_as
from pyteam.config.bonding.texts import (
    Setting,
    Text,
    choose,
    read_name,
    read_settings,
    read_word,
    refuse,
    unknown,
)
from pyteam.config.bonding.words import Address
from pyteam.config.document import Document
from pyteam.config.report import Report
from pyteam.config.text import Unreadable, write
from pyteam.config.text import read as read_json

_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL | re.ASCII)
_PREFIX: Final = "ifcfg-"


class Variable(NamedTuple):
    where: str
    value: str


#: The variables of a file by name, in upper case.
Variables = Mapping[str, Variable]


class File(NamedTuple):
    """One file, read."""

    text: Text
    #: The interface that it is for; None where it has no name that one can have.
    device: str | None
    variables: Variables
    #: What was wrong with it: of no interest where the file turns out to be about something else.
    report: Report

    def value(self, name: str) -> str:
        found = self.variables.get(name)
        return found.value if found else ""


def read(texts: Sequence[Text], name: str, report: Report) -> Bond | Document:
    """The bond or team of that name, or the only one. Raises `ConfigError`."""
    files = [read_file(text) for text in texts]
    masters: dict[str, File] = {}
    for file in files:
        if file.device and (_is_bond(file) or _is_team(file)):
            masters.setdefault(file.device, file)
    if not masters:
        # It may be a mistake that hides it.
        _tell(files, report)
    wanted = choose(masters, name, " ".join(text.name for text in texts), report)
    return _team(wanted, files, report) if _is_team(wanted) else _bond(wanted, files, report)


def read_file(text: Text) -> File:
    report = Report("")
    found = variables(text, report)
    base = text.name.rsplit("/", 1)[-1]
    device: str | None = base.removeprefix(_PREFIX) if base.startswith(_PREFIX) else None
    if line := found.get("DEVICE"):
        device = read_name(line.where, line.value, report)
    return File(text, device, found, report)


def members(master: str, files: Sequence[File]) -> Sequence[File]:
    """The files of the interfaces that say that this is their bond."""
    return [file for file in files if file.value("MASTER") == master and file.device]


def _tell(files: Sequence[File], report: Report) -> None:
    for file in files:
        report.problems += [problem for problem in file.report.problems if problem not in report.problems]


def variables(text: Text, report: Report) -> dict[str, Variable]:
    """What a shell would have after reading the file; the last of several wins."""
    found = {}
    for number, line in logical_lines(text.text):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{text.name}:{number}"
        match = _ASSIGNMENT.fullmatch(line)
        if not match:
            refuse(report, where, line.strip(), "NAME=VALUE, and comments with #")
            continue
        try:
            words = shlex.split(match[2], comments=True)
        except ValueError as error:
            report.error((), f"{where}: {match[1]}: {str(error).lower()}. Allowed: quotes that are closed.")
            continue
        found[match[1].upper()] = Variable(f"{where}: {match[1]}", words[0] if words else "")
    return found


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; a quoted value may go on over several."""
    pending: list[str] = []
    start, quote = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        pending.append(line)
        quote = _quote_after(line, quote)
        if not quote:
            yield start, "\n".join(pending)
            pending = []
    if pending:
        yield start, "\n".join(pending)


def _quote_after(line: str, quote: str) -> str:
    """The quote that is open at the end of the line when this one was at its begin; empty for none."""
    escaped, before = False, " "
    for letter in line:
        if escaped:
            escaped = False
        elif letter == "\\" and quote != "'":
            escaped = True
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "#" and before.isspace():
            break
        before = letter
    return quote


def _is_team(file: File) -> bool:
    return "TEAM_CONFIG" in file.variables or file.value("DEVICETYPE").lower() == "team"


def _is_bond(file: File) -> bool:
    said = file.value("TYPE").lower() == "bond" or file.value("BONDING_MASTER").lower() == "yes"
    return said or "BONDING_OPTS" in file.variables


def bonding_options(where: str, text: str, report: Report) -> dict[str, Any]:
    """The options of a line as BONDING_OPTS has it: ``mode=1 miimon=100``."""
    settings = []
    for word in text.split():
        key, equals, value = word.partition("=")
        option = known_as().get(key)
        if option is None:
            unknown(report, where, word if not equals else key, known_as())
        elif not equals or not value:
            refuse(report, where, word, f"{key}=VALUE")
        else:
            settings.append(Setting(f"{where}: {key}", option, value))
    return read_settings(settings, report)


def _bond(file: File, files: Sequence[File], report: Report) -> Bond:
    ports = members(file.device or "", files)
    _tell([file, *ports], report)
    line, mac = file.variables.get("BONDING_OPTS"), file.variables.get("MACADDR")
    options = bonding_options(line.where, line.value, report) if line else {}
    address = read_word(Address(), mac.where, mac.value, report) if mac and mac.value else None
    report.raise_errors()
    names = dict.fromkeys(port.device for port in ports if port.device)
    return Bond(name=file.device or "", address=address or "", members=tuple(map(Member, names)), **options)


def _team(file: File, files: Sequence[File], report: Report) -> Document:
    ports = [port for port in files if port.value("TEAM_MASTER") == file.device and port.device]
    _tell([file, *ports], report)
    tree = _json(file.variables.get("TEAM_CONFIG"), report)
    own = {port.device: _json(port.variables.get("TEAM_PORT_CONFIG"), report) for port in ports}
    report.raise_errors()
    configured = tree.setdefault("ports", {})
    if isinstance(configured, dict):
        configured |= {device: config or configured.get(device, {}) for device, config in own.items()}
    document = Document.parse(write({**tree, "device": file.device}), source=file.text.name)
    report.warnings += document.warnings
    return document


def _json(found: Variable | None, report: Report) -> dict[str, Any]:
    if not found or not found.value.strip():
        return {}
    inner = Report(found.where)
    value = read_json(found.value, (), inner)
    report.problems += inner.problems
    if isinstance(value, dict) and not inner.problems:
        return value
    if not isinstance(value, Unreadable):
        refuse(report, found.where, found.value, "a JSON object")
    return {}
