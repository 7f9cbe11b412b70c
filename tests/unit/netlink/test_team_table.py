"""What is news in the events of a team."""

from __future__ import annotations

from pyteam.netlink import message as nl
from pyteam.netlink import team_message as team
from pyteam.netlink.team_message import OptionState, PortState
from pyteam.netlink.team_table import Change, TeamTable
from pyteam.options import OptionKey, Type
from tests.unit.netlink import team_recorded as recorded

FAMILY, DEVICE = 26, 2
PRIORITY = OptionState(OptionKey("priority", 4), Type.S32, -7)


def table(*known: Change) -> TeamTable:
    made = TeamTable(FAMILY, DEVICE)
    made.learn(known)
    return made


def feed(made: TeamTable, datagrams: list[bytes]) -> list[Change]:
    for datagram in datagrams:
        made.feed(datagram)
    return made.take()


def event(*options: OptionState, device: int = DEVICE, family: int = FAMILY) -> list[bytes]:
    return [nl.pack(family, 0, 0, team.encode_set(device, options))]


def test_the_last_state_of_each_once() -> None:
    made = table()
    found = feed(made, recorded.EVENT_PORT_ADDED)
    assert [item for item in found if isinstance(item, PortState)] == [
        PortState(4, link_up=True, speed=10000, duplex=1)
    ]
    assert not any(item.changed for item in found)
    assert made.take() == []


def test_what_is_known_is_no_news() -> None:
    assert feed(table(PRIORITY), event(PRIORITY)) == []


def test_other_devices_and_families_are_passed_over() -> None:
    assert feed(table(), event(PRIORITY, device=3) + event(PRIORITY, family=27)) == []


def test_what_went_is_told_once_and_may_come_again() -> None:
    made = table(PortState(4, link_up=True), PRIORITY)
    found = feed(made, recorded.EVENT_PORT_REMOVED)
    assert {item.key.name for item in found if isinstance(item, OptionState) and item.removed} == {"priority"}
    assert [item for item in found if isinstance(item, PortState)] == [PortState(4, removed=True)]
    assert feed(made, recorded.EVENT_PORT_REMOVED) == []
    assert feed(made, event(PRIORITY)) == [PRIORITY]


def test_after_a_loss_the_difference_is_told() -> None:
    mode = OptionState(OptionKey("mode"), Type.STRING, "random")
    made = table(mode, PRIORITY, PortState(4))
    feed(made, [])
    made.feed(event(OptionState(OptionKey("notify_peers_count"), Type.U32, 1))[0])
    late = OptionState(OptionKey("notify_peers_count"), Type.U32, 2)
    made.resynchronize([mode, late, PortState(5)])
    found = made.take()
    assert sorted(found, key=str) == sorted(
        [
            late,
            PortState(5),
            PortState(4, removed=True),
            OptionState(PRIORITY.key, Type.S32, -7, removed=True),
        ],
        key=str,
    )
    made.resynchronize([mode, late, PortState(5)])
    assert made.take() == []


def test_learning_anew_forgets_what_waits() -> None:
    made = table()
    made.feed(event(PRIORITY)[0])
    made.learn([PRIORITY])
    assert made.take() == []
