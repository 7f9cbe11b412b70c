"""A bond as files of systemd-networkd: one .netdev, one .network for it and one for each member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pyteam.config.bonding.bond import Bond, Member, Option, options
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.words import Number, Switch
from pyteam.config.bonding.writers.fitting import fitting
from pyteam.config.report import Report

#: Options for which systemd-networkd has had a key since 256 only.
_RECENT: Final = ("arp_missed_max",)
#: What has a place in the file of a member instead.
_OF_MEMBERS: Final = {"primary": "PrimarySlave", "active_slave": "ActiveSlave"}


def write(bond: Bond, report: Report) -> Sequence[Text]:
    kept = fitting(bond, report)
    return [
        Text(f"30-{bond.name}.netdev", _lines(_netdev(bond, kept, report))),
        # Without one, networkd leaves the device alone, down.
        Text(
            f"30-{bond.name}.network",
            _lines([("[Match]", {"Name": bond.name}), ("[Network]", {"LinkLocalAddressing": "ipv6"})]),
        ),
        *(Text(f"30-{bond.name}-{m.name}.network", _lines(_member(bond, m, kept))) for m in bond.members),
    ]


Section = tuple[str, dict[str, str]]


def _lines(sections: Sequence[Section] | Iterator[Section]) -> str:
    return "\n".join(
        "\n".join([title, *(f"{key}={value}" for key, value in keys.items())]) + "\n"
        for title, keys in sections
    )


def _netdev(bond: Bond, kept: dict[str, Any], report: Report) -> Iterator[Section]:
    device = {"Name": bond.name, "Kind": "bond"}
    yield "[NetDev]", device | ({"MACAddress": bond.address} if bond.address else {})
    keys = {}
    for name, value in kept.items():
        option = options()[name]
        if option.networkd:
            keys[option.networkd] = _value(option, value)
            if name in _RECENT:
                report.warn((name,), "systemd-networkd 255 and older ignore it.")
        elif name not in _OF_MEMBERS and value != option.default:
            report.warn((name,), "left out: systemd-networkd has no key for it.")
    yield "[Bond]", keys
    for member in bond.members:
        if member.queue_id or member.prio:
            report.warn((member.name,), "queue_id, prio: left out: systemd-networkd has no keys for them.")


def _value(option: Option, value: Any) -> str:
    match option.kind:
        case Number(unit=unit):
            return f"{value}{unit}"
        case Switch():
            return "yes" if value else "no"
    return option.kind.write(value).replace(",", " ")


def _member(bond: Bond, member: Member, kept: dict[str, Any]) -> Iterator[Section]:
    yield "[Match]", {"Name": member.name}
    special = {key: "yes" for name, key in _OF_MEMBERS.items() if kept.get(name) == member.name}
    yield "[Network]", {"Bond": bond.name, **special}
