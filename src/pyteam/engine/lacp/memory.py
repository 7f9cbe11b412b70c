"""What a system remembers beyond a restart: plain data, fit for JSON.

Only what cannot be learned anew in time: who the partners are, and that we were in sync with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, Final

from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import (
    AGGREGATE_WAIT_TIME,
    DEFAULTED,
    EXPIRED,
    MuxState,
    ReceiveState,
    Selected,
)
from pyteam.frames.lacp import Info

_KEPT: Final = (ReceiveState.CURRENT, ReceiveState.DEFAULTED)


def save(ports: Iterable[LacpPort]) -> dict[str, Any]:
    return {"ports": {str(port.ifindex): _save_port(port) for port in ports}}


def numbers(saved: Any) -> dict[int, int]:
    """Port numbers by ifindex, as they were; they have to stay. Nothing from what is no saved value."""
    return {
        ifindex: record["number"]
        for ifindex, record in records(saved).items()
        if isinstance(record.get("number"), int) and 1 <= record["number"] <= 0xFFFF
    }


def records(saved: Any) -> dict[int, Mapping[str, Any]]:
    """What was saved, by ifindex."""
    ports = saved.get("ports") if isinstance(saved, dict) else None
    if not isinstance(ports, dict):
        return {}
    return {
        int(ifindex): record
        for ifindex, record in ports.items()
        if isinstance(ifindex, str) and ifindex.isdecimal() and isinstance(record, dict)
    }


def restore_port(port: LacpPort, record: Mapping[str, Any], now: float) -> bool:
    """Take up what was saved, if the port is still who it was. False: it begins like any other.

    Its aggregator is the selection's to find.
    """
    try:
        actor, partner = _load_info(record["actor"]), _load_info(record["partner"])
        receive, mux = ReceiveState(record["receive"]), MuxState(record["mux"])
        count = int(record["partner_retry_count"])
    except (KeyError, TypeError, ValueError):
        return False
    if actor[:5] != port.actor[:5] or receive not in _KEPT or not 3 <= count <= 255:
        return False
    port.enabled = True
    port.receive_state = receive
    port.mux_state = mux
    port.ready = bool(record.get("ready"))
    if mux is MuxState.WAITING and not port.ready:
        port.wait_while = now + AGGREGATE_WAIT_TIME
    port.sent.clear()
    port.last_sent = None
    port.partner_retry_count = count
    port.record(partner)
    port.claims_sync = bool(record.get("claims_sync"))
    port.identify(port.actor._replace(state=actor.state & ~EXPIRED))
    port.name(actor.system)
    port.current_while = inf
    if receive is ReceiveState.CURRENT:
        port.say(DEFAULTED, False)
        port.current_while = now + port.patience
    return True


def _save_port(port: LacpPort) -> dict[str, Any]:
    return {
        "number": port.settings.number,
        "actor": _save_info(port.actor),
        "partner": _save_info(port.partner),
        "receive": port.receive_state.value,
        "mux": port.mux_state.value,
        "selected": port.selected is Selected.SELECTED,
        "ready": port.ready,
        "claims_sync": port.claims_sync,
        "partner_retry_count": port.partner_retry_count,
    }


def _save_info(info: Info) -> list[Any]:
    return list(info._replace(system=info.system.hex()))  # type: ignore[arg-type]


def _load_info(saved: Any) -> Info:
    """Raises ValueError, TypeError."""
    priority, system, key, port_priority, port, state = saved
    info = Info(int(priority), bytes.fromhex(system), int(key), int(port_priority), int(port), int(state))
    shorts = info.system_priority, info.key, info.port_priority, info.port, info.state << 8
    if len(info.system) != 6 or not all(0 <= value <= 0xFFFF for value in shorts):
        raise ValueError(saved)
    return info
