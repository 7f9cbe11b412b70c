"""The periodic transmission machine (802.1AX-2014, 6.4.13): how often the partner wants to hear from us."""

from __future__ import annotations

from math import inf
from typing import Final

from pyteam.engine.lacp.machine import Entry, Machine, Row
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import ACTIVITY, FAST_PERIODIC_TIME, SLOW_PERIODIC_TIME, TIMEOUT, PeriodicState


def _silent(port: LacpPort, now: float) -> bool:
    nobody_active = not (port.actor.state | port.partner.state) & ACTIVITY
    return not port.enabled or not port.lacp_enabled or nobody_active


def _no_periodic(port: LacpPort, now: float) -> None:
    port.periodic_timer = inf


def _fast(port: LacpPort, now: float) -> None:
    port.periodic_timer = now + FAST_PERIODIC_TIME


def _slow(port: LacpPort, now: float) -> None:
    port.periodic_timer = now + SLOW_PERIODIC_TIME


def _transmit(port: LacpPort, now: float) -> None:
    port.ntt = True


_S = PeriodicState

MACHINE: Final = Machine(
    "Periodic transmission machine",
    "periodic_state",
    "6.4.13",
    [
        Row(
            None,
            _S.NO_PERIODIC,
            "port_enabled = FALSE or LACP_Enabled = FALSE or both sides passive",
            _silent,
            "6.4.13",
        ),
        # The standard goes on without a word; a partner would then wait a second for the first LACPDU.
        Row(
            _S.NO_PERIODIC,
            _S.PERIODIC_TX,
            "else",
            lambda port, now: not _silent(port, now),
            "6.4.13, but FAST_PERIODIC",
        ),
        Row(
            _S.FAST_PERIODIC,
            _S.PERIODIC_TX,
            "periodic_timer expired",
            lambda port, now: now >= port.periodic_timer,
            "6.4.13",
        ),
        Row(
            _S.FAST_PERIODIC,
            _S.SLOW_PERIODIC,
            "Partner.LACP_Timeout = Long",
            lambda port, now: not port.partner.state & TIMEOUT,
            "6.4.13",
        ),
        Row(
            _S.SLOW_PERIODIC,
            _S.PERIODIC_TX,
            "periodic_timer expired or Partner.LACP_Timeout = Short",
            lambda port, now: now >= port.periodic_timer or port.partner.state & TIMEOUT,
            "6.4.13",
        ),
        Row(
            _S.PERIODIC_TX,
            _S.FAST_PERIODIC,
            "Partner.LACP_Timeout = Short",
            lambda port, now: port.partner.state & TIMEOUT,
            "6.4.13",
        ),
        Row(
            _S.PERIODIC_TX,
            _S.SLOW_PERIODIC,
            "Partner.LACP_Timeout = Long",
            lambda port, now: not port.partner.state & TIMEOUT,
            "6.4.13",
        ),
    ],
    {
        _S.NO_PERIODIC: Entry("stop periodic_timer", _no_periodic),
        _S.FAST_PERIODIC: Entry("start periodic_timer (1 s)", _fast),
        _S.SLOW_PERIODIC: Entry("start periodic_timer (30 s)", _slow),
        _S.PERIODIC_TX: Entry("NTT = TRUE", _transmit),
    },
)
