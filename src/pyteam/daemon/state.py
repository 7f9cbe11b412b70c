"""The state dump: what `teamdctl TEAM state dump` shows, as nested plain values (reference: 5.2)."""

from __future__ import annotations

from typing import Any

from pyteam.engine.snapshot import PortSnapshot, TeamSnapshot
from pyteam.link import DUPLEX_HALF, SPEED_UNKNOWN, Link, format_address


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
