"""Which port's MAC each neighbour is told: every row of the table in `pyteam.engine.rxbalance`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyteam.engine import rxbalance
from pyteam.engine.rxbalance import (
    AGAIN,
    INTERVAL,
    LEARNING,
    SILENCE,
    SWEEP,
    Learn,
    Member,
    Plan,
    RxBalancer,
    Use,
)
from pyteam.engine.rxbalance import Station as S


def mac(port: int) -> bytes:
    return bytes([2, 0, 0, 0, 0, port])


def station(number: int) -> S:
    """Every third one is the one before it, in a VLAN."""
    return S(
        bytes([2, 0, 0, 1, *(number - (number % 3 == 2)).to_bytes(2, "big")]),
        number if number % 3 == 2 else None,
    )


class World:
    """Ports 1, 2, ... and neighbours that do as they are told, unless they are ``deaf``."""

    def __init__(self, ports: int = 4, neighbours: int = 0) -> None:
        self.now = 100.0
        self.live = dict.fromkeys(range(1, ports + 1), True)
        self.uses: dict[S, Use] = {}
        self.rates: dict[S, int] = {}
        self.deaf: set[S] = set()
        self.balancer = RxBalancer()
        self.decide()
        for number in range(neighbours):
            self.greet(number)

    def greet(self, number: int, *, movable: bool = True) -> None:
        """As the programs do: a newcomer gets the port with the fewest."""
        counts = Counter(use.port for use in self.uses.values())
        port = min((port for port, live in self.live.items() if live), key=lambda port: counts[port])
        self.uses.setdefault(station(number), Use(port, port, 0, movable=movable))

    def decide(self) -> Plan:
        members = [Member(port, mac(port), live) for port, live in self.live.items()]
        plan = self.balancer.decide(self.now, members, dict(self.uses))
        for who, port in plan.given.items():
            self.uses[who] = replace(self.uses[who], port=port)
        for who, port in plan.tell.items():
            if who not in self.deaf:
                self.uses[who] = replace(self.uses[who], uses=port)
        for who in plan.forget:
            del self.uses[who]
        return plan

    def pass_time(self, seconds: float) -> list[Plan]:
        """Look as often as asked for."""
        end, plans = self.now + seconds, []
        while (due := self.balancer.next_timeout()) is not None and due <= end:
            elapsed, self.now = due - self.now, due
            for who, rate in self.rates.items():
                use = self.uses[who]
                self.uses[who] = replace(use, bytes=use.bytes + int(rate * elapsed))
            plans.append(self.decide())
        self.now = end
        return plans

    def set_live(self, port: int, live: bool) -> Plan:
        self.live[port] = live
        return self.decide()

    def shares(self) -> list[int]:
        counts = Counter(use.port for use in self.uses.values())
        return [counts[port] for port in self.live]

    def loads(self) -> list[int]:
        loads: Counter[int] = Counter()
        for who, rate in self.rates.items():
            loads[self.uses[who].port] += rate
        return [loads[port] for port in self.live]


def test_64_neighbours_on_4_ports() -> None:
    world = World(4, 64)
    world.pass_time(30)
    assert world.shares() == [16, 16, 16, 16]
    assert world.balancer.moves == 0


def test_a_failed_ports_neighbours_move_and_no_others() -> None:
    world = World(4, 64)
    mine = {who for who, use in world.uses.items() if use.port == 2}
    plan = world.set_live(2, False)
    assert set(plan.given) == set(plan.tell) == mine
    assert world.shares() == [22, 0, 21, 21]
    assert not world.pass_time(30)[-1].given


def test_a_returned_port_gets_its_share_and_no_more_moves_than_that() -> None:
    world = World(4, 64)
    world.set_live(2, False)
    plan = world.set_live(2, True)
    assert set(plan.given.values()) == {2}
    assert len(plan.given) == 16
    assert world.shares() == [16, 16, 16, 16]


def test_a_dead_ports_mac_is_taken_over_at_once_and_given_back() -> None:
    world = World(3)
    world.uses[S(station(1).mac, 7)] = Use(2, 2, 0)
    assert world.balancer.primary == 1
    plan = world.set_live(1, False)
    assert plan.primary == 2
    assert set(plan.learn) == {Learn(mac(1), 2), Learn(mac(1), 2, 7)}
    again = [plan for plan in world.pass_time(max(AGAIN)) if Learn(mac(1), 2) in plan.learn]
    assert len(again) == len(AGAIN)
    plan = world.set_live(1, True)
    assert plan.primary == 2
    assert Learn(mac(1), 1) in plan.learn
    assert plan.stand_ins == {1: 2}


def test_when_the_stand_in_dies_too_another_shows_both_macs() -> None:
    world = World(3)
    world.set_live(1, False)
    plan = world.set_live(2, False)
    assert plan.primary == 3
    assert set(plan.learn) == {Learn(mac(1), 3), Learn(mac(2), 3)}


def test_what_is_no_longer_true_is_not_said_again() -> None:
    world = World(2)
    world.set_live(1, False)
    world.set_live(1, True)
    for plan in world.pass_time(max(AGAIN)):
        assert Learn(mac(1), 2) not in plan.learn


def test_switches_are_reminded_of_every_mac() -> None:
    world = World(3)
    world.set_live(3, False)
    world.pass_time(max(AGAIN))
    said = [set(plan.learn) for plan in world.pass_time(LEARNING) if plan.learn]
    assert said == [{Learn(mac(1), 1), Learn(mac(2), 2), Learn(mac(3), 1)}]


def test_who_sends_elsewhere_is_told_again_ever_more_rarely() -> None:
    world = World(2, 2)
    wrong = station(1)
    world.deaf.add(wrong)
    world.rates[wrong] = 1000
    world.uses[wrong] = replace(world.uses[wrong], uses=1)
    told = []
    for _ in range(120):
        told += [world.now for plan in world.pass_time(SWEEP) if wrong in plan.tell]
    pauses = [after - before for before, after in pairwise(told)]
    assert pauses == sorted(pauses)
    assert pauses[:3] == [1, 2, 4]
    assert pauses[-1] == 32
    world.deaf.clear()
    world.pass_time(33)
    assert world.uses[wrong].uses == world.uses[wrong].port


def test_who_says_nothing_is_told_twice() -> None:
    world = World(2, 2)
    world.deaf.add(station(0))
    world.set_live(1, False)
    world.pass_time(60)
    plans = [plan for plan in world.pass_time(60) if plan.tell]
    assert plans == []


def test_who_cannot_be_told_anything_counts_where_it_sends_to() -> None:
    world = World(2)
    world.greet(0, movable=False)
    world.uses[station(0)] = replace(world.uses[station(0)], uses=2)
    plans = world.pass_time(SWEEP)
    assert world.uses[station(0)].port == 2
    assert not any(plan.tell for plan in plans)


def test_ports_that_get_too_much_are_relieved_and_then_left_alone() -> None:
    world = World(4, 32)
    # The heavy ones are all on port 1.
    for number in range(32):
        world.rates[station(number)] = 100_000 if number % 4 else 400_000 if number < 16 else 100_000
    assert max(world.loads()) > 1.5 * sum(world.loads()) / 4
    plans = world.pass_time(8 * INTERVAL)
    assert max(world.loads()) <= 1.2 * sum(world.loads()) / 4
    assert max(world.shares()) - min(world.shares()) <= 1
    moved = world.balancer.moves
    assert moved <= 16
    world.pass_time(60 * INTERVAL)
    assert world.balancer.moves <= moved + 2
    assert plans


def test_one_that_sends_nearly_all_is_not_moved_to_and_fro() -> None:
    world = World(2, 8)
    world.rates[station(0)] = 10_000_000
    world.pass_time(60 * INTERVAL)
    assert world.balancer.moves == 0


def test_little_traffic_is_no_reason_to_move() -> None:
    world = World(2, 8)
    for number in (0, 2, 4):
        world.rates[station(number)] = 10_000
    world.pass_time(20 * INTERVAL)
    assert world.balancer.moves == 0


def test_another_mac_of_a_port_is_told_to_its_neighbours() -> None:
    world = World(2, 4)
    members = [Member(1, mac(1), True), Member(2, mac(9), True)]
    plan = world.balancer.decide(world.now, members, world.uses)
    assert plan.tell == {who: 2 for who, use in world.uses.items() if use.port == 2}
    assert plan.given == {}


def test_the_silent_are_forgotten() -> None:
    world = World(2, 3)
    world.rates[station(1)] = 10
    world.pass_time(SILENCE + 2 * SWEEP)
    assert list(world.uses) == [station(1)]


def test_a_crowd_is_forgotten_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rxbalance, "CROWDED", 2)
    world = World(2, 3)
    world.pass_time(rxbalance.CROWDED_SILENCE + 2 * SWEEP)
    assert not world.uses


def test_many_are_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rxbalance, "LOOKED_AT", 2)
    world = World(2, 8)
    world.pass_time(2 * SWEEP)
    begin = world.now
    world.pass_time(3 * LEARNING)
    due = world.balancer.next_timeout()
    assert due is not None
    world.now = due
    world.decide()
    assert world.balancer.next_timeout() == due + 4
    assert due > begin


def test_without_any_port_nothing_is_done() -> None:
    world = World(2, 4)
    before = dict(world.uses)
    world.set_live(1, False)
    plan = world.set_live(2, False)
    assert (plan.primary, plan.learn, plan.tell) == (0, (), {})
    assert {who: use.bytes for who, use in world.uses.items()} == {
        who: use.bytes for who, use in before.items()
    }
    world.set_live(1, True)
    assert world.shares() == [4, 0]


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("greet"), st.integers(0, 99)),
        st.tuples(st.just("flip"), st.integers(1, 5)),
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("send"), st.integers(0, 99)),
        st.tuples(st.just("leave"), st.integers(1, 5)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(EVENTS)
def test_whatever_happens_shares_are_even_and_moves_are_few(events: list[tuple[str, int]]) -> None:
    world = World(5)
    for kind, number in events:
        if kind == "greet":
            if any(world.live.values()):
                world.greet(number)
        elif kind == "wait":
            world.pass_time(number)
        elif kind == "send":
            if station(number) in world.uses:
                world.rates[station(number)] = 1000 * (number + 1)
        else:
            before = {who: use.port for who, use in world.uses.items()}
            was = world.live.get(number)
            if kind == "leave":
                world.live.pop(number, None)
                plan = world.decide()
            else:
                plan = world.set_live(number, not world.live.get(number, False))
            live = [port for port, up in world.live.items() if up]
            if live and was:
                # Its own, and who was not even yet.
                assert {who for who, port in before.items() if port == number} <= set(plan.given)
            if live and world.uses:
                counts = [sum(use.port == port for use in world.uses.values()) for port in live]
                assert max(counts) - min(counts) <= 1
                assert sum(counts) == len(world.uses)
        for use in world.uses.values():
            assert not any(world.live.values()) or world.live.get(use.port)
