"""What the kernel would refuse is left out, with a warning, before it is written for anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyteam.config.bonding.bond import ONE_ACTIVE, Bond, Member, given, heeded, options
from pyteam.config.report import Report


def fitting(bond: Bond, report: Report) -> dict[str, Any]:
    """The options that are given and that the kernel takes together, in the order of the table."""
    if bond.arp_interval and bond.miimon:
        if heeded(bond, "arp_interval"):
            report.warn(("miimon",), "left out: bonding does one of the two, and arp_interval is given.")
            bond = replace(bond, miimon=None)
        else:
            report.warn(("arp_interval",), f"left out: the kernel refuses it with mode {bond.mode}.")
            bond = replace(bond, arp_interval=None)
    kept: dict[str, Any] = {}
    for name, value in given(bond).items():
        option = options()[name]
        if option.strict and not heeded(bond, name):
            if value != option.default:
                report.warn((name,), f"left out: the kernel refuses it with mode {bond.mode}.")
        elif option.needs and not kept.get(option.needs):
            if value != option.default:
                report.warn((name,), f"left out: it has no effect without {option.needs}.")
        else:
            kept[name] = value
    members = {member.name for member in bond.members}
    for name in ("primary", "active_slave"):
        if name in kept and kept[name] not in members:
            report.warn((name,), f"left out: {kept[name]} is no member.")
            del kept[name]
    return kept


def fitting_members(bond: Bond, report: Report) -> Sequence[Member]:
    """The members, without a rank where the kernel knows none."""
    if bond.mode in ONE_ACTIVE or not any(member.prio for member in bond.members):
        return bond.members
    report.warn(("prio",), f"left out: the kernel refuses it with mode {bond.mode}.")
    return [replace(member, prio=None) for member in bond.members]
