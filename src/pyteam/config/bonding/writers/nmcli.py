"""A bond as a script of ``nmcli`` commands: profiles of NetworkManager, for good."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from pyteam.config.bonding.bond import Bond, options
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.writers.fitting import fitting, fitting_members
from pyteam.config.report import Report

#: Options that NetworkManager 1.42 does not know.
_RECENT: Final = ("arp_missed_max", "coupled_control", "lacp_active", "ns_ip6_target")


def write(bond: Bond, report: Report) -> Sequence[Text]:
    lines = "".join(f"nmcli connection {shlex.join(words)}\n" for words in _commands(bond, report))
    return [Text(f"{bond.name}.sh", lines)]


def _commands(bond: Bond, report: Report) -> Iterator[list[str]]:
    members = fitting_members(bond, report)
    kept = {name: value for name, value in fitting(bond, report).items() if options()[name].nmcli}
    for name in (
        *filter(kept.__contains__, _RECENT),
        *(["prio"] if any(m.prio for m in members) else []),
    ):
        report.warn((name,), "NetworkManager 1.42 and older do not know it, and refuse the profile.")
    # Between options there is a comma, so nmcli takes blanks between addresses.
    pairs = (f"{name}={options()[name].kind.write(value).replace(',', ' ')}" for name, value in kept.items())
    address = ["802-3-ethernet.cloned-mac-address", bond.address] if bond.address else []
    named = ["con-name", bond.name, "ifname", bond.name]
    yield ["add", "type", "bond", *named, "bond.options", ",".join(pairs), *address]
    for member in members:
        # Words that all versions take; newer ones also have controller and port-type.
        port = ["connection.master", bond.name, "connection.slave-type", "bond"]
        port += ["bond-port.queue-id", str(member.queue_id)] if member.queue_id else []
        port += ["bond-port.prio", str(member.prio)] if member.prio else []
        named = ["con-name", f"{bond.name}-{member.name}", "ifname", member.name]
        yield ["add", "type", "ethernet", *named, *port]
    yield ["up", bond.name]
