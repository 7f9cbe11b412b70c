"""Requests to the team driver, answered with what it said once."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from pyteam.netlink import message as nl
from pyteam.netlink import team_message as team
from pyteam.netlink.team import OptionState, TeamFamily
from pyteam.netlink.transport import NetlinkError, Transport
from pyteam.options import OptionKey, Type
from tests.unit.netlink import team_recorded as recorded

MODE = OptionState(OptionKey("mode"), Type.STRING, "random")


class Driver:
    """Answers requests from a script: recorded datagrams, or an errno."""

    def __init__(self) -> None:
        self.script: list[list[bytes] | int] = [recorded.FAMILY]
        self.asked: list[nl.Message] = []

    def request(self, kind: int, payload: bytes, *, flags: int = 0, what: str) -> list[nl.Message]:
        self.asked.append(nl.Message(kind, flags, 0, 0, payload))
        answer = self.script.pop(0)
        if isinstance(answer, int):
            raise NetlinkError(answer, what)
        messages = [message for datagram in answer for message in nl.messages(datagram)]
        return [message for message in messages if message.kind > nl.NLMSG_DONE]


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver()
    monkeypatch.setattr(Transport, "request", lambda _, *words, **more: made.request(*words, **more))
    return made


@pytest.fixture
def family(driver: Driver) -> Iterator[TeamFamily]:
    with TeamFamily() as made:
        yield made


def test_lists(driver: Driver, family: TeamFamily) -> None:
    driver.script += [recorded.OPTIONS, recorded.PORTS, recorded.OPTIONS + recorded.OPTIONS]
    assert len(family.options(2)) == 11
    assert [port.ifindex for port in family.ports(2)] == [4]
    assert len(family.options(2)) == 22, "a list may come in several messages"
    assert [message.payload for message in driver.asked[1:3]] == [
        team.encode_get(team.TEAM_CMD_OPTIONS_GET, 2),
        team.encode_get(team.TEAM_CMD_PORT_LIST_GET, 2),
    ]


def test_setting(driver: Driver, family: TeamFamily) -> None:
    driver.script.append([])
    family.set(2, MODE)
    assert driver.asked[-1].payload == team.encode_set(2, [MODE])


def test_nobody_in_the_change_group_is_no_failure(driver: Driver, family: TeamFamily) -> None:
    driver.script.append(errno.ESRCH)
    family.set(2, MODE)


def test_nor_does_it_keep_the_rest_from_being_set(driver: Driver, family: TeamFamily) -> None:
    count = OptionState(OptionKey("mcast_rejoin_count"), Type.U32, 1)
    driver.script += [errno.ESRCH, []]
    family.set(2, MODE, count)
    assert [message.payload for message in driver.asked[-2:]] == [
        team.encode_set(2, [MODE, count]),
        team.encode_set(2, [count]),
    ]


def test_a_refusal_says_what_was_tried(driver: Driver, family: TeamFamily) -> None:
    driver.script.append(errno.EBUSY)
    with pytest.raises(NetlinkError, match="cannot set mode = 'random' of team 2: Device or resource busy"):
        family.set(2, MODE)


def test_no_driver(driver: Driver) -> None:
    driver.script = [errno.ENOENT]
    with pytest.raises(NetlinkError) as caught:
        TeamFamily()
    assert caught.value.errno == errno.ENOENT
