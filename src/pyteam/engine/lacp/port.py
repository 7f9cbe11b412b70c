"""The variables of one port (802.1AX-2014, 6.4.7), on which all machines work.

Names are the standard's. From outside, a port is to be read only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import InitVar, dataclass, field
from math import inf
from typing import TYPE_CHECKING, Final

from pyteam.engine.lacp.settings import PortSettings, Settings
from pyteam.engine.lacp.states import (
    ACTIVITY,
    AGGREGATION,
    COLLECTING,
    DISTRIBUTING,
    FAST_PERIODIC_TIME,
    LACPDU_LIMIT,
    MARKER_LIMIT,
    NOBODY,
    SLOW_PERIODIC_TIME,
    SYNC,
    TIMEOUT,
    UNNAMED,
    ChurnState,
    Counters,
    MuxState,
    PeriodicState,
    ReceiveState,
    Selected,
)
from pyteam.engine.lacp.why import why_not
from pyteam.engine.outcome import Level
from pyteam.frames.lacp import RETRY_COUNT, Info, Lacpdu

if TYPE_CHECKING:
    from pyteam.engine.lacp.aggregator import Aggregator

Remark = tuple[Level, int, str]


@dataclass(slots=True, eq=False)
class LacpPort:
    """Times are in seconds; a timer holds when it expires, ``inf`` when it does not run.

    ``rules`` are the system's settings, ``system`` its MAC; ``remarks`` is where lines for the log go.
    """

    ifindex: int
    settings: PortSettings
    rules: Settings
    system: InitVar[bytes]
    remarks: list[Remark] = field(repr=False)
    counters: Counters = field(default_factory=Counters)

    # The link.
    enabled: bool = False
    speed: int = 0
    full_duplex: bool | None = None
    #: Whoever watches it does not say that it fails.
    trusted: bool = True

    # Who both sides are.
    actor: Info = UNNAMED
    partner: Info = NOBODY
    #: The partner's Sync bit as it sent it, whatever it thinks that we are.
    claims_sync: bool = False

    # Machines.
    receive_state: ReceiveState = ReceiveState.INITIALIZE
    periodic_state: PeriodicState = PeriodicState.NO_PERIODIC
    mux_state: MuxState = MuxState.DETACHED
    actor_churn_state: ChurnState = ChurnState.NO_CHURN
    partner_churn_state: ChurnState = ChurnState.NO_CHURN
    selected: Selected = Selected.UNSELECTED
    lag: Aggregator | None = None
    #: Chosen to forward without a partner.
    fallback: bool = False
    #: port_moved.
    moved: bool = False
    #: A LACPDU that the receive machine has not looked at yet.
    pdu: Lacpdu | None = None
    ntt: bool = False
    #: Ready_N.
    ready: bool = False

    # Timers.
    current_while: float = inf
    periodic_timer: float = inf
    wait_while: float = inf
    actor_churn_timer: float = inf
    partner_churn_timer: float = inf
    transmit_timer: float = inf
    #: Runs while we are in sync and the partner is not; then it is taken for one that will not be.
    refusal_timer: float = inf
    refused: bool = False
    #: When the system looks at this port next: never later than its first timer.
    alarm: float = inf

    #: Seconds after a LACPDU within which there has to be another.
    patience: float = 0.0
    #: A frame that would change nothing but `current_while`; or none.
    familiar: bytes | None = None
    #: The last LACPDU sent, while it is what would be sent again; and when the last ones were.
    sent_frame: bytes = b""
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=LACPDU_LIMIT))
    #: When the last markers were answered.
    responded: deque[float] = field(default_factory=lambda: deque(maxlen=MARKER_LIMIT))
    #: After a restart: listen until then.
    held_until: float = -inf
    last_received: float | None = None
    last_sent: float | None = None

    # Retry counts: what we announce, what the partner does, and when it last said so.
    retry_count: int = RETRY_COUNT
    partner_retry_count: int = RETRY_COUNT
    retry_seen: float = -inf

    # What was logged, and need not be again.
    looped: bool = False
    malformed: bool = False
    #: As which partner's port the system knows it.
    heard: tuple[bytes, int] | None = None
    #: What users knew of it last.
    shown: object = None

    def __post_init__(self, system: bytes) -> None:
        self.retry_count = self.rules.retry_count
        self.name(system)

    # What it says of itself.

    @property
    def collecting(self) -> bool:
        return bool(self.actor.state & COLLECTING)

    @property
    def distributing(self) -> bool:
        return bool(self.actor.state & DISTRIBUTING)

    @property
    def aggregator(self) -> int:
        """Ifindex of the lead of its aggregator; 0: it is in none."""
        return self.lag.lead.ifindex if self.lag is not None else 0

    @property
    def actor_churn(self) -> bool:
        return self.actor_churn_state is ChurnState.CHURN

    @property
    def partner_churn(self) -> bool:
        return self.partner_churn_state is ChurnState.CHURN

    @property
    def state(self) -> str:
        """The receive machine in the four words that users know."""
        return _WORDS.get(self.receive_state, "disabled")

    @property
    def why_not(self) -> str:
        """One sentence: why this port does not distribute. Empty when it does."""
        return why_not(self)

    # What the machines do with it.

    @property
    def lacp_enabled(self) -> bool:
        """LACP_Enabled (6.4.8): never on half duplex; unknown is taken for full."""
        return self.full_duplex is not False

    @property
    def partner_in_sync(self) -> bool:
        return bool(self.partner.state & SYNC) or self.fallback

    @property
    def partner_collects(self) -> bool:
        return bool(self.partner.state & COLLECTING) or self.fallback

    @property
    def looks_looped(self) -> bool:
        return self.partner.system == self.actor.system

    def say(self, bits: int, so: bool = True) -> None:
        """Set or clear bits of the actor's state."""
        state = self.actor.state | bits if so else self.actor.state & ~bits
        if state != self.actor.state:
            self.identify(self.actor._replace(state=state))

    def identify(self, actor: Info) -> None:
        """This is the actor now."""
        self.actor = actor
        self.forget()

    def record(self, partner: Info) -> None:
        """This is the partner now."""
        if partner != self.partner:
            self.partner = partner
            self.forget()

    def forget(self) -> None:
        """What was heard or sent before may mean another thing now."""
        self.familiar, self.sent_frame = None, b""

    def name(self, system: bytes) -> None:
        """Who the actor is, from all settings and the system's MAC."""
        rules, settings = self.rules, self.settings
        self.identify(
            Info(
                rules.system_priority,
                system,
                settings.key,
                settings.priority,
                settings.number,
                self.actor.state,
            )
        )
        self.say(ACTIVITY, self.rules.active)
        self.say(TIMEOUT, self.rules.fast_rate)
        self.say(AGGREGATION)
        self.bear()

    def bear(self) -> None:
        """How long a partner may be silent (6.4.4: three periods, unless it asks for more)."""
        period = FAST_PERIODIC_TIME if self.rules.fast_rate else SLOW_PERIODIC_TIME
        self.patience = period * self.partner_retry_count
        self.forget()

    def log(self, level: Level, text: str) -> None:
        self.remarks.append((level, self.ifindex, text))

    def next_timer(self) -> float:
        return min(
            self.current_while,
            self.periodic_timer,
            self.wait_while,
            self.actor_churn_timer,
            self.partner_churn_timer,
            self.transmit_timer,
            self.refusal_timer,
        )


_WORDS: Final = {
    ReceiveState.EXPIRED: "expired",
    ReceiveState.DEFAULTED: "defaulted",
    ReceiveState.CURRENT: "current",
}
