"""Changes of a team, told to whoever listens: once a batch, and only when there was one."""

from __future__ import annotations

import logging

import pytest

from pyteam.control.events import Event, events
from pyteam.daemon.audience import Audience
from pyteam.engine.snapshot import TeamSnapshot
from tests.unit.control.fakecore import team
from tests.unit.daemon.virtual import Machine

CONFIG = """{"runner": {"name": "activebackup"}, "ports": {"eth0": {"prio": 10}, "eth1": {}}}"""


class Listener:
    def __init__(self, machine: Machine) -> None:
        self.heard: list[list[Event]] = []
        self.leave = machine.core.subscribe(self.tell)

    def tell(self, before: TeamSnapshot, after: TeamSnapshot) -> None:
        assert before != after
        self.heard.append(events(before, after))


def test_a_cut_is_told_once_with_all_that_follows_from_it() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    machine.loop.read()
    listener = Listener(machine)
    machine.loop.read()
    assert listener.heard == []
    machine.world.cut("eth0")
    machine.loop.read()
    assert listener.heard == [[Event("LinkChanged", "eth0", False), Event("ActivePortChanged", "eth1")]]
    listener.leave()
    listener.leave()
    machine.world.mend("eth0")
    machine.loop.read()
    assert len(listener.heard) == 1


def test_who_joins_later_hears_of_nothing_before() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    Listener(machine).leave()
    machine.core.port_remove("eth0")
    listener = Listener(machine)
    machine.core.port_add("eth0")
    assert listener.heard[0][0] == Event("PortAdded", "eth0")


def test_nobody_listens_and_nobody_looks() -> None:
    def look() -> TeamSnapshot:
        raise AssertionError("looked")

    Audience(look).tell()


def test_a_listener_that_fails_is_logged_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    looks = iter([team(), team("p0"), team("p0", "p1")])
    audience = Audience(lambda: next(looks))
    told: list[object] = []
    audience.join(fail)
    audience.join(lambda *change: told.append(change))
    with caplog.at_level(logging.ERROR):
        audience.tell()
        audience.tell()
    assert told == [(team(), team("p0")), (team("p0"), team("p0", "p1"))]
    assert caplog.text.count("Telling of a change failed") == 2
