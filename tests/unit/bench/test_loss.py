"""Accounting of numbered packets: `bench.loss`."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.loss import Arrived, Sent, Window, tally, windows

#: Bursts of ten packets every 1000 ns from 1000 on: packet n leaves at 1000 * (1 + n // 10).
BURST, EACH = 1000, 10
PACKETS = 100


def sent() -> Sent:
    bursts = range(PACKETS // EACH + 1)
    return Sent(array("q", [BURST * (i + 1) for i in bursts]), array("q", [EACH * i for i in bursts]))


def leaves(number: int) -> int:
    return BURST * (1 + number // EACH)


def arrived(numbers: list[int], after: int = 5) -> Arrived:
    result = Arrived()
    result.add(numbers, [leaves(number) + after for number in numbers])
    return result


WHOLE = Window("whole", 0, 1_000_000)


def test_nothing_lost_is_nothing_lost() -> None:
    found = tally(sent(), arrived(list(range(PACKETS))), WHOLE)
    assert (found.sent, found.lost, found.duplicated, found.reordered) == (PACKETS, 0, 0, 0)
    assert found.dark == 5


def test_a_loss_belongs_to_the_window_in_which_it_was_sent() -> None:
    # Packet 25 leaves in the burst at 3000.
    came = arrived([number for number in range(PACKETS) if number != 25])
    before, after = windows([("before", 0), ("after", 3000)], 1_000_000)
    assert tally(sent(), came, before).lost == 0
    assert tally(sent(), came, after).lost == 1
    assert tally(sent(), came, Window("later", 3001, 1_000_000)).lost == 0


@given(lost=st.sets(st.integers(0, PACKETS - 1)), cuts=st.lists(st.integers(0, 12_000), max_size=5))
def test_windows_that_touch_account_for_every_packet_once(lost: set[int], cuts: list[int]) -> None:
    came = arrived([number for number in range(PACKETS) if number not in lost])
    marks = [("window", moment) for moment in (0, *sorted(cuts))]
    found = [tally(sent(), came, window) for window in windows(marks, 20_000)]
    assert sum(one.sent for one in found) == PACKETS
    assert sum(one.lost for one in found) == len(lost)


def test_dark_time_counts_from_the_first_packet_without_answer() -> None:
    came = arrived([*range(30), *range(60, PACKETS)])
    assert tally(sent(), came, WHOLE).dark == leaves(60) + 5 - leaves(30)


def test_a_pause_of_the_sender_is_not_dark() -> None:
    pausing = Sent(array("q", [1000, 900_000, 901_000]), array("q", [0, 10, 20]))
    came = Arrived()
    came.add(list(range(20)), [1005] * 10 + [900_005] * 10)
    assert tally(pausing, came, WHOLE).dark == 5


def test_darkness_that_outlasts_its_window_ends_with_the_next_arrival() -> None:
    came = arrived([*range(30), *range(60, PACKETS)])
    assert tally(sent(), came, Window("early", 0, 5000)).dark == leaves(60) + 5 - leaves(30)


def test_darkness_without_end_lasts_until_sending_ends() -> None:
    came = arrived(list(range(30)))
    assert tally(sent(), came, WHOLE).dark == sent().at[-1] - leaves(30)


def test_a_window_in_which_nothing_is_sent_is_empty() -> None:
    found = tally(sent(), arrived(list(range(PACKETS))), Window("late", 500_000, 600_000))
    assert (found.sent, found.lost, found.dark) == (0, 0, 0)


def test_twice_is_a_duplicate_and_late_is_reordered() -> None:
    came = Arrived()
    came.add([0, 1, 3, 2, 3], [10, 11, 12, 13, 14])
    assert list(came.at) == [10, 11, 13, 12]
    assert list(came.again) == [3]
    assert list(came.late) == [2]


@given(numbers=st.lists(st.integers(0, 50)), sizes=st.lists(st.integers(1, 7), min_size=1))
def test_how_arrivals_are_batched_does_not_matter(numbers: list[int], sizes: list[int]) -> None:
    times = list(range(1, len(numbers) + 1))
    singly, batched = Arrived(), Arrived()
    for number, time in zip(numbers, times, strict=True):
        singly.add([number], [time])
    start = turn = 0
    while start < len(numbers):
        end = start + sizes[turn % len(sizes)]
        batched.add(numbers[start:end], times[start:end])
        start, turn = end, turn + 1
    assert batched == singly


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    came = arrived([0, 1, 5, 4, 5])
    came.missed.append(7)
    came.save(tmp_path / "record")
    assert Arrived.load(tmp_path / "record") == came


def test_rate_is_packets_over_time() -> None:
    assert sent().rate == pytest.approx(PACKETS * 1e9 / (PACKETS // EACH * BURST))
    assert Sent().rate == 0
