"""The balancer by itself: what an interval is, what rests, who is placed where."""

from __future__ import annotations

import pytest

from pyteam.engine.balancing import Balancer
from pyteam.engine.hashtable import ENTRIES

SECONDS = 5.0
EQUAL = {1: 1, 2: 1}
HALVES = [1] * 128 + [2] * 128


class Meter:
    """Counters as a device has them, told once in an interval."""

    def __init__(self, interval: float = SECONDS) -> None:
        self.balancer = Balancer(interval)
        self.now = 100.0
        self.interval = interval
        self.counters = [0] * ENTRIES

    def tell(self, sent: dict[int, int], owners: list[int], intervals: int = 1) -> dict[int, int]:
        self.now += self.interval * intervals
        for entry, size in sent.items():
            self.counters[entry] += size
            self.balancer.see(self.now, entry, self.counters[entry])
        return self.expire(owners)

    def expire(self, owners: list[int]) -> dict[int, int]:
        due = self.balancer.deadline
        return {} if due is None else self.balancer.rebalance(due, owners, EQUAL)


@pytest.fixture
def meter() -> Meter:
    return Meter()


def test_the_entry_moves_that_makes_both_equal(meter: Meter) -> None:
    assert meter.tell({0: 500, 1: 300, 2: 200, 200: 400}, HALVES) == {1: 2}


def test_as_few_as_it_takes_and_the_heaviest_of_them(meter: Meter) -> None:
    sent = dict.fromkeys(range(100), 10) | {100: 400, 101: 300}
    moves = meter.tell(sent, HALVES)
    assert list(moves.items())[:1] == [(100, 2)] or list(moves.items())[:1] == [(101, 2)]
    assert len(moves) < 60
    assert sum(sent[entry] for entry in moves) == pytest.approx(850, rel=0.05)


def test_what_is_nearly_equal_is_left_alone(meter: Meter) -> None:
    assert meter.tell({0: 50, 1: 52, 200: 100}, HALVES) == {}


def test_an_entry_that_is_more_than_a_share_is_left_where_it_is(meter: Meter) -> None:
    assert meter.tell({0: 900, 200: 100}, HALVES) == {}


def test_who_has_moved_rests(meter: Meter) -> None:
    owners = list(HALVES)
    moves = meter.tell({0: 500, 1: 500, 200: 10}, owners)
    assert len(moves) == 1
    (entry, port), *_ = moves.items()
    owners[entry] = port
    for _ in range(9):
        assert entry not in meter.tell({entry: 1000, 200: 1000, 201: 900}, owners)


def test_the_deadline_follows_the_first_news_of_an_interval(meter: Meter) -> None:
    assert meter.balancer.deadline is None
    meter.balancer.see(7.0, 0, 10)
    meter.balancer.see(7.05, 1, 10)
    assert meter.balancer.deadline == pytest.approx(7.1)
    meter.balancer.rebalance(7.1, HALVES, EQUAL)
    assert meter.balancer.deadline is None
    fast = Balancer(0.1)
    fast.see(7.0, 0, 10)
    assert fast.deadline == pytest.approx(7.02)


def test_what_is_told_as_it_begins_to_tell_is_of_no_interval(meter: Meter) -> None:
    meter.balancer.start(100.0)
    assert meter.tell({0: 5000, 1: 4000}, HALVES, intervals=0) == {}
    # From then on, what was sent since.
    assert meter.tell({0: 10, 200: 10}, HALVES) == {}
    assert meter.tell({2: 300, 3: 300}, HALVES) != {}


def test_what_the_device_counted_before_is_of_no_interval(meter: Meter) -> None:
    meter.counters = [10**6] * 128 + [0] * 128
    meter.balancer.begin(meter.counters)
    assert meter.tell({0: 10, 200: 10}, HALVES) == {}


def test_late_news_are_of_the_next_interval(meter: Meter) -> None:
    assert meter.tell({0: 100, 200: 100}, HALVES) == {}
    assert meter.tell({1: 80, 2: 60, 3: 60}, HALVES, intervals=0) == {}
    assert meter.tell({0: 100, 200: 100}, HALVES) != {}


def test_a_counter_that_begins_anew(meter: Meter) -> None:
    meter.tell({0: 10**9, 200: 10**9}, HALVES)
    meter.counters = [0] * ENTRIES
    assert meter.tell({0: 100, 200: 100}, HALVES) == {}


def test_silence_lets_a_load_be_forgotten(meter: Meter) -> None:
    for _ in range(3):
        meter.tell({0: 10**6, 200: 10**6}, HALVES)
    # Hours later: what was sent then says nothing any more.
    assert meter.tell({1: 600, 2: 400, 200: 10}, HALVES, intervals=1000) in ({1: 2}, {2: 2})


def test_a_load_that_jumps_is_not_chased(meter: Meter) -> None:
    """Where each forecast is wrong, only what lasts is acted upon."""
    owners, moved = list(HALVES), 0
    for number in range(40):
        side = 0 if number % 2 else 128
        moves = meter.tell({side: 700, side + 1: 300, side + 2: 300, 5: 500, 200: 500}, owners)
        moved += len(moves)
        for entry, port in moves.items():
            owners[entry] = port
    assert moved <= 6


def test_orphans_go_where_there_is_room_the_heaviest_first(meter: Meter) -> None:
    owners = [1] * 100 + [2] * 100 + [3] * 56
    meter.balancer.see(0.0, 0, 1000)
    for entry, count in {100: 400, 200: 500, 201: 300, 202: 100}.items():
        meter.balancer.see(0.0, entry, count)
    meter.balancer.rebalance(0.1, owners, {1: 1, 2: 1, 3: 1})
    placed = meter.balancer.place(owners, EQUAL)
    assert [placed[entry] for entry in (200, 201, 202)] == [2, 2, 1]
    # Those without load are nobody's yet.
    assert placed[203:] == [3] * 53
    assert placed[:200] == owners[:200]
    assert meter.balancer.place(owners, {}) == owners
