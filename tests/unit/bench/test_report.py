"""Statistics, tables and the demo's judgement: `bench.summary`, `bench.table`, `demo.account`."""

from __future__ import annotations

import pytest

from bench.loss import Tally
from bench.summary import Spread, ratios
from bench.table import duration, render
from demo.account import failures, table

FLOWS = ["a -> b", "b -> a"]
ALLOWED = {"quiet": 0, "cut": 1}


def events(lost: int) -> list[list[Tally]]:
    quiet = Tally("quiet", 100, 0, 400_000, 0, 0)
    return [[quiet, quiet], [Tally("cut", 200, lost, 2_740_000_000, 0, 0), Tally("cut", 200, 0, 0, 0, 0)]]


def test_spread_is_median_and_extremes() -> None:
    assert Spread.of([3, 1, 2, 9]) == Spread(2.5, 1, 9)
    assert Spread.of([3, 1, 2]).text(1) == "2.0 (1.0-3.0)"
    assert Spread.of([2, 2]).text(0) == "2"


def test_a_spread_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no repetitions"):
        Spread.of([])


def test_ratios_compare_the_same_repetition() -> None:
    assert ratios([2, 9, 1], [4, 3, 0]) == [0.5, 3.0]
    with pytest.raises(ValueError, match="zip"):
        ratios([1, 2], [1])


def test_table_aligns_names_left_and_numbers_right() -> None:
    lines = render(["what", "n"], [["cut", "1"], ["longer", "100"]]).splitlines()
    assert lines == ["what      n", "-----------", "cut       1", "longer  100"]


@pytest.mark.parametrize(
    ("nanoseconds", "text"), [(400_000, "0.4 ms"), (2_740_000_000, "2.74 s"), (0, "0.0 ms")]
)
def test_durations_suit_their_size(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_demo_table_has_a_row_an_event_and_a_sum() -> None:
    lines = table(events(3), FLOWS, ALLOWED).splitlines()
    assert lines[3].split() == ["cut", "200", "3", "2.74", "s", "200", "0", "0.0", "ms", "1"]
    assert lines[-1].split() == ["in", "all", "300", "3", "300", "0"]


def test_a_loss_within_the_goal_is_no_failure() -> None:
    assert failures(events(1), FLOWS, ALLOWED, [50_000, 50_000], [0, 0]) == []


@pytest.mark.parametrize(
    ("lost", "rates", "missed", "said"),
    [
        (2, [50_000, 50_000], [0, 0], "cut: a -> b lost 2 packets, 1 allowed"),
        (0, [50_000, 10_000], [0, 0], "b -> a: only 10000 packets/s"),
        (0, [50_000, 50_000], [5, 0], "a -> b: the receiving process was too slow for 5 packets"),
    ],
)
def test_what_misses_a_goal_is_named(lost: int, rates: list[float], missed: list[int], said: str) -> None:
    (found,) = failures(events(lost), FLOWS, ALLOWED, rates, missed)
    assert found.startswith(said)
