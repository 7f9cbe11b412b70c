"""Options, ports and interfaces as ``teamnl`` prints them.

Pure. The lines for people are the original's, since scripts match on them; the objects for ``-j``
are ours. Must not know where the values come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pyteam.libteam import LinkInfo, OptionState, OptionValue, Port
from pyteam.link import DUPLEX_FULL, format_address
from pyteam.options import show_value

#: Characters of an option's line, where it is cut.
LINE: Final = 119

Names = Mapping[int, str]


def mark(changed: bool, removed: bool) -> str:
    """The first character of a line."""
    return "-" if removed else "*" if changed else " "


def port_line(port: Port) -> str:
    link, duplex = "up" if port.link_up else "down", "FD" if port.duplex == DUPLEX_FULL else "HD"
    head = f"{mark(port.changed, port.removed)}{port.ifindex}: {port.name}"
    return f"{head}: {link} {port.speed}Mbit {duplex} "


def _option_text(option: OptionState, names: Names) -> tuple[str, bool]:
    """The line, and whether it had to be cut."""
    key = option.key
    port = f"(port:{names.get(key.port, key.port)}) " if key.port else ""
    index = f"(arridx:{key.array_index}) " if option.array else ""
    text = f"{mark(option.changed, option.removed)}{key.name} {port}{index}{show_value(option.value)} "
    return text[:LINE], len(text) > LINE


def option_line(option: OptionState, names: Names) -> str:
    """In the list of options; ``names`` of interfaces by ifindex."""
    text, cut = _option_text(option, names)
    return f"{text} <trunc>" if cut else text


def option_news(option: OptionState, names: Names) -> str:
    """In the monitor."""
    text, cut = _option_text(option, names)
    return f"{text.rstrip(' ')}{'...' * cut}{' changed' * option.changed}"


def has_news(link: LinkInfo, before: LinkInfo | None) -> bool:
    """Whether the interface is new, or has changed in what the monitor tells of interfaces."""

    def told(link: LinkInfo) -> tuple[object, ...]:
        return link.name, link.address, link.master, link.up, link.phys_port_id

    return before is None or told(link) != told(before)


def link_line(link: LinkInfo, before: LinkInfo | None = None) -> str:
    """An interface; what is not as ``before`` is marked."""
    old = before or link
    name = mark(link.name != old.name, False).strip() + link.name
    address = mark(link.address != old.address, False).strip() + format_address(link.address)
    master = mark(link.master != old.master, False).strip() + str(link.master)
    return f"{mark(link != old, False)}{link.ifindex}: {name}: {address}: {master} "


def port_object(port: Port) -> dict[str, object]:
    """``speed`` in Mb/s; ``duplex`` half, full or null."""
    return {
        "ifindex": port.ifindex,
        "name": port.name,
        "link_up": port.link_up,
        "speed": port.speed,
        "duplex": {0: "half", 1: "full"}.get(port.duplex),
    }


def value_object(value: OptionValue) -> object:
    """Binary values are hexadecimal text."""
    return value.hex() if isinstance(value, bytes) else value


def option_object(option: OptionState, names: Names) -> dict[str, object]:
    """Without ``port`` and ``index`` where it has none."""
    key = option.key
    found: dict[str, object] = {"name": key.name, "type": str(option.type)}
    if key.port:
        found["port"] = names.get(key.port, str(key.port))
    if option.array:
        found["index"] = key.array_index
    return {**found, "value": value_object(option.value)}


def link_object(link: LinkInfo) -> dict[str, object]:
    return {
        "ifindex": link.ifindex,
        "name": link.name,
        "address": format_address(link.address),
        "master": link.master,
        "up": link.up,
        "carrier": link.carrier,
    }
