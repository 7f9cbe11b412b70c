"""The words of the standard that several machines share: states, bits and times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pyteam.frames.lacp import Info, State

#: Seconds (6.4.4).
FAST_PERIODIC_TIME: Final = 1.0
SLOW_PERIODIC_TIME: Final = 30.0
SHORT_TIMEOUT_TIME: Final = 3.0
CHURN_DETECTION_TIME: Final = 60.0
AGGREGATE_WAIT_TIME: Final = 2.0

#: LACPDUs in any Fast_Periodic_Time (6.4.16).
LACPDU_LIMIT: Final = 3
#: Slow protocols may have ten frames a second (802.3, 57A.3): answers to markers get the rest of them.
MARKER_LIMIT: Final = 7

#: As plain numbers: members of an IntFlag cost a microsecond at every use.
ACTIVITY: Final = State.ACTIVITY.value
TIMEOUT: Final = State.TIMEOUT.value
AGGREGATION: Final = State.AGGREGATION.value
SYNC: Final = State.SYNC.value
COLLECTING: Final = State.COLLECTING.value
DISTRIBUTING: Final = State.DISTRIBUTING.value
DEFAULTED: Final = State.DEFAULTED.value
EXPIRED: Final = State.EXPIRED.value

#: A partner of whom nothing is known: nobody, who would want to be told often (6.4.7, Partner_Admin).
NOBODY: Final = Info(0, bytes(6), 0, 0, 0, TIMEOUT)
#: An actor before it has a name.
UNNAMED: Final = NOBODY._replace(state=0)


class ReceiveState(StrEnum):
    INITIALIZE = "initialize"
    PORT_DISABLED = "port disabled"
    EXPIRED = "expired"
    LACP_DISABLED = "LACP disabled"
    DEFAULTED = "defaulted"
    CURRENT = "current"


class PeriodicState(StrEnum):
    NO_PERIODIC = "no periodic"
    FAST_PERIODIC = "fast periodic"
    SLOW_PERIODIC = "slow periodic"
    PERIODIC_TX = "periodic tx"


class MuxState(StrEnum):
    DETACHED = "detached"
    WAITING = "waiting"
    ATTACHED = "attached"
    COLLECTING_DISTRIBUTING = "collecting distributing"
    COLLECTING = "collecting"
    DISTRIBUTING = "distributing"


class ChurnState(StrEnum):
    NO_CHURN = "no churn"
    CHURN_MONITOR = "churn monitor"
    CHURN = "churn"


class Selected(StrEnum):
    """UNSELECTED: in no aggregator; STANDBY: in one, but it waits."""

    UNSELECTED = "unselected"
    STANDBY = "standby"
    SELECTED = "selected"


@dataclass(slots=True)
class Counters:
    """Frames and state changes since the port was added, or since they were cleared."""

    lacpdus_received: int = 0
    lacpdus_sent: int = 0
    markers_received: int = 0
    marker_responses_received: int = 0
    marker_responses_sent: int = 0
    #: Slow protocols that cannot be read.
    illegal: int = 0
    #: Slow protocols that are others'.
    unknown: int = 0
    #: Changes of ``LacpPort.state``.
    state_changes: int = 0
