"""State items: paths, texts, and what can be set."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.control.core import MethodError
from pyteam.control.state import get_item, parse_item


def port(number: int) -> dict[str, Any]:
    return {"ifinfo": {"ifindex": number}, "link": {"up": number % 2 == 1}}


STATE: dict[str, Any] = {
    "ports": {
        name: port(index) for index, name in enumerate(("eth1", "eth10", "eth0", "eth0.5", 'q"', "a b"), 1)
    },
    "runner": {"active_port": "eth1"},
    "setup": {"daemonized": True, "debug_level": 0, "pid_file": "/run/x.pid", "odd": None},
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("setup.daemonized", "true"),
        ("setup.debug_level", "0"),
        ("setup.pid_file", "/run/x.pid"),
        ("runner.active_port", "eth1"),
        ("ports.eth1.link.up", "true"),
        ("ports.eth10.link.up", "false"),
        ('ports."eth1".ifinfo.ifindex', "1"),
        ("ports.eth0.ifinfo.ifindex", "3"),
        ("ports.eth0.5.ifinfo.ifindex", "4"),
        ('ports."eth0.5".ifinfo.ifindex', "4"),
        ('ports.q".ifinfo.ifindex', "5"),
        ("ports.a b.ifinfo.ifindex", "6"),
    ],
)
def test_get(path: str, text: str) -> None:
    assert get_item(STATE, path) == text


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "PathDoesNotExist"),
        (".", "PathDoesNotExist"),
        ("setup", "PathDoesNotExist"),
        ("setup.", "PathDoesNotExist"),
        ("setup.nothing", "PathDoesNotExist"),
        ("setup.debug_level.more", "PathDoesNotExist"),
        ("ports", "PathDoesNotExist"),
        ("ports.eth1.link", "PathDoesNotExist"),
        ("ports.eth1.link.", "PathDoesNotExist"),
        # A prefix of a name, which the original takes for the name.
        ("ports.eth.link.up", "PathDoesNotExist"),
        ("ports.e.ifinfo.ifindex", "PathDoesNotExist"),
        ('ports."eth".link.up', "PathDoesNotExist"),
        ("ports.", "ItemValueGetFail"),
        ("ports.eth1", "ItemValueGetFail"),
        ('ports."eth1', "ItemValueGetFail"),
        ('ports."eth1"', "ItemValueGetFail"),
        ('ports."eth1"link.up', "ItemValueGetFail"),
        ("setup.odd", "ItemValueGetFail"),
    ],
)
def test_get_fails(path: str, code: str) -> None:
    with pytest.raises(MethodError) as caught:
        get_item(STATE, path)
    assert caught.value.code == code


def test_a_team_without_ports_has_no_port_items() -> None:
    with pytest.raises(MethodError, match="PathDoesNotExist"):
        get_item({}, "ports.eth0.link.up")


NOT_NATURAL = ["", " ", "x", "1x", "1 ", "-1", "--1", "+-1", "+", "1_0", "1.0", "0x1", "٣", "2147483648"]
NOT_NATURAL.append("9" * 9999)


@pytest.mark.parametrize(
    ("path", "text", "keys", "value"),
    [
        ("runner.active_port", "eth0", ("runner", "active_port"), "eth0"),
        ("runner.active_port", "", ("runner", "active_port"), ""),
        ("setup.debug_level", "0", ("setup", "debug_level"), 0),
        ("setup.debug_level", "  +007", ("setup", "debug_level"), 7),
        ("setup.debug_level", "-0", ("setup", "debug_level"), 0),
        ("setup.debug_level", "2147483647", ("setup", "debug_level"), 2147483647),
        ("setup.debug_level", "0" * 5000 + "1", ("setup", "debug_level"), 1),
    ],
)
def test_set(path: str, text: str, keys: tuple[str, ...], value: object) -> None:
    assert parse_item(STATE, path, text) == (keys, value)


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("setup.nothing", "1", "PathDoesNotExist"),
        ("setup.daemonized", "true", "OpNotSupp"),
        ("ports.eth1.link.up", "true", "OpNotSupp"),
        ("ports.eth1", "true", "ItemValueSetFail"),
        *(("setup.debug_level", text, "ItemValueSetFail") for text in NOT_NATURAL),
    ],
)
def test_set_fails(path: str, text: str, code: str) -> None:
    with pytest.raises(MethodError) as caught:
        parse_item(STATE, path, text)
    assert caught.value.code == code
    assert len(caught.value.text) < 120


def test_an_item_of_another_runner_does_not_exist() -> None:
    with pytest.raises(MethodError, match="PathDoesNotExist"):
        parse_item({"runner": {"active": True}}, "runner.active_port", "eth0")


PATHS = st.lists(st.sampled_from(["ports", "eth0", "5", '"', ".", "link", "up"])).map("".join)


@given(st.text() | PATHS, st.text())
def test_no_path_and_no_value_raises_anything_else(path: str, text: str) -> None:
    with contextlib.suppress(MethodError):
        get_item(STATE, path)
    with contextlib.suppress(MethodError):
        parse_item(STATE, path, text)
