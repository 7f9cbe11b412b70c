"""Churn detection (802.1AX-2014, 6.4.17): a side that is not in sync after a minute has a problem."""

from __future__ import annotations

from math import inf
from typing import Final

from pyteam.engine.lacp.machine import Entry, Machine, Row
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import CHURN_DETECTION_TIME, SYNC, ChurnState
from pyteam.engine.outcome import Level


def _machine(side: str) -> Machine:
    """The same table for either side, ``actor`` or ``partner``."""
    timer, name = f"{side}_churn_timer", side.capitalize()
    is_actor = side == "actor"

    def in_sync(port: LacpPort, now: float) -> int:
        return (port.actor if is_actor else port.partner).state & SYNC

    def stop(port: LacpPort, now: float) -> None:
        setattr(port, timer, inf)

    def start(port: LacpPort, now: float) -> None:
        setattr(port, timer, now + CHURN_DETECTION_TIME)

    def churn(port: LacpPort, now: float) -> None:
        stop(port, now)
        who = "We are" if is_actor else "The partner is"
        port.log(Level.INFO, f"{who} not in sync for {CHURN_DETECTION_TIME:.0f} s: {port.why_not}.")

    def rests(port: LacpPort, now: float) -> bool:
        return not port.enabled or bool(in_sync(port, now))

    sync = f"{name}.Synchronization"
    return Machine(
        f"{name} churn detection machine",
        f"{side}_churn_state",
        "6.4.17",
        [
            # A port that is down does not churn: nobody is there to agree with.
            Row(None, ChurnState.NO_CHURN, f"{sync} = TRUE or port_enabled = FALSE", rests, "6.4.17"),
            Row(
                ChurnState.NO_CHURN,
                ChurnState.CHURN_MONITOR,
                f"{sync} = FALSE and port_enabled = TRUE",
                lambda port, now: not rests(port, now),
                "6.4.17",
            ),
            Row(
                ChurnState.CHURN_MONITOR,
                ChurnState.CHURN,
                f"{timer} expired",
                lambda port, now: now >= getattr(port, timer),
                "6.4.17",
            ),
        ],
        {
            ChurnState.NO_CHURN: Entry(f"{side}_churn = FALSE", stop),
            ChurnState.CHURN_MONITOR: Entry(f"{side}_churn = FALSE; start {timer} (60 s)", start),
            ChurnState.CHURN: Entry(f"{side}_churn = TRUE", churn),
        },
    )


ACTOR: Final = _machine("actor")
PARTNER: Final = _machine("partner")
