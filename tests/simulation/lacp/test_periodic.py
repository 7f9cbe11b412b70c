"""The periodic transmission machine: P1 to P4 of docs/lacp-machines.md."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pyteam.engine.lacp import PortSettings, Settings
from pyteam.frames.lacp import State
from tests.simulation.lacp.world import FAST, IN_SYNC, WORKING, Alone, pair

PASSIVE = IN_SYNC & ~State.ACTIVITY


def test_p1_nobody_begins_where_both_are_passive() -> None:
    world = pair(2, Settings(active=False), Settings(active=False, fast_rate=True))
    world.run(1000)
    assert world.sent == []
    port = world.systems["a"].ports[1]
    assert port.why_not == "no LACPDU has come, and we are passive and do not begin"


def test_p1_a_passive_side_answers_an_active_one_and_stops_with_it() -> None:
    alone = Alone(Settings(active=False, fast_rate=True)).plug(1)
    alone.wait(10)
    assert alone.sent == []
    assert alone.hear(IN_SYNC)
    alone.wait(7)
    assert alone.port().state == "defaulted"
    quiet = len(alone.sent)
    alone.wait(100)
    assert len(alone.sent) == quiet


@pytest.mark.parametrize(
    ("a", "b", "forms"), [(True, True, True), (True, False, True), (False, True, True), (False, False, False)]
)
def test_p1_who_forms_with_whom(a: bool, b: bool, forms: bool) -> None:
    world = pair(2, Settings(active=a), Settings(active=b))
    world.run(5)
    expected = {1, 2} if forms else set()
    assert (world.distributing("a"), world.distributing("b")) == (expected, expected)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(("theirs", "period"), [(FAST, 1), (0, 30)])
def test_p2_how_often_is_the_partners_to_choose(fast: bool, theirs: int, period: float) -> None:
    alone = Alone(Settings(fast_rate=fast)).plug(1).join(state=IN_SYNC | theirs)
    speak = {1: lambda: alone.hear(WORKING | theirs)}
    alone.wait(30, partners=speak)
    start = alone.now
    alone.wait(90, partners=speak)
    times = alone.times(since=start + 0.001)
    assert len(times) == 90 / period
    assert {round(later - sooner, 6) for sooner, later in pairwise(times)} == {period}


def test_p2_with_no_partner_once_a_second() -> None:
    alone = Alone().plug(1)
    alone.wait(20)
    assert alone.times() == [float(second) for second in range(21)]


def test_p3_from_slow_to_fast_at_once() -> None:
    alone = Alone().plug(1).join()
    alone.wait(12.25)
    assert len(alone.hear(WORKING | FAST)) == 1
    start = alone.now
    alone.wait(1)
    assert alone.times(since=start) == [start, start + 1]


def test_p3_from_fast_to_slow_without_a_word() -> None:
    alone = Alone().plug(1).join(state=IN_SYNC | FAST)
    alone.wait(5)
    assert alone.hear(WORKING) == []
    assert alone.wait(29.9) == []
    assert len(alone.wait(0.1)) == 1


@pytest.mark.parametrize(("up", "full_duplex"), [(False, True), (True, False)])
def test_p4_a_port_that_is_down_or_half_duplex_is_silent(up: bool, full_duplex: bool) -> None:
    alone = Alone().plug(1)
    alone.see(1, up, full_duplex=full_duplex)
    assert alone.wait(100) == []
    assert alone.system.deadline is None


def test_p4_so_is_one_that_has_not_been_seen() -> None:
    alone = Alone()
    alone.system.add_port(0, 1, PortSettings(1, bytes(6)))
    assert alone.system.deadline is None
