"""The table: even shares, few moves, own entries back; and even for hashes that are anything but."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.engine.hashtable import ENTRIES, LINE, fill

Weights = dict[int, int]
PORTS = (3, 5, 7, 11, 13, 400)
SETS = st.dictionaries(st.sampled_from(PORTS), st.integers(1, 12))
EQUAL = st.frozensets(st.sampled_from(PORTS)).map(lambda ports: dict.fromkeys(ports, 1))


def moved(before: Sequence[int], after: Sequence[int]) -> set[int]:
    return {entry for entry in range(ENTRIES) if before[entry] != after[entry]}


def own(owners: Sequence[int], port: int) -> frozenset[int]:
    return frozenset(entry for entry in range(ENTRIES) if owners[entry] == port)


class Team:
    """As a runner lives: who is lost is remembered."""

    def __init__(self, *sets: Weights) -> None:
        self.owners = [0] * ENTRIES
        self.left: dict[int, frozenset[int]] = {}
        self.weights: Weights = {}
        for weights in sets:
            self.use(weights)

    def use(self, weights: Weights) -> list[int]:
        """The table before."""
        before = self.owners
        for port in self.weights.keys() - weights.keys():
            self.left[port] = own(self.owners, port)
        self.owners = fill(self.owners, weights, self.left)
        self.weights = weights
        return before


def check(before: Sequence[int], after: Sequence[int], weights: Weights) -> None:
    """Shares are even, and no table with even shares is nearer to the one before."""
    if not weights:
        assert list(after) == list(before)
        return
    counts, total = Counter(after), sum(weights.values())
    assert counts.keys() <= weights.keys()
    exact = {port: weight * ENTRIES / total for port, weight in weights.items()}
    assert all(abs(counts[port] - share) < 1 for port, share in exact.items()), (counts, exact)
    had = Counter(before)
    floors = {port: weight * ENTRIES // total for port, weight in weights.items()}
    # One more than the floor for so many of those whose share is broken: best for those that have it.
    spare = ENTRIES - sum(floors.values())
    keen = sum(had[port] > floor for port, floor in floors.items() if floor != exact[port])
    needed = sum(max(0, floor - had[port]) for port, floor in floors.items()) + max(0, spare - keen)
    assert len(moved(before, after)) == needed


@given(st.lists(SETS, max_size=8))
def test_shares_are_even_and_moves_are_few_whatever_happens(sets: list[Weights]) -> None:
    team = Team()
    for weights in sets:
        check(team.use(weights), team.owners, weights)


@given(st.lists(EQUAL, max_size=8))
def test_of_equals_only_who_leaves_gives_and_only_who_comes_takes(sets: list[Weights]) -> None:
    team = Team()
    for weights in sets:
        gone, come = team.weights.keys() - weights.keys(), weights.keys() - team.weights.keys()
        before = team.use(weights)
        for entry in moved(before, team.owners):
            assert before[entry] in {0, *gone} or team.owners[entry] in come
            assert before[entry] in {0, *gone} or not gone or len(come) > len(gone)


@given(st.lists(EQUAL, max_size=6), EQUAL.filter(lambda ports: len(ports) > 1), st.data())
def test_who_fails_and_returns_gets_its_own_back(
    sets: list[Weights], weights: Weights, data: st.DataObject
) -> None:
    team = Team(*sets, weights)
    port = data.draw(st.sampled_from(sorted(weights)))
    lost = own(team.owners, port)
    before = team.use({other: 1 for other in weights if other != port})
    assert moved(before, team.owners) == lost
    returned = moved(team.use(weights), team.owners)
    assert returned <= lost
    # Where shares cannot be equal, it may have been the one with more, and is not for the other's sake.
    assert len(lost) - len(returned) <= (ENTRIES % len(weights) > 0)


def test_a_quarter_fails_and_returns() -> None:
    team = Team({3: 1, 5: 1, 7: 1, 11: 1})
    for port in (3, 5, 7, 11):
        all_four = team.owners
        team.use({other: 1 for other in (3, 5, 7, 11) if other != port})
        assert moved(all_four, team.owners) == own(all_four, port)
        assert len(own(all_four, port)) == 64
        team.use({3: 1, 5: 1, 7: 1, 11: 1})
        assert team.owners == all_four


@given(st.lists(SETS, max_size=4), SETS, st.randoms(use_true_random=False))
def test_the_order_in_which_ports_are_told_does_not_matter(
    sets: list[Weights], weights: Weights, dice: random.Random
) -> None:
    team = Team(*sets)
    items = list(weights.items())
    dice.shuffle(items)
    left = dict(sorted(team.left.items(), reverse=True))
    assert fill(team.owners, dict(items), left) == fill(team.owners, weights, team.left)


def test_what_is_right_is_left_alone() -> None:
    odd = [(5, 3, 7, 11)[entry % 4] for entry in range(ENTRIES)]
    assert fill(odd, {3: 1, 5: 1, 7: 1, 11: 1}) == odd
    assert fill(odd, {}) == odd


# Hashes as they are


def folded(value: int) -> int:
    return value >> 8 ^ value & 0xFF


def sequences(flows: int, steps: Iterable[int]) -> Iterable[tuple[int, int, list[int]]]:
    """Flows whose source port, or the last byte of whose address, goes up by a step each."""
    dice = random.Random(56)
    for step in steps:
        for _ in range(200):
            first, rest = dice.randrange(32768, 60000), dice.randrange(ENTRIES)
            yield step, first, [folded(first + step * flow) ^ rest for flow in range(flows)]


def built(ports: int, one_by_one: bool) -> list[int]:
    sets = [dict.fromkeys(range(1, number + 1), 1) for number in range(1, ports + 1)]
    return Team(*(sets if one_by_one else sets[-1:])).owners


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("ports", [2, 3, 4])
def test_flows_with_sequential_numbers_use_every_port(ports: int, one_by_one: bool) -> None:
    """Linux takes every second source port for connections: the remainder by 4 had 2 ports of 4."""
    owners = built(ports, one_by_one)
    for flows, most in ((16, 1.8), (64, 1.35), (256, 1.1)):
        for step, first, hashes in sequences(flows, (1, 2, 4)):
            counts = Counter(owners[hash_] for hash_ in hashes)
            assert len(counts) == ports, (flows, step, first)
            assert max(counts.values()) / flows * ports <= most, (flows, step, first, counts)


@pytest.mark.parametrize("bits", range(2, 9))
def test_what_differs_in_adjacent_bits_is_spread_over_the_line(bits: int) -> None:
    place = {entry: at for at, entry in enumerate(LINE)}
    part = ENTRIES >> bits
    for shift in range(9 - bits):
        for rest in range(ENTRIES):
            parts = [place[rest ^ (number << shift)] // part for number in range(1 << bits)]
            assert sorted(parts) == list(range(1 << bits))


def test_random_flows_are_spread_evenly_over_four_ports() -> None:
    dice = random.Random(1)
    owners = built(4, one_by_one=True)
    counts = Counter(owners[dice.randrange(ENTRIES)] for _ in range(10_000))
    assert all(2300 <= count <= 2700 for count in counts.values()), counts
