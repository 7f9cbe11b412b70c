"""Which aggregator is used: one row a policy, pure functions of aggregators.

In all of them an aggregator that can work now comes before one that cannot: a partner that is the better
system and does not claim to be in sync uses another aggregator, or none. That, and that lacp_prio looks
with the better system's eyes, makes both ends choose the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pyteam.engine.lacp.aggregator import Aggregator, Worth
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import ReceiveState
from pyteam.frames.lacp import Info


def decides(port: LacpPort) -> bool:
    """Whether we are the better system, whose priorities count (6.4.2.1: the lower one)."""
    return port.actor[:2] < port.partner[:2]


def lacp_priority(port: LacpPort) -> tuple[int, bytes, int, int]:
    """The port as the better system ranks it; the lower the better."""
    side: Info = port.actor if decides(port) else port.partner
    return side.system_priority, side.system, side.port_priority, side.port


def _configured(port: LacpPort) -> tuple[Any, ...]:
    return -port.settings.prio, *lacp_priority(port)


def works(port: LacpPort) -> bool:
    """Whether the partner uses this port, or it is ours to say so and it has not refused for a minute."""
    follows = decides(port) and not port.refused
    return port.receive_state is ReceiveState.CURRENT and (port.claims_sync or follows)


def slot_order(port: LacpPort) -> tuple[Any, ...]:
    """Who is active where not all may be (6.4.14.2): the better system's order."""
    return not works(port), *lacp_priority(port)


def hopeful(lag: Aggregator) -> bool:
    return any(works(port) for port in lag.ports)


def _speed(lag: Aggregator) -> int:
    return -sum(port.speed for port in lag.ports if port.receive_state is ReceiveState.CURRENT)


def _count(lag: Aggregator) -> int:
    return -sum(port.receive_state is ReceiveState.CURRENT for port in lag.ports)


def no_size(lag: Aggregator) -> int:
    return 0


def _never(lag: Aggregator) -> bool:
    return False


def _sticky(lag: Aggregator) -> bool:
    return any(port.settings.sticky for port in lag.ports)


@dataclass(frozen=True, slots=True)
class Policy:
    """``worth`` of a port, which leads an aggregator, and ``size`` of an aggregator: the lower the better.

    ``keeps``: whether the one in use stays in use as long as it can work.
    """

    worth: Worth
    size: Callable[[Aggregator], int] = no_size
    keeps: Callable[[Aggregator], bool] = _never


POLICIES: Final = {
    "lacp_prio": Policy(lacp_priority),
    "lacp_prio_stable": Policy(lacp_priority, keeps=hopeful),
    "bandwidth": Policy(lacp_priority, size=_speed),
    "count": Policy(lacp_priority, size=_count),
    "port_config": Policy(_configured, keeps=_sticky),
}
