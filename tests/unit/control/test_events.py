"""Which events a change is, and that they come through the wire as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyteam.control.events import EVENTS, Event, events
from pyteam.control.protocol import ProtocolError, decode_event, encode_event
from pyteam.engine.snapshot import TeamSnapshot
from tests.unit.control.fakecore import team

ONE = team("p0", active="p0")
OF_EACH_KIND = [
    Event("PortAdded", port="p0"),
    Event("PortRemoved", port="a\\n\nb"),
    Event("LinkChanged", port="p0", up=True),
    Event("ActivePortChanged", port=""),
    Event("CarrierChanged", up=False),
]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (ONE, ONE, []),
        (ONE, replace(ONE, mode="other"), []),
        (ONE, team("p0", "p1", active="p0"), [Event("PortAdded", "p1"), Event("LinkChanged", "p1", True)]),
        (
            team("p0"),
            team("p0", "p1", up=False),
            [Event("PortAdded", "p1"), Event("LinkChanged", "p0", False)],
        ),
        (ONE, team("p0", active="p1"), [Event("ActivePortChanged", "p1")]),
        (ONE, team("p0", active="p0", carrier=False), [Event("CarrierChanged", up=False)]),
        (ONE, team(), [Event("PortRemoved", "p0"), Event("ActivePortChanged", "")]),
        (
            ONE,
            team("new", active="new"),
            [
                Event("PortRemoved", "p0"),
                Event("PortAdded", "new"),
                Event("LinkChanged", "new", True),
                Event("ActivePortChanged", "new"),
            ],
        ),
        (replace(ONE, link=None), ONE, [Event("CarrierChanged", up=True)]),
        (replace(ONE, runner={}), replace(ONE, runner={}), []),
    ],
)
def test_a_change_is_these_events(before: TeamSnapshot, after: TeamSnapshot, told: list[Event]) -> None:
    assert events(before, after) == told


@pytest.mark.parametrize("event", OF_EACH_KIND, ids=lambda event: event.name)
def test_an_event_arrives_as_it_was_sent(event: Event) -> None:
    packet = encode_event(event)
    assert packet.startswith(b"EVENT\n" + event.name.encode() + b"\n")
    assert decode_event(packet) == event


def test_there_is_an_example_of_each_kind_with_the_fields_of_the_table() -> None:
    assert [event.name for event in OF_EACH_KIND] == list(EVENTS)
    for event in OF_EACH_KIND:
        fields = tuple(field for field in ("port", "up") if getattr(event, field) is not None)
        assert fields == EVENTS[event.name].fields


def test_a_newer_daemon_may_tell_more() -> None:
    assert decode_event(b"EVENT\nMoonRose\nfull\n") is None
    assert decode_event(b"EVENT\nPortAdded\np0\nand more\n") == Event("PortAdded", "p0")


@pytest.mark.parametrize(
    "packet", [b"", b"EVENT", b"REPLY_SUCCESS\n", b"EVENT\nLinkChanged\np0\n", b"EVENT\nPortAdded\n\\t\n"]
)
def test_what_is_no_event_is_refused(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_event(packet)
