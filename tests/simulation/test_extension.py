"""The example of docs/extending.md in virtual time: a runner and a link watch that are not ours."""

from __future__ import annotations

from typing import Any

import pytest

from docs.examples.extension.pyteam_rotate import Rotate, RotateKeys
from docs.examples.extension.pyteam_steady import Steady, SteadyKeys
from pyteam.config import PortConfig, TeamConfig, extensions
from tests.simulation.harness import Host


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Any = {extensions.RUNNERS: {"rotate": Rotate}, extensions.LINK_WATCHES: {"steady": Steady}}
    monkeypatch.setattr(extensions, "_LOADED", found)


def team(**ports: Any) -> TeamConfig:
    runner: Any = RotateKeys(period=60)
    return TeamConfig(
        runner=runner, ports={name: PortConfig(link_watch=watch) for name, watch in ports.items()}
    )


def test_ports_take_turns() -> None:
    host = Host("a", "b", "c").start(team(a=(), b=(), c=()))
    turns = []
    for _ in range(4):
        turns.append(host.active)
        assert host.sending == {host.active}
        host.advance(60)
    assert turns == ["a", "b", "c", "a"]


def test_a_cut_ends_a_turn_and_begins_another() -> None:
    host = Host("a", "b", "c").start(team(a=(), b=(), c=()))
    host.advance(59)
    host.cut("a")
    assert host.active == "b"
    host.advance(59)
    assert host.active == "b"
    host.advance(1)
    assert host.active == "c"
    host.cut("b")
    host.cut("c")
    assert host.active == ""


def test_a_cable_that_is_lost_too_often_is_not_used_for_a_while() -> None:
    steady = (SteadyKeys(losses=2, window=10_000),)
    host = Host("a", "b").start(team(a=steady, b=()))
    for _ in range(2):
        host.cut("a")
        host.advance(1)
        host.mend("a")
        assert host.port("a").up
    host.cut("a")
    host.mend("a")
    assert not host.port("a").up
    assert host.port("a").watches[0].settings == {"losses": 3, "tolerated": 2, "window": 10_000}
    host.advance(7.9)
    assert not host.port("a").up
    host.advance(0.1)
    assert host.port("a").up
