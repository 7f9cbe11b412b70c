"""The selection logic (802.1AX-2014, 6.4.14): which port belongs to which aggregator, and which one is used.

Ports of one link aggregation group have equal keys and the same partner, and equal speeds besides; the
partner's word that a link is individual leaves it alone. One aggregator is used. Its ports are SELECTED, as
many as may be; all others that have an aggregator are STANDBY, and have done their waiting when they are
needed. Another one takes the place of one that works only when it has waited, so that a port that comes and
goes disturbs nobody. A port of which no partner is known, or that is looped back to us, is UNSELECTED.

What one port's change costs depends on the number of aggregators, not of ports; but where the number of
active ports is limited, and while another aggregator is chosen, all members are looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from pyteam.engine.lacp.aggregator import Aggregator
from pyteam.engine.lacp.policy import POLICIES, hopeful, no_size, slot_order
from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.settings import Settings
from pyteam.engine.lacp.states import AGGREGATION, MuxState, ReceiveState, Selected
from pyteam.engine.outcome import Level

_NO_PARTNER: Final = "fallback"


class Selection:
    """``stirred``: ports about which something was decided, so that their machines have to run."""

    def __init__(self, settings: Settings) -> None:
        self.stirred: dict[LacpPort, None] = {}
        self.chosen: Aggregator | None = None
        #: Something that users see changed without a port's own machines.
        self.changed = False
        self._groups: dict[Hashable, list[Aggregator]] = {}
        self._states: dict[ReceiveState, set[LacpPort]] = {state: set() for state in ReceiveState}
        self._where: dict[LacpPort, ReceiveState] = {}
        self._fallback: LacpPort | None = None
        #: A user chose the aggregator when these were the facts.
        self._by_hand: object = None
        self._held = False
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Another policy, or limit; takes effect at the next change, or `decide`."""
        self._settings = settings
        self._policy = POLICIES[settings.select_policy]
        self._by_hand = None
        self._elect_fallback()

    @property
    def aggregators(self) -> list[Aggregator]:
        return [lag for group in self._groups.values() for lag in group]

    def update(self, port: LacpPort) -> None:
        """Something of this port has changed, perhaps."""
        self._count(port)
        key = self._key(port)
        lag = port.lag
        if lag is not None and (
            port.selected is Selected.UNSELECTED
            or key != lag.key
            or not lag.admits(port)
            or (len(lag.members) == 1 and self._fitting(port, key))
        ):
            self._leave(port)
            # One that is expired has a place only as long as it keeps it.
            key = self._key(port)
        if port.lag is None and key is not None and port.mux_state is MuxState.DETACHED:
            self._join(port, key)
        elif port.lag is not None and port.lag.lead_by(self._policy.worth, port):
            self.changed = True
        self.decide(port)

    def remove(self, port: LacpPort) -> None:
        """It is a port no longer."""
        self._states[self._where.pop(port, ReceiveState.INITIALIZE)].discard(port)
        if self._fallback is port:
            self._fallback, port.fallback = None, False
        if port.lag is not None:
            self._leave(port)
        self.decide()
        self.stirred.pop(port, None)
        self._elect_fallback()

    def choose(self, port: LacpPort) -> bool:
        """A user picks this port's aggregator: until something changes on which the choice rests."""
        if port.lag is None:
            return False
        self._by_hand = self._read()
        self._use(port.lag)
        return True

    def adopt(self, used: Sequence[LacpPort], others: Sequence[LacpPort]) -> None:
        """They come back from a restart as what they were; ``used``: the aggregator that was used."""
        ports = [*used, *others]
        for port in ports:
            self._count(port)
        for port in ports:
            self.stirred[port] = None
            key = self._key(port)
            if key is None or port.lag is not None:
                continue
            self._join(port, key)
            if port in used:
                self._use(port.lag)

    def trust(self, port: LacpPort) -> None:
        """Whether it is to be trusted is another thing now."""
        self.stirred[port] = None
        self._elect_fallback()

    def hold(self, so: bool) -> None:
        """While it is so, the aggregator in use stays what it is."""
        self._held = so
        if not so:
            self.decide()

    def ready(self, lag: Aggregator) -> None:
        """Those that waited for others have to wait no longer."""
        for port in lag.ports:
            if port.mux_state is MuxState.WAITING:
                self.stirred[port] = None

    def _key(self, port: LacpPort) -> Hashable:
        """What a port has to have in common with the members of its aggregator; None: it is to have none."""
        if not port.trusted:
            return None
        known = port.receive_state is ReceiveState.CURRENT or (
            port.receive_state is ReceiveState.EXPIRED and port.lag is not None
        )
        if not known:
            return (_NO_PARTNER, port.ifindex) if port.fallback else None
        if port.looks_looped:
            if not port.looped:
                port.looped = True
                port.log(Level.WARNING, "Port seems to be loopbacked to the same team device.")
            return None
        partner = port.partner
        individual = 0 if partner.state & AGGREGATION else port.ifindex
        return port.actor.key, partner.system_priority, partner.system, partner.key, individual

    def _join(self, port: LacpPort, key: Hashable) -> None:
        lag = self._fitting(port, key)
        if lag is None:
            lag = Aggregator(key, port)
            self._groups.setdefault(key, []).append(lag)
        else:
            lag.add(port)
            lag.lead_by(self._policy.worth, port)
        port.lag = lag
        port.selected = Selected.STANDBY
        self.changed = True

    def _fitting(self, port: LacpPort, key: Hashable) -> Aggregator | None:
        """Another aggregator of this group that it may join: rather one whose speed is known."""
        others = [lag for lag in self._groups.get(key, ()) if lag is not port.lag and lag.admits(port)]
        return max(others, key=lambda lag: lag.speed, default=None)

    def _leave(self, port: LacpPort) -> None:
        lag = port.lag
        assert lag is not None, "only members leave"
        waited = bool(lag.waiting)
        lag.remove(port)
        port.lag = None
        port.selected = Selected.UNSELECTED
        self.stirred[port] = None
        self.changed = True
        if not lag.members:
            group = self._groups[lag.key]
            group.remove(lag)
            if not group:
                del self._groups[lag.key]
            return
        lag.lead_by(self._policy.worth, port)
        if waited and lag.ready:
            self.ready(lag)

    # Which aggregator is used.

    def decide(self, touched: LacpPort | None = None) -> None:
        """Choose anew if a fact has changed; ``touched``: the only port whose facts may have."""
        chosen = self._choice()
        if chosen is not self.chosen or touched is None:
            self._use(chosen)
            return
        if self._settings.max_active_ports:
            self._fill(chosen)
        if touched.lag is not None and not (touched.lag is chosen and self._settings.max_active_ports):
            self._assign(touched, touched.lag is chosen)

    def _choice(self) -> Aggregator | None:
        lags = self.aggregators
        chosen = self.chosen if self.chosen in lags else None
        if self._held:
            return chosen
        if len(lags) < 2:
            self._by_hand = None
            return lags[0] if lags else None
        if self._by_hand is not None:
            if chosen is not None and self._by_hand == self._read():
                return chosen
            self._by_hand = None
        policy = self._policy
        if chosen is not None and hopeful(chosen) and policy.keeps(chosen):
            return chosen
        # One of a size is left for another only by policies that do not look at sizes.
        steady = policy.size is not no_size

        def rank(lag: Aggregator) -> tuple[Any, ...]:
            stays = steady and lag is not chosen
            return not hopeful(lag), not lag.settled, policy.size(lag), stays, policy.worth(lag.lead)

        return min(lags, key=rank)

    def _read(self) -> object:
        """What the policy looks at."""
        size, worth = self._policy.size, self._policy.worth
        return [(lag.lead.ifindex, hopeful(lag), size(lag), worth(lag.lead)) for lag in self.aggregators]

    def _use(self, chosen: Aggregator | None) -> None:
        if chosen is not self.chosen:
            self.chosen = chosen
            self.changed = True
        for lag in self.aggregators:
            lag.used = lag is chosen
            if not lag.used:
                for port in lag.ports:
                    self._assign(port, False)
        self._fill(chosen)

    def _fill(self, lag: Aggregator | None) -> None:
        """Its ports are selected, as many as may be."""
        if lag is None:
            return
        limit = self._settings.max_active_ports
        ports = sorted(lag.ports, key=slot_order) if limit else list(lag.ports)
        for place, port in enumerate(ports):
            self._assign(port, not limit or place < limit)

    def _assign(self, port: LacpPort, used: bool) -> None:
        selected = Selected.SELECTED if used else Selected.STANDBY
        if port.selected is not selected:
            port.selected = selected
            self.stirred[port] = None

    # Fallback.

    def _count(self, port: LacpPort) -> None:
        before, state = self._where.get(port), port.receive_state
        if before is state:
            return
        if before is not None:
            self._states[before].discard(port)
        self._states[state].add(port)
        self._where[port] = state
        self._elect_fallback()

    def _elect_fallback(self) -> None:
        """One port forwards while none has a partner; one that may still find its own delays that."""
        best = None
        defaulted = self._states[ReceiveState.DEFAULTED]
        delayed = self._states[ReceiveState.EXPIRED] and self._fallback is None
        if self._settings.fallback and not self._states[ReceiveState.CURRENT] and not delayed:
            best = min(
                (port for port in defaulted if port.trusted),
                key=lambda port: (port.settings.priority, port.settings.number),
                default=None,
            )
        for port in {self._fallback, best} - {None} if best is not self._fallback else ():
            assert port is not None, "taken out above"
            port.fallback = port is best
            self.stirred[port] = None
        self._fallback = best
