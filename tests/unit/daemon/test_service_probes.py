"""What the service does for watches that probe: frames out, frames in, names looked up."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pyteam.daemon import service
from pyteam.engine.events import FrameSeen, HostSeen
from pyteam.engine.linkwatch.hosts import Lookup
from tests.simulation.neighbours import Neighbour
from tests.unit.daemon.virtual import DESCRIPTOR, Machine

WATCH = {"name": "arp_ping", "target_host": "10.5.0.9", "interval": 100}


def machine(**keys: object) -> Machine:
    config = {
        "runner": {"name": "activebackup"},
        "link_watch": WATCH | keys,
        "ports": {"eth0": {"prio": 10}, "eth1": {}},
    }
    made = Machine(json.dumps(config), "eth0", "eth1")
    made.loop.advance(0)
    return made


def answer(found: Machine) -> None:
    """The neighbour answers everything that was sent, and it is read."""
    neighbour = Neighbour()
    for frame in found.wire.sent:
        name = found.datapath.link(frame.ifindex).name
        found.wire.incoming += [FrameSeen(frame.ifindex, data) for data in neighbour(name, frame.data)]
    found.wire.sent.clear()
    found.loop.read()


def test_questions_go_out_and_answers_come_in() -> None:
    found = machine()
    assert [frame.ifindex for frame in found.wire.sent] == [found.index("eth0"), found.index("eth1")]
    answer(found)
    found.loop.advance(0.1)
    assert found.active == "eth0"
    # Before it was known who carries the traffic both were asked, from now on one.
    assert [frame.ifindex for frame in found.wire.sent] == [found.index("eth0")]


def test_who_has_heard_is_not_read_until_the_next_question() -> None:
    found = machine()
    port = DESCRIPTOR + found.index("eth0")
    assert port in found.loop.readers
    answer(found)
    assert port not in found.loop.readers
    found.loop.advance(0.1)
    assert port in found.loop.readers


def test_what_came_before_a_timeout_is_heard_before_it() -> None:
    found = machine()
    answer(found)
    found.loop.advance(0.1)
    for _ in range(20):
        neighbour = Neighbour()
        found.wire.incoming += [
            FrameSeen(frame.ifindex, data) for frame in found.wire.sent for data in neighbour("", frame.data)
        ]
        found.wire.sent.clear()
        # The loop has not come to read it when the time is over.
        found.loop.advance(0.1)
    assert found.active == "eth0"
    assert found.service.team.snapshot().ports[0].watches[0].down_count == 0


def test_the_end_lets_go_of_the_sockets() -> None:
    found = machine()
    assert found.wire.ears
    found.service.stop()
    assert found.wire.ears == {}
    assert found.loop.readers == {}


def test_names_are_looked_up_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Lookup, Callable[[HostSeen], object]]] = []
    monkeypatch.setattr(service, "look_up", lambda lookup, answer, later: asked.append((lookup, answer)))
    found = machine(target_host="gw.example")
    ((lookup, tell),) = asked
    assert lookup == Lookup("gw.example", ipv6=False)
    assert found.wire.sent == []
    tell(HostSeen(lookup, bytes((10, 5, 0, 9))))
    found.loop.advance(0.1)
    answer(found)
    found.loop.advance(0.1)
    assert found.active == "eth0"
    assert found.core.state_item_get("ports.eth0.link_watches.list.link_watch_0.target_host") == "10.5.0.9"
    found.service.stop()
    tell(HostSeen(lookup, None, "too late"))
