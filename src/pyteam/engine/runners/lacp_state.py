"""What users are shown of a port under LACP, by the names of the state items; and its actor key.

Must not know the runner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from pyteam.config import PortConfig
from pyteam.config.values import KeyChoice
from pyteam.engine.lacp import LacpPort
from pyteam.engine.port import Port
from pyteam.engine.snapshot import Setting
from pyteam.frames.lacp import Info
from pyteam.link import format_address

#: Mb/s, by their codes; any other, and an unknown one, is 0.
_SPEEDS: Final = (
    *(0, 10, 100, 1000, 2500, 5000, 10000, 14000, 20000, 25000, 40000, 50000, 56000, 100000),
    *(200000, 400000, 800000, 1600000),
)
_CODES: Final = {speed: code for code, speed in enumerate(_SPEEDS)}
_NOBODY: Final = Info(0, bytes(6), 0, 0, 0, 0)


def actor_key(choice: KeyChoice, port: Port) -> int:
    """With ``speed``: the low ten bits of the port's own key, five of a code of the speed, one of duplex."""
    key = port.config.lacp_key
    if choice == "port":
        return key
    return (key << 6 & 0xFFFF) | _CODES.get(port.speed, 0) << 1 | port.duplex


def port_items(now: float, lacp: LacpPort | None, config: PortConfig) -> Mapping[str, Setting]:
    """``lacp`` None: the team device is down. Times in milliseconds before ``now``; -1: never."""
    shared = {"key": config.lacp_key, "prio": config.lacp_prio}
    if lacp is None:
        return {
            **shared,
            "state": "disabled",
            "selected": False,
            "aggregator": {"id": 0, "selected": False},
            "actor_lacpdu_info": _info(_NOBODY),
            "partner_lacpdu_info": _info(_NOBODY),
            "why_not": "the team device is down",
        }
    return {
        **shared,
        "state": lacp.state,
        "selected": lacp.lag is not None,
        "aggregator": {"id": lacp.aggregator, "selected": lacp.lag is not None and lacp.lag.used},
        "actor_lacpdu_info": _info(lacp.actor),
        "partner_lacpdu_info": _info(lacp.partner),
        "why_not": lacp.why_not,
        "role": lacp.selected.value,
        "mux_state": lacp.mux_state.value,
        "collecting": lacp.collecting,
        "distributing": lacp.distributing,
        "fallback": lacp.fallback,
        "actor_churn": lacp.actor_churn,
        "partner_churn": lacp.partner_churn,
        "partner_retry_count": lacp.partner_retry_count,
        "last_received": _ago(now, lacp.last_received),
        "last_sent": _ago(now, lacp.last_sent),
        "counters": asdict(lacp.counters),
    }


def _info(info: Info) -> Mapping[str, Setting]:
    return {**info._asdict(), "system": format_address(info.system)}


def _ago(now: float, then: float | None) -> int:
    return -1 if then is None else max(0, round((now - then) * 1000))
