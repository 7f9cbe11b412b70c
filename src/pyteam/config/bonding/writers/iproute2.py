"""A bond as a script of ``ip`` commands, for now: nothing of it survives a restart of the machine."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from pyteam.config.bonding.bond import Bond, options
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.writers.fitting import fitting, fitting_members
from pyteam.config.report import Report


def write(bond: Bond, report: Report) -> Sequence[Text]:
    lines = "".join(f"ip link {shlex.join(words)}\n" for words in _commands(bond, report))
    return [Text(f"{bond.name}.sh", lines)]


def _commands(bond: Bond, report: Report) -> Iterator[list[str]]:
    kept = fitting(bond, report)
    members = fitting_members(bond, report)
    # What only a member can be is said when it is one.
    active = {name: kept.pop(name) for name in ("active_slave",) if name in kept}
    words = ["add", bond.name, *(["address", bond.address] if bond.address else []), "type", "bond"]
    for name, value in kept.items():
        option = options()[name]
        if option.ip != "":
            words += [option.ip or name, option.kind.write(value)]
    yield words
    for member in members:
        yield ["set", member.name, "down"]
        yield ["set", member.name, "master", bond.name]
        more = {"queue_id": member.queue_id or None, "prio": member.prio}
        slave = [word for name, value in more.items() if value is not None for word in (name, str(value))]
        if slave:
            yield ["set", member.name, "type", "bond_slave", *slave]
    yield ["set", bond.name, "up"]
    for name, value in active.items():
        yield ["set", bond.name, "type", "bond", name, value]
