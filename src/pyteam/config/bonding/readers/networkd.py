"""Files of systemd-networkd: .netdev for the bond, .network for its members."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from pyteam.config.bonding.bond import Bond, Member, options
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
from pyteam.config.bonding.words import Address, Number, Switch
from pyteam.config.report import Report

#: systemd.time(7), in ms.
_UNITS: Final = {
    "us": 0.001, "usec": 0.001, "µs": 0.001, "ms": 1, "msec": 1,
    "s": 1000, "sec": 1000, "second": 1000, "seconds": 1000, "": 1000,
    "m": 60_000, "min": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hr": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
}  # fmt: skip
_SPAN: Final = re.compile(r"\s*([0-9]{1,10}(?:\.[0-9]{1,6})?)\s*([a-zµ]*)", re.ASCII)
_FLAGS: Final = {"PrimarySlave": "primary", "ActiveSlave": "active_slave"}


class _Line(NamedTuple):
    where: str
    section: str
    key: str
    value: str


def read(texts: Sequence[Text], name: str, report: Report) -> Bond:
    """The bond of that name, or the only one. Raises `ConfigError`."""
    files = [(text, list(_lines(text, report))) for text in texts]
    networks = [lines for text, lines in files if not text.name.endswith(".netdev")]
    bonds = {}
    for text, lines in files:
        if text.name.endswith(".netdev") and _last(lines, "NetDev", "Kind").lower() == "bond":
            at = f"{text.name}: [NetDev] Name"
            if found := read_name(at, _last(lines, "NetDev", "Name"), report):
                bonds[found] = _bond(found, lines, networks, report)
    return choose(bonds, name, " ".join(text.name for text in texts), report)


def _lines(text: Text, report: Report) -> Iterator[_Line]:
    section, pending, start = "", "", 0
    for number, line in enumerate(text.text.splitlines(), 1):
        if pending and line.lstrip()[:1] in ("#", ";"):
            continue
        start = start if pending else number
        line = pending + line.strip()
        if line.endswith("\\"):
            pending = f"{line[:-1]} "
            continue
        pending = ""
        where = f"{text.name}:{start}"
        if not line or line[0] in "#;":
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1]
        elif "=" in line and section:
            key, value = (part.strip() for part in line.split("=", 1))
            yield _Line(f"{where}: [{section}] {key}", section, key, value)
        else:
            refuse(report, where, line, "[Section], then Key=Value")


def _last(lines: Sequence[_Line], section: str, key: str) -> str:
    found = [line.value for line in lines if (line.section, line.key) == (section, key)]
    return found[-1] if found else ""


def _bond(name: str, lines: Sequence[_Line], networks: Sequence[Sequence[_Line]], report: Report) -> Bond:
    by_key = {option.networkd: known for known, option in options().items() if option.networkd}
    settings: list[Setting] = []
    address = ""
    for line in lines:
        option = by_key.get(line.key)
        if (line.section, line.key) == ("NetDev", "MACAddress"):
            address = read_word(Address(), line.where, line.value, report) or ""
        if line.section != "Bond":
            continue
        if option is None:
            unknown(report, line.where, line.key, by_key)
        elif not line.value:
            # An empty value takes back what was said before (systemd.syntax(7)).
            settings = [setting for setting in settings if setting.option != option]
        else:
            settings.append(Setting(line.where, option, _own_unit(option, line, report)))
    settings = [setting for setting in settings if setting.text]
    members, flags = _members(name, networks, report)
    return Bond(name=name, address=address, members=members, **(read_settings(settings, report) | flags))


def _own_unit(option: str, line: _Line, report: Report) -> str:
    """The value as bonding writes it; empty, after an error, when it has none."""
    kind = options()[option].kind
    if not isinstance(kind, Number) or not kind.unit:
        return line.value
    total, rest = 0.0, line.value
    while rest:
        match = _SPAN.match(rest)
        if not match or match[2] not in _UNITS:
            refuse(
                report, line.where, line.value, "a time, as in 100ms, 1s or 1min 30s; seconds without a unit"
            )
            return ""
        total += float(match[1]) * _UNITS[match[2]]
        rest = rest[match.end() :]
    return str(int(total if kind.unit == "ms" else total / 1000))


def _members(
    bond: str, networks: Sequence[Sequence[_Line]], report: Report
) -> tuple[tuple[Member, ...], dict[str, str]]:
    members: list[Member] = []
    flags: dict[str, str] = {}
    for lines in networks:
        if _last(lines, "Network", "Bond") != bond:
            continue
        names = [line for line in lines if (line.section, line.key) == ("Match", "Name")]
        found = [(line, name) for line in names for name in line.value.split()]
        for line, name in found:
            if re.search(r"[*?\[!]", name):
                allowed = "names of interfaces, one by one: which there are is not known here"
                refuse(report, line.where, name, allowed)
            elif read_name(line.where, name, report):
                members.append(Member(name))
        if not found:
            at = next(line.where for line in lines if (line.section, line.key) == ("Network", "Bond"))
            report.error((), f"{at}: the file matches by something else. Allowed: [Match] Name=NAME.")
        said = [line for line in lines if line.section == "Network" and line.key in _FLAGS]
        flags |= {
            _FLAGS[line.key]: members[-1].name
            for line in said
            if read_word(Switch(), line.where, line.value, report) and members
        }
    return tuple(dict.fromkeys(members)), flags
