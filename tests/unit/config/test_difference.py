"""What differs between two configurations, and how it is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.config.difference import differences

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def lines(old: object, new: object) -> list[str]:
    return [line for _, line in differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({"ports": {"eth1": {"prio": 10}}}, {"ports": {"eth1": {"prio": 20}}}, "ports.eth1.prio: 10 -> 20"),
        ({"ports": {"eth0.5": {}}}, {"ports": {"eth0.5": {"prio": 1}}}, 'ports."eth0.5".prio: added: 1'),
        ({"ports": {"eth1": {"prio": 1}}}, {"ports": {}}, 'ports.eth1: removed (it was {"prio": 1})'),
        ({}, {"ports": {"eth1": {}}}, 'ports: added: {"eth1": {}}'),
        ({"tx_hash": ["l3"]}, {"tx_hash": ["l3", "l4"]}, 'tx_hash: ["l3"] -> ["l3", "l4"]'),
        ({"link_watch": {"name": "x"}}, {"link_watch": []}, 'link_watch: {"name": "x"} -> []'),
        # What is written otherwise is dumped otherwise.
        ({"active": True}, {"active": 1}, "active: true -> 1"),
    ],
)
def test_each_difference_is_a_line(old: object, new: object, told: str) -> None:
    assert lines(old, new) == [told]


def test_a_long_value_is_cut_short() -> None:
    (line,) = lines({"bpf": [0] * 1000}, {"bpf": []})
    assert len(line) < 300


@given(TREES, TREES)
def test_there_is_a_difference_or_they_are_the_same(old: object, new: object) -> None:
    assert bool(lines(old, new)) == (repr(old) != repr(new) and not _equal(old, new))
    assert lines(old, old) == []


def _equal(old: object, new: object) -> bool:
    """As JSON has it: order of keys aside, and true is not 1."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_equal(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_equal, old, new))
    return type(old) is type(new) and old == new
