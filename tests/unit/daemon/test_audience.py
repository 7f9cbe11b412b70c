"""Changes of a team, told to whoever listens: when there was one, and not too often."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable

import pytest

from pyteam.control.events import Event, events
from pyteam.daemon.audience import LEISURE, Audience
from pyteam.engine.snapshot import TeamSnapshot
from tests.unit.control.fakecore import team
from tests.unit.daemon.virtual import Machine, VirtualTimer

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
    machine.loop.advance(1)
    assert listener.heard == []
    machine.world.cut("eth0")
    machine.loop.read()
    # What is more urgent comes first.
    assert listener.heard == []
    machine.loop.advance(0)
    assert listener.heard == [[Event("LinkChanged", "eth0", False), Event("ActivePortChanged", "eth1")]]
    listener.leave()
    listener.leave()
    machine.world.mend("eth0")
    machine.loop.read()
    machine.loop.advance(1)
    assert len(listener.heard) == 1


def test_who_joins_later_hears_of_nothing_before() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    Listener(machine).leave()
    machine.core.port_remove("eth0")
    listener = Listener(machine)
    machine.core.port_add("eth0")
    machine.loop.advance(1)
    assert listener.heard[0][0] == Event("PortAdded", "eth0")


def test_a_daemon_that_stops_tells_nothing_more() -> None:
    machine = Machine(CONFIG, "eth0", "eth1")
    listener = Listener(machine)
    machine.core.port_remove("eth0")
    machine.service.stop()
    machine.loop.advance(1)
    assert listener.heard == []


class Later:
    """A loop that only notes when something is to be called."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.due: list[Callable[[], object]] = []

    def call(self, delay: float, callback: Callable[[], object]) -> VirtualTimer:
        self.asked.append(delay)
        self.due.append(callback)
        return VirtualTimer(delay, 0, callback)

    def pass_time(self) -> None:
        due, self.due = self.due, []
        for callback in due:
            callback()


def test_nobody_listens_and_nobody_looks() -> None:
    def look() -> TeamSnapshot:
        raise AssertionError("looked")

    later = Later()
    Audience(look).stir(later.call)
    assert later.asked == []


def test_telling_takes_no_more_than_a_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    looks = iter([team(), team("p0"), team("p1"), team("p1")])
    audience, later = Audience(lambda: next(looks)), Later()
    told: list[object] = []
    audience.join(lambda *change: told.append(change))
    for _ in range(5):
        audience.stir(later.call)
    later.pass_time()
    for _ in range(5):
        audience.stir(later.call)
    later.pass_time()
    assert later.asked == [0.0, LEISURE]
    assert told == [(team(), team("p0")), (team("p0"), team("p1"))]
    # That there is nothing to tell is told to nobody.
    audience.stir(later.call)
    later.pass_time()
    assert len(told) == 2


def test_a_listener_that_fails_is_logged_and_the_others_are_told(caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    looks = iter([team(), team("p0"), team("p0", "p1")])
    audience, later = Audience(lambda: next(looks)), Later()
    told: list[object] = []
    audience.join(fail)
    audience.join(lambda *change: told.append(change))
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            audience.stir(later.call)
            later.pass_time()
    assert told == [(team(), team("p0")), (team("p0"), team("p0", "p1"))]
    assert caplog.text.count("Telling of a change failed") == 2
