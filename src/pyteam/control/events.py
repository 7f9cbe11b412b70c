"""What a client can be told without asking: the one table of events, and which of them a change is.

Knows values only; how an event travels is a transport's business. Imported by clients, so it must
stay cheap to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pyteam.engine.snapshot import TeamSnapshot


class Event(NamedTuple):
    """One change of a team. What a row of `EVENTS` does not have is None."""

    name: str
    #: Name of a port; of the active port empty where there is none.
    port: str | None = None
    up: bool | None = None


class Kind(NamedTuple):
    """One row: the fields of `Event` that it has, in their order."""

    name: str
    fields: tuple[str, ...]
    help: str


EVENTS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("PortAdded", ("port",), "An interface has become a port."),
        Kind("PortRemoved", ("port",), "A port has left the team."),
        Kind("LinkChanged", ("port", "up"), "The link watches of a port say that it is up, or down."),
        Kind("ActivePortChanged", ("port",), "Another port is the active one; empty: none."),
        Kind("CarrierChanged", ("up",), "The team device has carrier, or has it no more."),
    )
}


def active_port(team: TeamSnapshot) -> str:
    """Empty where there is none, as with runners that know none."""
    return str(team.runner.get("active_port", ""))


def carrier(team: TeamSnapshot) -> bool:
    """Whether the team device has it."""
    return team.link is not None and team.link.carrier


def events(before: TeamSnapshot, after: TeamSnapshot) -> list[Event]:
    """In the order in which a user would tell it; a renamed port leaves and joins.

    That a port is up is told when it joins, too.
    """
    old = {port.link.name: port.up for port in before.ports}
    new = {port.link.name: port.up for port in after.ports}
    found = [Event("PortRemoved", port=name) for name in old if name not in new]
    found += [Event("PortAdded", port=name) for name in new if name not in old]
    found += [Event("LinkChanged", name, up) for name, up in new.items() if up != old.get(name, False)]
    if active_port(after) != active_port(before):
        found.append(Event("ActivePortChanged", port=active_port(after)))
    if carrier(after) != carrier(before):
        found.append(Event("CarrierChanged", up=carrier(after)))
    return found
