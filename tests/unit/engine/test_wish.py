"""Whose doing is a value that is seen: ours, late, or somebody else's?"""

from __future__ import annotations

import pytest

from pyteam.engine.wish import Wish


@pytest.mark.parametrize(
    ("wanted", "seen", "verdicts"),
    [
        # The first news are only news.
        ([], [1], [False]),
        ([], [1, 2], [False, True]),
        ([7], [0, 7], [False, False]),
        # Echoes of wishes that were replaced meanwhile.
        ([7, 8, 9], [0, 7, 8, 9], [False, False, False, False]),
        # Back and forth, news late: the 8 is the echo of ours.
        ([7, 8, 7], [7, 8, 7], [False, False, False]),
        # Once the last wish was seen, there are no echoes left.
        ([7, 8], [8, 7], [False, True]),
        ([7], [7, 3, 3], [False, True, False]),
    ],
)
def test_who_was_it(wanted: list[int], seen: list[int], verdicts: list[bool]) -> None:
    wish = Wish[int]()
    for value in wanted:
        wish.want(value)
    assert [wish.see(value) for value in seen] == verdicts


def test_what_is_accepted_is_wanted() -> None:
    wish = Wish[int]()
    wish.want(1)
    wish.see(1)
    assert wish.see(2)
    wish.accept()
    assert wish.value == 2
    assert wish.see(1), "and the old one is somebody else's now"


def test_where_nothing_is_ever_seen_little_is_remembered() -> None:
    wish = Wish[int](-1)
    for value in range(1000):
        wish.want(value)
    assert wish.see(0), "too long ago to be an echo"
    assert not wish.see(999)
