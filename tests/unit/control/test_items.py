"""The table of state items against states, and what can be set; real states: tests/netns/test_examples.py."""

from __future__ import annotations

from typing import Any

import pytest

from pyteam.control.items import BOOL, INT, ITEMS, TEXT, Item, find, leaves
from pyteam.control.state import SETTABLE, get_item
from tests.unit.control.states import activebackup_state, lacp_state

TYPES = {INT: int, BOOL: bool, TEXT: str}


@pytest.mark.parametrize("state", [activebackup_state(), lacp_state()], ids=["activebackup", "lacp"])
def test_every_value_of_a_state_has_its_row_and_its_type(state: dict[str, Any]) -> None:
    for path, value in leaves(state):
        item = find(path)
        assert item is not None, path
        assert type(value) is TYPES[item.type], path
        assert get_item(state, path) == str(value).replace("True", "true").replace("False", "false")


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("ports.eth0.5.link.up", "ports.PORT.link.up"),
        ("ports.N.link.up", "ports.PORT.link.up"),
        (
            "ports.a.link_watches.list.link_watch_12.problem",
            "ports.PORT.link_watches.list.link_watch_N.problem",
        ),
        (
            "ports.a.runner.rx_neighbours.list.02:00:00:00:00:0a@7.uses",
            "ports.PORT.runner.rx_neighbours.list.MAC.uses",
        ),
        ("ports.a.statistics.rx_packets", "ports.PORT.statistics.COUNTER"),
    ],
)
def test_names_and_numbers_stand_where_the_row_says(path: str, row: str) -> None:
    item = find(path)
    assert item is not None
    assert item.path == row


def test_a_path_that_nobody_has() -> None:
    for path in (
        "ports",
        "ports.eth0",
        "setup",
        "setup.pidx",
        "ports.eth0.link_watches.list.link_watch_x.up",
    ):
        assert find(path) is None


def test_what_can_be_set_is_said_to_be() -> None:
    settable = {tuple(item.path.replace("PORT", "*").split(".")) for item in ITEMS if item.settable}
    assert settable == set(SETTABLE)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.path)
def test_every_item_has_a_meaning_that_fits_a_sentence(item: Item) -> None:
    assert item.meaning[0].isupper()
    assert not item.meaning.endswith(".")


def test_every_row_is_there_once() -> None:
    assert len({item.path for item in ITEMS}) == len(ITEMS)
