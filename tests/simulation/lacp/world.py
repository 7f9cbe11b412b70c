"""Systems, cables between them and virtual time; and a partner that says whatever a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from pyteam.engine.lacp import LacpPort, LacpSystem, MuxState, PortSettings, ReceiveState, Remark, Settings
from pyteam.frames.lacp import Info, Lacpdu, State, parse

A: Final = bytes.fromhex("02000000000a")
B: Final = bytes.fromhex("02000000000b")
C: Final = bytes.fromhex("02000000000c")
#: State octets as people write them.
IN_SYNC: Final = State.ACTIVITY | State.AGGREGATION | State.SYNC
WORKING: Final = IN_SYNC | State.COLLECTING | State.DISTRIBUTING
FAST: Final = State.TIMEOUT


def address(system: bytes, ifindex: int) -> bytes:
    """The MAC of a port: nobody else's."""
    return bytes((2, 1, *system[-2:], ifindex >> 8, ifindex & 0xFF))


def lacpdu(frame: bytes) -> Lacpdu:
    pdu = parse(frame)
    assert isinstance(pdu, Lacpdu)
    return pdu


def settings_of(system: bytes, ifindex: int, **settings: int) -> PortSettings:
    return PortSettings(number=ifindex, address=address(system, ifindex), **settings)  # type: ignore[arg-type]


@dataclass
class Alone:
    """One system, and time; its partners are what the test says they are."""

    settings: Settings = field(default_factory=Settings)
    now: float = 0.0
    #: Frames sent, with the time and the port.
    sent: list[tuple[float, int, bytes]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.system = LacpSystem(self.settings, A)

    def plug(self, *ifindexes: int, speed: int = 1000, **settings: int) -> Alone:
        for ifindex in ifindexes:
            self.system.add_port(self.now, ifindex, settings_of(A, ifindex, **settings))
            self.system.see(self.now, ifindex, True, speed, True)
        self.take()
        return self

    def port(self, ifindex: int = 1) -> LacpPort:
        return self.system.ports[ifindex]

    def mux(self, ifindex: int = 1) -> MuxState:
        return self.port(ifindex).mux_state

    def machine(self, ifindex: int = 1) -> ReceiveState:
        return self.port(ifindex).receive_state

    def take(self) -> list[Lacpdu]:
        """The LACPDUs that were sent just now."""
        frames = self.system.take_frames()
        self.sent += [(self.now, ifindex, frame) for ifindex, frame in frames]
        self.remarks += self.system.take_remarks()
        return [pdu for _, frame in frames if isinstance(pdu := parse(frame), Lacpdu)]

    def see(self, ifindex: int, up: bool, speed: int = 1000, full_duplex: bool | None = True) -> list[Lacpdu]:
        self.system.see(self.now, ifindex, up, speed, full_duplex)
        return self.take()

    def hear(
        self,
        state: int = IN_SYNC,
        ifindex: int = 1,
        *,
        system: bytes = B,
        priority: int = 0xFFFF,
        key: int = 7,
        port_priority: int = 255,
        port: int | None = None,
        view: Info | None = None,
        retries: int | None = None,
    ) -> list[Lacpdu]:
        """The partner says this. ``view``: what it thinks that we are, by default what we are."""
        self.system.receive(
            self.now,
            ifindex,
            Lacpdu(
                Info(priority, system, key, port_priority, port or ifindex, int(state)),
                view or self.port(ifindex).actor,
                actor_retry_count=retries or 3,
                retry=retries is not None,
            ).encode(address(system, ifindex)),
        )
        return self.take()

    def wait(
        self, seconds: float, *, partners: Mapping[int, Callable[[], object]] | None = None
    ) -> list[Lacpdu]:
        """Let time go by; ``partners``: what to do every second, for each port. What was sent meanwhile."""
        end = self.now + seconds
        tick = self.now + 1
        told: list[Lacpdu] = []
        while True:
            deadline = self.system.deadline
            assert deadline is None or deadline >= self.now, "no timer is overdue"
            moment = min(end, deadline if deadline is not None else end, tick)
            self.now = moment
            self.system.expire(self.now)
            told += self.take()
            if moment == tick:
                tick += 1
                for speak in (partners or {}).values():
                    before = len(self.sent)
                    speak()
                    told += [lacpdu(frame) for _, _, frame in self.sent[before:]]
            if moment >= end:
                return told

    def join(self, *ifindexes: int, state: int = IN_SYNC, **pdu: int) -> Alone:
        """Ports whose partner is in sync from the beginning, until they distribute."""
        for ifindex in ifindexes or (1,):
            self.hear(state, ifindex, **pdu)  # type: ignore[arg-type]
        self.wait(2)
        for ifindex in ifindexes or (1,):
            self.hear(state | State.COLLECTING | State.DISTRIBUTING, ifindex, **pdu)  # type: ignore[arg-type]
        return self

    def times(self, ifindex: int = 1, since: float = 0.0) -> list[float]:
        """When LACPDUs were sent."""
        return [now for now, port, _ in self.sent if port == ifindex and now >= since]

    def said(self, text: str) -> list[str]:
        return [line for _, _, line in self.remarks if text in line]


@dataclass
class Wire:
    """Between two ports (name of the system, ifindex). ``fate``: after which seconds copies arrive."""

    ends: tuple[tuple[str, int], tuple[str, int]]
    up: bool = True
    fate: Callable[[tuple[str, int]], list[float]] = lambda sender: [0.001]


@dataclass
class World:
    """Named systems, wired together."""

    now: float = 0.0
    systems: dict[str, LacpSystem] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    sent: list[tuple[float, str, int, bytes]] = field(default_factory=list)
    remarks: list[tuple[str, Remark]] = field(default_factory=list)
    #: Asked after everything that happens.
    watch: Callable[[], None] = lambda: None
    _air: list[tuple[float, int, str, int, bytes]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def add(self, name: str, mac: bytes, settings: Settings | None = None) -> LacpSystem:
        system = self.systems[name] = LacpSystem(settings or Settings(), mac)
        return system

    def cable(self, *ends: tuple[str, int], speed: int = 1000, **settings: int) -> Wire:
        """Ports for both ends, where there are none yet, and a wire."""
        (one, two) = ends
        wire = Wire((one, two))
        self.wires.append(wire)
        for name, ifindex in ends:
            system = self.systems[name]
            if ifindex not in system.ports:
                system.add_port(self.now, ifindex, settings_of(name.encode() * 2, ifindex, **settings))
            system.see(self.now, ifindex, True, speed, True)
        self.collect()
        return wire

    def set_up(self, wire: Wire, up: bool, speed: int = 1000) -> None:
        wire.up = up
        for name, ifindex in wire.ends:
            if ifindex in self.systems[name].ports:
                self.systems[name].see(self.now, ifindex, up, speed, True)
        self.collect()

    def collect(self) -> None:
        """What was sent is on its way."""
        for name, system in self.systems.items():
            for ifindex, frame in system.take_frames():
                self.sent.append((self.now, name, ifindex, frame))
                for wire in self.wires:
                    if wire.up and (name, ifindex) in wire.ends:
                        there = wire.ends[1 - wire.ends.index((name, ifindex))]
                        for delay in wire.fate((name, ifindex)):
                            heappush(self._air, (self.now + delay, next(self._order), *there, frame))
            self.remarks += [(name, remark) for remark in system.take_remarks()]
        self.watch()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            deadlines = [system.deadline for system in self.systems.values()]
            assert all(deadline is None or deadline >= self.now for deadline in deadlines)
            moments = [deadline for deadline in deadlines if deadline is not None]
            moments += [self._air[0][0]] if self._air else []
            moment = min(moments, default=end + 1)
            if moment > end:
                self.now = end
                return
            self.now = moment
            while self._air and self._air[0][0] <= self.now:
                _, _, name, ifindex, frame = heappop(self._air)
                self.systems[name].receive(self.now, ifindex, frame)
            for system in self.systems.values():
                system.expire(self.now)
            self.collect()

    def distributing(self, name: str) -> set[int]:
        return {index for index, port in self.systems[name].ports.items() if port.distributing}

    def last_state(self, name: str, ifindex: int) -> int:
        """What it said of itself last."""
        frames = (frame for _, *who, frame in reversed(self.sent) if who == [name, ifindex])
        return lacpdu(next(frames)).actor.state


def pair(count: int = 2, a: Settings | None = None, b: Settings | None = None) -> World:
    """Two systems and so many cables, port to port."""
    world = World()
    world.add("a", A, a)
    world.add("b", B, b)
    for ifindex in range(1, count + 1):
        world.cable(("a", ifindex), ("b", ifindex))
    return world
