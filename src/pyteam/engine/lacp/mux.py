"""The mux machine (802.1AX-2014, 6.4.15): attached to the aggregator, collecting, distributing.

Two tables: coupled control, where both begin at once, and independent control, where a port distributes
only to a partner that is known to collect.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import Final

from pyteam.engine.lacp.machine import Entry, Machine, Row
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import (
    AGGREGATE_WAIT_TIME,
    CHURN_DETECTION_TIME,
    COLLECTING,
    DISTRIBUTING,
    SYNC,
    MuxState,
    Selected,
)


def _is_selected(port: LacpPort, now: float) -> bool:
    return port.selected is Selected.SELECTED


def _is_unselected(port: LacpPort, now: float) -> bool:
    return port.selected is Selected.UNSELECTED


def _is_wanted(port: LacpPort, now: float) -> bool:
    return port.selected is not Selected.UNSELECTED


def _must_go(port: LacpPort, now: float) -> bool:
    return port.selected is not Selected.SELECTED


def _is_ready(port: LacpPort, now: float) -> bool:
    """Ready: every port that waits to attach to this aggregator has waited long enough (6.4.14.1)."""
    return _is_selected(port, now) and port.ready and port.lag is not None and port.lag.ready


def _may_collect(port: LacpPort, now: float) -> bool:
    return _is_selected(port, now) and port.partner_in_sync


def _must_stop(port: LacpPort, now: float) -> bool:
    return _must_go(port, now) or not port.partner_in_sync


def _may_distribute(port: LacpPort, now: float) -> bool:
    return _may_collect(port, now) and port.partner_collects


def _must_not_distribute(port: LacpPort, now: float) -> bool:
    return _must_stop(port, now) or not port.partner_collects


def _detached(port: LacpPort, now: float) -> None:
    port.say(SYNC | COLLECTING | DISTRIBUTING, False)
    port.wait_while, port.ready = inf, False
    port.refusal_timer = inf
    port.ntt = True


def _waiting(port: LacpPort, now: float) -> None:
    port.wait_while, port.ready = now + AGGREGATE_WAIT_TIME, False


def _attached(port: LacpPort, now: float) -> None:
    port.wait_while = inf
    port.refusal_timer = now + CHURN_DETECTION_TIME
    port.say(COLLECTING | DISTRIBUTING, False)
    port.say(SYNC)
    port.ntt = True


def _collecting_distributing(port: LacpPort, now: float) -> None:
    port.say(COLLECTING | DISTRIBUTING)
    port.refusal_timer = inf
    port.ntt = True


def _collecting(port: LacpPort, now: float) -> None:
    port.say(DISTRIBUTING, False)
    port.say(COLLECTING)
    port.refusal_timer = inf
    port.ntt = True


_S = MuxState

_UNTIL_ATTACHED: Final = [
    Row(_S.DETACHED, _S.WAITING, "Selected = SELECTED or STANDBY", _is_wanted, "6.4.15"),
    Row(_S.WAITING, _S.DETACHED, "Selected = UNSELECTED", _is_unselected, "6.4.15"),
    Row(_S.WAITING, _S.ATTACHED, "Selected = SELECTED and Ready = TRUE", _is_ready, "6.4.15"),
    Row(_S.ATTACHED, _S.DETACHED, "Selected = UNSELECTED or STANDBY", _must_go, "6.4.15"),
]
_ENTRIES_UNTIL_ATTACHED: Final[dict[StrEnum, Entry]] = {
    _S.DETACHED: Entry(
        "Actor.Synchronization, Collecting, Distributing = FALSE; detach; NTT = TRUE", _detached
    ),
    _S.WAITING: Entry("start wait_while_timer", _waiting),
    _S.ATTACHED: Entry(
        "attach; Actor.Synchronization = TRUE; Collecting, Distributing = FALSE; NTT = TRUE", _attached
    ),
}

COUPLED: Final = Machine(
    "Mux machine, coupled control",
    "mux_state",
    "6.4.15",
    [
        *_UNTIL_ATTACHED,
        Row(
            _S.ATTACHED,
            _S.COLLECTING_DISTRIBUTING,
            "Selected = SELECTED and Partner.Synchronization = TRUE",
            _may_collect,
            "6.4.15",
        ),
        Row(
            _S.COLLECTING_DISTRIBUTING,
            _S.ATTACHED,
            "Selected = UNSELECTED or STANDBY, or Partner.Synchronization = FALSE",
            _must_stop,
            "6.4.15",
        ),
    ],
    {
        **_ENTRIES_UNTIL_ATTACHED,
        _S.COLLECTING_DISTRIBUTING: Entry(
            "Actor.Collecting, Distributing = TRUE; NTT = TRUE", _collecting_distributing
        ),
    },
)

INDEPENDENT: Final = Machine(
    "Mux machine, independent control",
    "mux_state",
    "6.4.15",
    [
        *_UNTIL_ATTACHED,
        Row(
            _S.ATTACHED,
            _S.COLLECTING,
            "Selected = SELECTED and Partner.Synchronization = TRUE",
            _may_collect,
            "6.4.15",
        ),
        Row(
            _S.COLLECTING,
            _S.ATTACHED,
            "Selected = UNSELECTED or STANDBY, or Partner.Synchronization = FALSE",
            _must_stop,
            "6.4.15",
        ),
        Row(
            _S.COLLECTING,
            _S.DISTRIBUTING,
            "Selected = SELECTED and Partner.Synchronization = TRUE and Partner.Collecting = TRUE",
            _may_distribute,
            "6.4.15",
        ),
        Row(
            _S.DISTRIBUTING,
            _S.COLLECTING,
            "Selected = UNSELECTED or STANDBY, or Partner.Synchronization or Partner.Collecting = FALSE",
            _must_not_distribute,
            "6.4.15",
        ),
    ],
    {
        **_ENTRIES_UNTIL_ATTACHED,
        _S.COLLECTING: Entry("Actor.Collecting = TRUE; Actor.Distributing = FALSE; NTT = TRUE", _collecting),
        _S.DISTRIBUTING: Entry("Actor.Distributing = TRUE; NTT = TRUE", _collecting_distributing),
    },
)


def machine(port: LacpPort) -> Machine:
    return INDEPENDENT if port.rules.independent else COUPLED


def translate(port: LacpPort) -> None:
    """The control changed while the port was in use: the state of the other table that does the same."""
    if port.rules.independent and port.mux_state is _S.COLLECTING_DISTRIBUTING:
        port.mux_state = _S.DISTRIBUTING
    elif not port.rules.independent and port.mux_state in (_S.COLLECTING, _S.DISTRIBUTING):
        port.mux_state = _S.COLLECTING_DISTRIBUTING
        port.say(COLLECTING | DISTRIBUTING)
        port.ntt = True
