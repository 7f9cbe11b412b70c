"""The state dump: what `teamdctl TEAM state dump` shows, as nested plain values (reference: 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pyteam.engine.snapshot import PortSnapshot, TeamSnapshot
from pyteam.link import DUPLEX_HALF, SPEED_UNKNOWN, Link, format_address

#: Teams that a status names.
_NAMED: Final = 4


def state_dump(
    setup: dict[str, Any], team: TeamSnapshot, statistics: dict[int, dict[str, int]]
) -> dict[str, Any]:
    """``setup``: the daemon's own items. ``statistics`` by ifindex of the ports.

    A group without content is absent, as clients expect: no ``ports`` without ports.
    """
    state: dict[str, Any] = {
        "setup": {**setup, "kernel_team_mode_name": team.mode, "runner_name": team.runner_name}
    }
    if team.link is not None:
        state["team_device"] = {"ifinfo": _ifinfo(team.link)}
    if team.runner:
        state["runner"] = dict(team.runner)
    if team.ports:
        state["ports"] = {
            port.link.name: _port(port, statistics.get(port.link.ifindex)) for port in team.ports
        }
    return state


def _ifinfo(link: Link) -> dict[str, Any]:
    return {
        "dev_addr": format_address(link.address),
        "dev_addr_len": len(link.address),
        "ifindex": link.ifindex,
        "ifname": link.name,
    }


def _port(port: PortSnapshot, statistics: dict[str, int] | None) -> dict[str, Any]:
    link = port.link
    state: dict[str, Any] = {
        "ifinfo": _ifinfo(link),
        "link": {
            "duplex": "half" if link.duplex == DUPLEX_HALF else "full",
            # As clients know it: "unknown" prints as -1.
            "speed": -1 if link.speed == SPEED_UNKNOWN else link.speed,
            "up": link.usable,
        },
        "link_watches": {
            "list": {
                f"link_watch_{at}": {
                    "name": watch.name,
                    "up": watch.up,
                    "down_count": watch.down_count,
                    **watch.settings,
                }
                for at, watch in enumerate(port.watches)
            },
            "up": port.up,
        },
    }
    if port.runner:
        state["runner"] = dict(port.runner)
    if statistics is not None:
        state["statistics"] = statistics
    return state


def status_line(team: TeamSnapshot) -> str:
    """The team in one line: ``2 of 3 ports up, active port eth0, carrier up``."""
    parts = [f"{sum(port.up for port in team.ports)} of {len(team.ports)} ports up"]
    if active := team.runner.get("active_port"):
        parts.append(f"active port {active}")
    if team.link is not None:
        carrier = "up" if team.link.carrier else "down"
        parts.append(f"carrier {carrier}" if team.link.up else "the device is not up")
    return ", ".join(parts)


def status_of_all(teams: Mapping[str, TeamSnapshot | None]) -> str:
    """Many teams in one line: ``12 of 13 teams run; without carrier: team3``. None: it does not run."""
    running = {name: team for name, team in teams.items() if team is not None}
    dark = [name for name, team in running.items() if team.link is None or not team.link.carrier]
    named = ", ".join(dark[:_NAMED]) + (f" and {len(dark) - _NAMED} more" if dark[_NAMED:] else "")
    text = f"{len(running)} of {len(teams)} teams run"
    return f"{text}; without carrier: {named}" if dark else text
