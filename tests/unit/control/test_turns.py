"""Fairness without a bus: who asks much, who asks little, and who is made to wait."""

from __future__ import annotations

from pyteam.control.turns import Turns


def served(turns: Turns[int], many: int) -> list[tuple[str, int]]:
    order = []
    for _ in range(many):
        turn = turns.take()
        assert turn is not None
        order.append(turn)
        turns.done(turn[0])
    return order


def test_one_of_each_in_turn_and_each_in_its_order() -> None:
    turns: Turns[int] = Turns(10)
    for number in range(5):
        assert turns.add("greedy", number)
    assert turns.add("modest", 7)
    assert turns.add("late", 8)
    order = served(turns, 7)
    assert order == [
        ("greedy", 0),
        ("modest", 7),
        ("late", 8),
        *(("greedy", number) for number in (1, 2, 3, 4)),
    ]
    assert not turns.more
    assert turns.take() is None


def test_only_so_many_of_one_client_wait() -> None:
    turns: Turns[int] = Turns(2)
    assert [turns.add("greedy", number) for number in range(4)] == [True, True, False, False]
    assert turns.add("modest", 1)
    served(turns, 3)
    assert turns.add("greedy", 9)


def test_who_is_being_served_waits_with_all_that_it_asks_and_others_do_not() -> None:
    turns: Turns[int] = Turns(10)
    turns.add("slow", 1)
    turns.add("slow", 2)
    assert turns.take() == ("slow", 1)
    turns.add("slow", 3)
    assert not turns.more
    turns.add("other", 1)
    assert served(turns, 1) == [("other", 1)]
    assert turns.take() is None
    turns.done("slow")
    assert served(turns, 2) == [("slow", 2), ("slow", 3)]
