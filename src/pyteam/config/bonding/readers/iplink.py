"""A bond that lives, as ``ip -j -d link show`` tells of it.

It tells every option, so what has bonding's default counts as not given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pyteam.config.bonding.bond import Bond, Member, heeded, known_as, options
from pyteam.config.bonding.texts import Setting, Text, choose, read_name, read_settings, refuse
from pyteam.config.report import Report
from pyteam.config.text import Unreadable
from pyteam.config.text import read as read_json

#: State, and what stands for an option that is not set.
_NO_OPTIONS: Final = ("active_slave", "ad_info")
_UNSET: Final[tuple[object, ...]] = (None, "", "00:00:00:00:00:00", [])
_ARRAY: Final = "an array of objects, as ip -j -d link show prints it"


def read(texts: Sequence[Text], name: str, report: Report) -> Bond:
    """The bond of that name, or the only one. Raises `ConfigError`."""
    links = [link for text in texts for link in _links(text, report)]
    bonds = {}
    for where, link in links:
        found = link.get("linkinfo")
        data = found.get("info_data", {}) if isinstance(found, dict) else {}
        if isinstance(found, dict) and found.get("info_kind") == "bond" and isinstance(data, dict):
            bond_name = read_name(f"{where}: ifname", str(link.get("ifname", "")), report)
            if bond_name:
                bonds[bond_name] = _bond(bond_name, where, data, links, report)
    return choose(bonds, name, " ".join(text.name for text in texts), report)


def _links(text: Text, report: Report) -> list[tuple[str, dict[str, Any]]]:
    inner = Report(text.name)
    value = read_json(text.text, (), inner)
    report.problems += inner.problems
    if isinstance(value, Unreadable):
        return []
    if not isinstance(value, list) or not all(isinstance(link, dict) for link in value):
        report.error((), f"{text.name}: found something else. Allowed: {_ARRAY}.")
        return []
    # With a filter ip prints an empty object for each link that does not match.
    return [(f"{text.name}: {link.get('ifname')}", link) for link in value if link]


def _bond(
    name: str, where: str, data: dict[str, Any], links: list[tuple[str, dict[str, Any]]], report: Report
) -> Bond:
    settings = []
    for key, value in data.items():
        option = known_as().get(key)
        if option is None or key in _NO_OPTIONS or value in _UNSET:
            continue
        settings.append(Setting(f"{where}: linkinfo.info_data.{key}", option, _spelled(value)))
    found = read_settings(settings, report)
    mode = found.get("mode", "balance-rr")
    kept = {
        option: value
        for option, value in found.items()
        if option == "mode" or (value != options()[option].default and heeded(Bond(mode=mode), option))
    }
    members = [
        member for at, link in links if link.get("master") == name for member in _member(at, link, report)
    ]
    return Bond(name=name, members=tuple(members), **kept)


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(_spelled, value))
    return str(value)


def _member(where: str, link: dict[str, Any], report: Report) -> list[Member]:
    info = link.get("linkinfo")
    data = info.get("info_slave_data", {}) if isinstance(info, dict) else {}
    data = data if isinstance(data, dict) else {}
    numbers = {}
    for key, allowed in (("queue_id", range(65536)), ("prio", range(-(2**31), 2**31))):
        value = data.get(key, 0)
        if isinstance(value, int) and value in allowed:
            numbers[key] = int(value)
        else:
            what = f"an integer from {allowed.start} to {allowed.stop - 1}"
            refuse(report, f"{where}: linkinfo.info_slave_data.{key}", str(value), what)
    name = read_name(f"{where}: ifname", str(link.get("ifname", "")), report)
    return [Member(name, numbers.get("queue_id", 0), numbers.get("prio") or None)] if name else []
