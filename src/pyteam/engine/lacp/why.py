"""Why a port does not distribute, in words: the first row that is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pyteam.engine.lacp.states import ACTIVITY, DISTRIBUTING, MuxState, ReceiveState, Selected
from pyteam.link import format_address

if TYPE_CHECKING:
    from pyteam.engine.lacp.port import LacpPort


def _partner(port: LacpPort) -> str:
    return f"the partner {format_address(port.partner.system)}"


_ROWS: Final[tuple[tuple[Callable[[LacpPort], bool], Callable[[LacpPort], str]], ...]] = (
    (lambda port: bool(port.actor.state & DISTRIBUTING), lambda port: ""),
    (lambda port: not port.enabled, lambda port: "its link is down"),
    (lambda port: not port.trusted, lambda port: "a link watch says that it does not work"),
    (lambda port: not port.lacp_enabled, lambda port: "its link is half duplex"),
    (
        lambda port: port.receive_state is ReceiveState.CURRENT and port.looks_looped,
        lambda port: "it hears this very system: the cable is a loop, or somebody uses our MAC",
    ),
    (
        lambda port: port.receive_state is ReceiveState.EXPIRED and port.lag is not None,
        lambda port: f"{_partner(port)} has fallen silent",
    ),
    (
        lambda port: port.receive_state is not ReceiveState.CURRENT and not port.actor.state & ACTIVITY,
        lambda port: "no LACPDU has come, and we are passive and do not begin",
    ),
    (
        lambda port: port.receive_state is not ReceiveState.CURRENT and port.last_received is None,
        lambda port: "no LACPDU has come: the other end speaks no LACP, or is passive too",
    ),
    (
        lambda port: port.receive_state is not ReceiveState.CURRENT and not port.fallback,
        lambda port: "no LACPDU comes any more",
    ),
    (
        lambda port: port.lag is not None and not port.lag.used,
        lambda port: "the team uses another aggregator",
    ),
    (
        lambda port: port.selected is Selected.STANDBY,
        lambda port: (
            f"it stands by: {port.rules.max_active_ports} ports may be active at once, others come first"
        ),
    ),
    (
        lambda port: port.mux_state in (MuxState.DETACHED, MuxState.WAITING),
        lambda port: "it waits for other ports to join with it",
    ),
    (
        lambda port: not port.partner_in_sync and port.claims_sync,
        lambda port: f"{_partner(port)} has not heard who we are now",
    ),
    (
        lambda port: not port.partner_in_sync,
        lambda port: f"{_partner(port)} is not in sync: it has not chosen this port",
    ),
)


def why_not(port: LacpPort) -> str:
    return next((text(port) for test, text in _ROWS if test(port)), f"{_partner(port)} does not collect yet")
