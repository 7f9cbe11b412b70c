"""Receive balancing: which port's MAC each neighbour is told. Pure: the time is passed in.

A neighbour sends to the team by the port whose MAC it was told, so telling is steering. What was
told, and what each neighbour makes of it, is observed by the programs on the ports (`Use`); here
it is decided who is to be told something else, and when again where it did not help.

=========================  =====================================================================
what happens               what follows
=========================  =====================================================================
a port fails               another takes its MAC over (a learning frame tells the switches); its
                           neighbours are given to the ports with the fewest, and told at once
a port returns             it gets its MAC back, and as many neighbours as make the shares even
a newcomer                 the programs gave it to the port with the fewest; nothing to be done
one sends to another MAC   it is told again after 1, 2, 4 ... 32 s, as long as it does so
one port gets too much     every `INTERVAL` up to `MOST_MOVES` neighbours change from the fullest
                           port to the emptiest, if that makes things better by a clear margin
a port has another MAC     its neighbours are told
one is silent for long     it is forgotten
=========================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

#: Seconds between two looks at what neighbours do.
SWEEP: Final = 1.0
#: Neighbours that are looked at in a second, on average: a look at thousands takes its time.
LOOKED_AT: Final = 500
#: Seconds between two looks at how much each port gets.
INTERVAL: Final = 5.0
MOST_MOVES: Final = 2
#: A neighbour that was moved for its load stays so many seconds.
REST: Final = 60.0
#: A port that gets this much more than the mean is too full.
TOO_FULL: Final = 1.10
#: By which part of the mean a move must lower the fullest port.
MARGIN: Final = 0.05
#: Bytes per second on all ports together, below which load is no concern.
NO_LOAD: Final = 125_000.0
#: Seconds between two learning frames of one MAC: far below the 300 s after which switches forget.
LEARNING: Final = 5.0
#: After a take-over the frame is repeated so many seconds later, should the first one be lost.
AGAIN: Final = (0.05, 0.3, 1.0)
#: Seconds until the longest silence makes a neighbour unknown; less when there are many.
SILENCE: Final = 600.0
CROWDED: Final = 3000
CROWDED_SILENCE: Final = 60.0
_MOST_TRIES: Final = 6


class Station(NamedTuple):
    """Who is told something: a MAC, in a VLAN or (None) untagged."""

    mac: bytes
    vlan: int | None = None

    @property
    def order(self) -> tuple[bytes, int]:
        """To sort by: with a VLAN and without do not compare."""
        return self.mac, -1 if self.vlan is None else self.vlan


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a neighbour; ports by ifindex, 0: one that is a port no longer.

    ``port`` is the one that it is told, ``uses`` the one to whose MAC it sent last; ``bytes`` counts
    what it sent, ``told`` changes whenever it asks. ``movable``: it is known what it would have to be
    told.
    """

    port: int
    uses: int
    bytes: int
    told: int = 0
    movable: bool = True


@dataclass(frozen=True, slots=True)
class Member:
    """A port. ``live``: it may carry traffic, as far as anybody knows."""

    ifindex: int
    mac: bytes
    live: bool


@dataclass(frozen=True, slots=True)
class Learn:
    """Show ``mac`` to the switches at the port ``via``."""

    mac: bytes
    via: int
    vlan: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order."""

    #: The port that receives broadcasts, and stands in for dead ones; 0: none can.
    primary: int = 0
    #: By port that returned: who still takes its frames, until the switches have learned.
    stand_ins: Mapping[int, int] = field(default_factory=dict)
    learn: tuple[Learn, ...] = ()
    given: Mapping[Station, int] = field(default_factory=dict)
    #: Who is to be told the MAC of which port now.
    tell: Mapping[Station, int] = field(default_factory=dict)
    forget: tuple[Station, ...] = ()
    #: Neighbours by port, after all this.
    shares: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Memory:
    """Of one neighbour, from one look to the next."""

    bytes: int
    told: int
    changed: float
    rate: float = 0.0
    tries: int = 0
    next_try: float = 0.0
    told_at_bytes: int = 0
    rests_until: float = 0.0


class RxBalancer:
    """Show it ports and neighbours with `decide`: when a port changes, and at `next_timeout`."""

    def __init__(self) -> None:
        self._members: dict[int, Member] = {}
        self._memory: dict[Station, _Memory] = {}
        self._primary = 0
        self._looked: float | None = None
        self._next_look = 0.0
        self._next_load = 0.0
        self._next_learning = 0.0
        #: Learning frames to be repeated, with the time.
        self._again: list[tuple[float, Learn]] = []
        #: Neighbours that were moved since the start.
        self.moves = 0

    @property
    def primary(self) -> int:
        return self._primary

    def next_timeout(self) -> float | None:
        """When `decide` is due; None: there are no ports."""
        if not self._members:
            return None
        return min([self._next_look, *(due for due, _ in self._again)])

    def decide(self, now: float, members: Sequence[Member], uses: Mapping[Station, Use]) -> Plan:
        """``members`` in the order in which they joined; ``uses`` as just read."""
        before, self._members = self._members, {member.ifindex: member for member in members}
        live = [member.ifindex for member in members if member.live]
        was_live = {member.ifindex for member in before.values() if member.live}
        was_primary = self._primary
        if self._primary not in live:
            self._primary = live[0] if live else 0
        due = self._observe(now, uses)
        # Whom nobody can tell anything is where it sends to.
        where = {station: use.port if use.movable else use.uses or use.port for station, use in uses.items()}
        urgent = self._place_orphans(where, uses, live)
        renamed = [i for i, one in self._members.items() if i in before and before[i].mac != one.mac]
        urgent += [station for station, port in where.items() if port in renamed]
        changed = set(live) != was_live
        if live and (changed or due):
            self._even_out(now, where, uses, live)
        if live and due and now >= self._next_load:
            self._next_load = now + INTERVAL
            self._relieve(now, where, uses, live)
        given = {station: port for station, port in where.items() if port != uses[station].port}
        self.moves += len(given)
        forget = self._silent(now) if due else ()
        for station in forget:
            self._memory.pop(station)
            where.pop(station)
        returned = [
            ifindex
            for ifindex in live
            if ifindex not in was_live and ifindex in before and was_primary not in (0, ifindex)
        ]
        return Plan(
            primary=self._primary,
            stand_ins=dict.fromkeys(returned, was_primary),
            learn=self._learn(now, live, was_live, was_primary, {station.vlan for station in uses}),
            given=given,
            tell=self._tell(now, where, uses, set(live), {*given, *urgent}),
            forget=forget,
            shares=_count(where.values(), [member.ifindex for member in members]),
        )

    # Facts

    def _observe(self, now: float, uses: Mapping[Station, Use]) -> bool:
        """Note what neighbours did; whether a look was due."""
        due = now >= self._next_look
        elapsed = 0.0 if self._looked is None else now - self._looked
        for station in [station for station in self._memory if station not in uses]:
            del self._memory[station]
        for station, use in uses.items():
            memory = self._memory.get(station)
            if memory is None:
                memory = self._memory[station] = _Memory(use.bytes, use.told, now)
            elif due and elapsed > 0:
                rate = max(0, use.bytes - memory.bytes) / elapsed
                memory.rate = (memory.rate + rate) / 2
            if (use.bytes, use.told) != (memory.bytes, memory.told):
                memory.changed = now
            if due:
                memory.bytes, memory.told = use.bytes, use.told
        if due:
            self._looked = now
            self._next_look = now + max(SWEEP, len(uses) / LOOKED_AT)
        return due

    def _silent(self, now: float) -> tuple[Station, ...]:
        patience = CROWDED_SILENCE if len(self._memory) > CROWDED else SILENCE
        return tuple(station for station, memory in self._memory.items() if now - memory.changed >= patience)

    # Who is where: each changes `where`

    def _place_orphans(
        self, where: dict[Station, int], uses: Mapping[Station, Use], live: Sequence[int]
    ) -> list[Station]:
        """Neighbours whose port is dead or gone go to the ports with the fewest."""
        if not live:
            return []
        orphans = sorted((s for s, port in where.items() if port not in live), key=lambda s: s.order)
        counts = _count(where.values(), live)
        for station in orphans:
            # One that sends to a living port by itself stays there.
            uses_now = uses[station].uses
            fewest = min(counts.values())
            at = uses_now if counts.get(uses_now) == fewest else min(live, key=lambda port: counts[port])
            where[station] = at
            counts[at] += 1
        return orphans

    def _even_out(
        self, now: float, where: dict[Station, int], uses: Mapping[Station, Use], live: Sequence[int]
    ) -> None:
        """Shares differ by one at most; of the fullest port those move first that send least."""
        counts, loads = _count(where.values(), live), self._loads(where, live)
        lightest_last: dict[int, list[Station]] = {port: [] for port in live}
        for station in sorted(where, key=lambda s: (-self._memory[s].rate, s.order)):
            resting = self._memory[station].rests_until > now
            if uses[station].movable and not resting and where[station] in lightest_last:
                lightest_last[where[station]].append(station)
        while True:
            emptiest = min(live, key=lambda port: (counts[port], loads[port]))
            fullest = max(
                (port for port in live if lightest_last[port]),
                key=lambda port: (counts[port], loads[port]),
                default=emptiest,
            )
            if counts[fullest] - counts[emptiest] < 2:
                return
            station = lightest_last[fullest].pop()
            where[station] = emptiest
            for port, sign in ((fullest, -1), (emptiest, 1)):
                counts[port] += sign
                loads[port] += sign * self._memory[station].rate

    def _relieve(
        self, now: float, where: dict[Station, int], uses: Mapping[Station, Use], live: Sequence[int]
    ) -> None:
        """Of the port that gets most, something goes to the one that gets least."""
        for _ in range(MOST_MOVES):
            loads = self._loads(where, live)
            total = sum(loads.values())
            mean = total / len(live)
            fullest = max(live, key=lambda port: loads[port])
            emptiest = min(live, key=lambda port: loads[port])
            if total < NO_LOAD or loads[fullest] <= TOO_FULL * mean:
                return
            gap = loads[fullest] - loads[emptiest]
            candidates = [
                station
                for station, port in where.items()
                if port == fullest
                and uses[station].movable
                and self._memory[station].rests_until <= now
                and MARGIN * mean <= self._memory[station].rate <= gap - MARGIN * mean
            ]
            if not candidates:
                return
            best = min(candidates, key=lambda s: (abs(gap / 2 - self._memory[s].rate), s.order))
            where[best] = emptiest
            self._memory[best].rests_until = now + REST

    def _loads(self, where: Mapping[Station, int], live: Sequence[int]) -> dict[int, float]:
        loads = dict.fromkeys(live, 0.0)
        for station, port in where.items():
            if port in loads:
                loads[port] += self._memory[station].rate
        return loads

    # What is said

    def _tell(
        self,
        now: float,
        where: Mapping[Station, int],
        uses: Mapping[Station, Use],
        live: set[int],
        moved: set[Station],
    ) -> dict[Station, int]:
        """Those that moved, and those that do not do as they were told."""
        tell: dict[Station, int] = {}
        for station, port in where.items():
            use, memory = uses[station], self._memory[station]
            if station in moved:
                memory.tries = 0
                memory.next_try = now
            elif use.uses == port:
                memory.tries = 0
                continue
            if port not in live or not use.movable or now < memory.next_try:
                continue
            # The second time in case the first was lost; after that only to who is seen to err.
            if memory.tries > 1 and use.bytes == memory.told_at_bytes:
                continue
            memory.next_try = now + 2 ** min(memory.tries, _MOST_TRIES - 1)
            memory.tries += 1
            memory.told_at_bytes = use.bytes
            tell[station] = port
        return tell

    def _learn(
        self, now: float, live: Sequence[int], was_live: set[int], was_primary: int, vlans: set[int | None]
    ) -> tuple[Learn, ...]:
        """Who shows which MAC to the switches: each port its own, the primary those of the dead."""
        if not live:
            self._again.clear()
            return ()
        at = {
            member.mac: member.ifindex if member.live else self._primary for member in self._members.values()
        }
        everywhere = [None, *sorted(vlan for vlan in vlans if vlan is not None)]
        frames = [Learn(mac, via, vlan) for mac, via in at.items() for vlan in everywhere]
        urgent: list[Learn] = []
        for member in self._members.values():
            changed = (member.ifindex in live) != (member.ifindex in was_live)
            if changed or (not member.live and self._primary != was_primary):
                urgent += [frame for frame in frames if frame.mac == member.mac]
        repeated = [frame for due, frame in self._again if due <= now]
        self._again = [(due, frame) for due, frame in self._again if due > now]
        if urgent:
            # What was to be said again may be wrong by now.
            macs = {frame.mac for frame in urgent}
            self._again = [(due, frame) for due, frame in self._again if frame.mac not in macs]
            self._again += [(now + pause, frame) for pause in AGAIN for frame in urgent]
        if now >= self._next_learning:
            self._next_learning = now + LEARNING
            return tuple(frames)
        valid = {(frame.mac, frame.via) for frame in frames}
        repeated = [frame for frame in repeated if (frame.mac, frame.via) in valid and frame not in urgent]
        return (*urgent, *repeated)


def _count(ports: Iterable[int], members: Sequence[int]) -> dict[int, int]:
    counts = dict.fromkeys(members, 0)
    for port in ports:
        if port in counts:
            counts[port] += 1
    return counts
