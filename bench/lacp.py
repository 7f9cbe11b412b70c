"""``python -m bench.lacp``: what the LACP engine costs, in virtual time, without interfaces or privileges.

A thousand systems, two and two cabled with eight wires, until all distribute and for a minute after; then one
system with ever more ports. Times of the processor are real, times of the wire are not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Final

from bench.table import render
from pyteam.engine.lacp import LacpSystem, PortSettings, Settings
from pyteam.frames.lacp import Info, Lacpdu, State

#: LACPDUs sent and received in a second of the processor, at least.
GOAL: Final = 100_000
#: Seconds on a wire.
DELAY: Final = 0.0001
SPEED: Final = 10_000
IN_SYNC: Final = State.ACTIVITY | State.TIMEOUT | State.AGGREGATION | State.SYNC
WORKING: Final = IN_SYNC | State.COLLECTING | State.DISTRIBUTING


def system(number: int, ports: int, settings: Settings) -> LacpSystem:
    """Number is its MAC; its links are down."""
    made = LacpSystem(settings, number.to_bytes(6, "big"))
    for ifindex in range(1, ports + 1):
        address = bytes((2, *number.to_bytes(3, "big"), ifindex >> 8, ifindex & 0xFF))
        made.add_port(0, ifindex, PortSettings(ifindex, address))
    return made


@dataclass
class Fleet:
    """Systems of which each two neighbours are cabled, port to port."""

    systems: list[LacpSystem]
    now: float = 0.0
    #: LACPDUs sent or received.
    lacpdus: int = 0
    _air: list[tuple[float, int, int, int, bytes]] = field(default_factory=list)
    _timers: list[tuple[float, int]] = field(default_factory=list)
    _armed: dict[int, float] = field(default_factory=dict)
    _order: count[int] = field(default_factory=count)

    def plug(self) -> None:
        """All links come up at the same moment."""
        for index, one in enumerate(self.systems):
            for ifindex in one.ports:
                one.see(self.now, ifindex, True, SPEED, True)
            self._send(index)

    def run(self, until: float, *, unless_all: bool = False) -> None:
        """Until then, or until every port distributes."""
        waiting = set(range(len(self.systems))) if unless_all else set()
        while True:
            moment = min(self._air[0][0] if self._air else inf, self._timers[0][0] if self._timers else inf)
            if moment > until:
                self.now = until
                return
            self.now = moment
            if self._air and self._air[0][0] == moment:
                _, _, index, ifindex, frame = heappop(self._air)
                self.systems[index].receive(moment, ifindex, frame)
                self.lacpdus += 1
            else:
                due, index = heappop(self._timers)
                if self._armed.get(index) != due:
                    continue
                del self._armed[index]
                self.systems[index].expire(moment)
            self._send(index)
            if index in waiting and all(port.distributing for port in self.systems[index].ports.values()):
                waiting.discard(index)
                if not waiting:
                    return

    def _send(self, index: int) -> None:
        one = self.systems[index]
        for ifindex, frame in one.take_frames():
            self.lacpdus += 1
            heappush(self._air, (self.now + DELAY, next(self._order), index ^ 1, ifindex, frame))
        one.take_remarks()
        deadline = one.deadline
        if deadline is not None and self._armed.get(index) != deadline:
            self._armed[index] = deadline
            heappush(self._timers, (deadline, index))


def fleet(systems: int, ports: int, seconds: float) -> list[tuple[str, str, str]]:
    """Rows: what, how much, what it is to be."""
    settings = Settings(fast_rate=True)
    begun = time.process_time()
    all_of_them = Fleet([system(number, ports, settings) for number in range(systems)])
    all_of_them.plug()
    all_of_them.run(60, unless_all=True)
    formed, cost = all_of_them.now, time.process_time() - begun
    rows = [
        ("until every port distributes, on the wire", f"{formed:.2f} s", ""),
        ("until every port distributes, processor, a port", f"{cost / systems / ports * 1e6:.0f} us", ""),
    ]
    lacpdus, begun = all_of_them.lacpdus, time.process_time()
    all_of_them.run(formed + seconds)
    cost = time.process_time() - begun
    rate = (all_of_them.lacpdus - lacpdus) / cost
    rows += [
        ("LACPDUs sent and received, a second of the processor", f"{rate:,.0f}", f">= {GOAL:,}"),
        ("a quiet minute at the fast rate, of one processor", f"{cost / seconds * 100:.1f} %", ""),
    ]
    return rows


def lonely(ports: int, rounds: int) -> list[str]:
    """One system, and partners without cost: microseconds of each thing that happens, for a port."""
    one = system(1, ports, Settings(fast_rate=True))
    partner = (0).to_bytes(6, "big")

    def lacpdu(ifindex: int, state: int) -> bytes:
        info = Info(1, partner, 1, 1, ifindex, int(state))
        return Lacpdu(info, one.ports[ifindex].actor).encode(bytes(6))

    def hear(what: Sequence[tuple[int, bytes]], now: float) -> float:
        begun = time.process_time()
        for ifindex, frame in what:
            one.receive(now, ifindex, frame)
        return time.process_time() - begun

    begun = time.process_time()
    for ifindex in one.ports:
        one.see(0, ifindex, True, SPEED, True)
    joined = time.process_time() - begun
    joined += hear([(ifindex, lacpdu(ifindex, IN_SYNC)) for ifindex in one.ports], 0)
    begun = time.process_time()
    one.expire(2)
    joined += time.process_time() - begun
    frames = [(ifindex, lacpdu(ifindex, WORKING)) for ifindex in one.ports]
    joined += hear(frames, 2)
    frames = [(ifindex, lacpdu(ifindex, WORKING)) for ifindex in one.ports]
    hear(frames, 2)
    assert all(port.distributing for port in one.ports.values()), "formed"
    # No two frames from a socket are the same object.
    heard = hear([(ifindex, bytes(bytearray(frame))) for ifindex, frame in frames * rounds], 2.1)
    one.take_frames()
    told, sent, now = 0.0, 0, 2.1
    for _ in range(rounds):
        now += 1
        hear(frames, now)
        begun = time.process_time()
        one.expire(now)
        told += time.process_time() - begun
        sent += len(one.take_frames())
    begun = time.process_time()
    for ifindex in one.ports:
        one.see(now, ifindex, False, SPEED, True)
    lost = time.process_time() - begun
    costs = joined / ports, heard / ports / rounds, told / max(1, sent), lost / ports
    return [str(ports), *(f"{cost * 1e6:.1f}" for cost in costs)]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.lacp", description=__doc__)
    parser.add_argument("--systems", type=int, default=1000, help="an even number (default: %(default)s)")
    parser.add_argument("--ports", type=int, default=8, help="of each system (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="of quiet (default: %(default)s)")
    args = parser.parse_args(argv)
    print(f"{args.systems} systems of {args.ports} ports, cabled two and two, 1 LACPDU a second")
    print(render(["", "found", "goal"], fleet(args.systems, args.ports, args.seconds)))
    print("\none system, microseconds of the processor a port")
    head = ["ports", "to form", "LACPDU that says nothing new", "LACPDU to send", "to lose its link"]
    print(render(head, [lonely(ports, max(4, 4096 // ports)) for ports in (8, 64, 512)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
