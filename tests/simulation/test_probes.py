"""Watches that ask a neighbour, in virtual time: when, from where, and how long silence is forgiven."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.config import (
    ActiveBackupRunner,
    ArpPingWatch,
    BasicRunner,
    EthtoolWatch,
    LinkWatchConfig,
    NsnaPingWatch,
    PortConfig,
    RunnerConfig,
    TeamConfig,
)
from pyteam.engine.events import PortConfigured
from pyteam.frames import arp, ethernet, icmpv6
from pyteam.frames.ethernet import ETH_P_ARP, Frame, Vlan
from pyteam.frames.ip import parse_ipv6
from tests.simulation.harness import Host
from tests.simulation.neighbours import Neighbour

BACKUP = ActiveBackupRunner()
TARGET = "10.5.0.9"
MAC = bytes.fromhex("0a0000000009")
#: Somebody else's.
STRANGER = Frame(
    b"\xff" * 6, MAC, ETH_P_ARP, arp.Arp(arp.REQUEST, MAC, b"\n\5\0\1", bytes(6), b"\n\5\0\2").build()
).build()
WATCHES = [ArpPingWatch, NsnaPingWatch]


def watch(kind: type[Any] = ArpPingWatch, **keys: Any) -> Any:
    keys = {"interval": 100, "missed_max": 2} | keys
    return kind(target_host="fd00::9" if kind is NsnaPingWatch else TARGET, **keys)


def team(*watches: LinkWatchConfig, runner: RunnerConfig = BACKUP, **ports: PortConfig) -> TeamConfig:
    ports = ports or {"a": PortConfig(prio=10), "b": PortConfig()}
    return TeamConfig(runner=runner, link_watch=watches, ports=ports)


def host(config: TeamConfig, neighbour: Neighbour | None = None) -> Host:
    made = Host(*config.ports)
    if neighbour is not None:
        made.neighbour = neighbour
    return made.start(config)


def times(host: Host, port: str) -> list[float]:
    return [round(when, 6) for when, name, _ in host.sent if name == port]


def last(host: Host, port: str) -> Frame:
    return [ethernet.parse(data) for _, name, data in host.sent if name == port][-1]


@pytest.mark.parametrize("kind", WATCHES)
@pytest.mark.parametrize(("init_wait", "first"), [(0, 0.0), (250, 0.25)])
def test_the_first_question_waits_and_the_others_keep_their_interval(
    kind: type[Any], init_wait: int, first: float
) -> None:
    found = host(team(watch(kind, init_wait=init_wait), a=PortConfig()), Neighbour())
    found.advance(1)
    assert times(found, "a")[:4] == [first, *(round(first + n / 10, 6) for n in (1, 2, 3))]
    # Up at the tick behind the answer.
    assert [line for line in found.log if "went up" in line] == [
        f"a: {kind(target_host='x').name}-link went up."
    ]
    assert found.port("a").up


def test_an_interval_of_0_asks_once() -> None:
    found = host(team(watch(interval=0)), Neighbour())
    found.advance(100)
    assert times(found, "a") == [0.0]
    assert found.team.next_timeout() is None


@pytest.mark.parametrize("kind", WATCHES)
@given(phase=st.floats(0.001, 0.1), missed_max=st.integers(0, 4))
def test_wherever_in_an_interval_a_loss_begins_it_is_seen_in_time(
    kind: type[Any], phase: float, missed_max: int
) -> None:
    neighbour = Neighbour()
    found = host(team(watch(kind, missed_max=missed_max, send_always=True)), neighbour)
    found.advance(1 + phase)
    assert found.active == "a"
    neighbour.silent.add("a")
    found.advance((missed_max + 1) * 0.1 - 0.1)
    assert found.active == "a"
    found.advance(0.1 + 0.05)
    assert found.active == "b"
    assert found.port("a").watches[0].down_count == 1


@given(missed_max=st.integers(1, 4))
def test_as_many_lost_answers_as_missed_max_are_forgiven(missed_max: int) -> None:
    neighbour = Neighbour()
    found = host(team(watch(missed_max=missed_max)), neighbour)
    found.advance(1.05)
    for _ in range(5):
        neighbour.silent.add("a")
        found.advance(missed_max * 0.1)
        neighbour.silent.clear()
        found.advance(1)
    assert found.port("a").watches[0].down_count == 0


def test_missed_counts_each_interval_once() -> None:
    neighbour = Neighbour()
    found = host(team(watch(), a=PortConfig()), neighbour)
    found.advance(0.95)
    neighbour.silent.add("a")
    seen = []
    for _ in range(6):
        found.advance(0.1)
        seen.append((found.port("a").watches[0].settings["missed"], found.port("a").up))
    # At 1.05, 1.15, ...: the tick at 1.0 still had heard something. 320 ms behind 0.9 it is down.
    assert seen == [(0, True), (1, True), (3, False), (3, False), (4, False), (5, False)]


def test_the_target_that_was_not_there_is_found_when_it_comes() -> None:
    neighbour = Neighbour(silent={"a", "b"})
    found = host(team(watch()), neighbour)
    found.advance(60.05)
    assert not found.port("a").up
    assert found.active == ""
    assert len(times(found, "a")) == len(times(found, "b")) == 601
    neighbour.silent.clear()
    found.advance(0.2)
    assert found.active == "a"


def test_only_who_carries_traffic_asks() -> None:
    found = host(team(watch()), Neighbour())
    found.advance(10)
    assert found.active == "a"
    assert len(times(found, "a")) == 101
    # Until the first was up, nobody carried any.
    assert times(found, "b") == [0.0]
    assert not found.port("b").up


def test_when_nobody_carries_traffic_all_ask() -> None:
    neighbour = Neighbour()
    found = host(team(watch()), neighbour)
    found.advance(1.01)
    neighbour.silent.add("a")
    found.advance(1)
    assert found.active == "b"


def test_send_always_asks_on_backups_too() -> None:
    found = host(team(watch(send_always=True)), Neighbour())
    found.advance(1)
    assert times(found, "a") == times(found, "b")
    assert found.port("b").up


def test_every_port_of_a_runner_without_choice_asks() -> None:
    found = host(team(watch(), runner=BasicRunner()), Neighbour())
    found.advance(1)
    assert times(found, "a") == times(found, "b")


@pytest.mark.parametrize(("policy", "same"), [("same_all", True), ("by_active", False)])
def test_a_backup_does_not_ask_from_the_mac_of_the_traffic(policy: str, same: bool) -> None:
    """Or the switch sends it there."""
    runner = ActiveBackupRunner(hwaddr_policy=policy)  # type: ignore[arg-type]
    found = host(team(watch(send_always=True), runner=runner), Neighbour())
    found.advance(1.05)
    assert (found.address("a") == found.address("b")) is same
    for where in ("a", "b"):
        frame = last(found, where)
        assert arp.parse(frame.payload).sender_mac == frame.source
        assert (frame.source == found.address("team0")) is (where == found.active)
        if where != found.active:
            # Its own, which nobody else has.
            assert frame.source == found.port(where).link.permanent_address
            assert found.ear(where).address == (frame.source if same else None)
        else:
            assert found.ear(where).address is None
    found.neighbour = Neighbour(silent={"a"})
    found.advance(1)
    assert found.active == "b"
    # The first port's own MAC is the team's: it takes one that is nobody's.
    frame = last(found, "a")
    assert (frame.source[0] == found.address("a")[0] ^ 2) is same
    assert (frame.source == found.address("team0")) is False


def test_carrier_alone_says_nothing() -> None:
    neighbour = Neighbour()
    found = host(team(watch(send_always=True)), neighbour)
    found.advance(1)
    found.cut("b")
    assert found.port("b").up
    assert found.option("user_linkup_enabled", "a") is True
    neighbour.silent.add("b")
    found.advance(1)
    assert not found.port("b").up
    assert found.option("user_linkup", "b") is False


@pytest.mark.parametrize(
    ("team_policy", "port_policy", "up"),
    [("any", None, True), ("all", None, False), ("all", "any", True), ("any", "all", False)],
)
def test_a_port_may_have_a_policy_of_its_own(team_policy: str, port_policy: str | None, up: bool) -> None:
    config = TeamConfig(
        runner=BACKUP,
        link_watch=(EthtoolWatch(), watch()),
        link_watch_policy=team_policy,  # type: ignore[arg-type]
        ports={"a": PortConfig(link_watch_policy=port_policy), "b": PortConfig()},  # type: ignore[arg-type]
    )
    found = host(config, Neighbour(silent={"a", "b"}))
    found.advance(1)
    assert found.port("a").up is up
    assert found.port("b").up is (team_policy == "any")
    other = "all" if up else "any"
    found.tell(PortConfigured("a", PortConfig(link_watch_policy=other)))  # type: ignore[arg-type]
    assert found.port("a").up is not up


def test_arp_of_strangers_is_a_sign_of_life() -> None:
    found = host(team(watch(), a=PortConfig()))
    found.advance(0.05)
    found.hear("a", STRANGER)
    found.advance(0.1)
    assert found.port("a").up


def test_our_own_arp_is_none() -> None:
    found = host(team(watch(send_always=True)))
    # A switch sends it to all others, a loop sends it back: our questions, and what the team itself asks.
    found.neighbour = lambda port, frame: [frame] * 2
    found.advance(1)
    for sender in ("team0", "a", "b"):
        mine = found.address(sender)
        gratuitous = arp.Arp(arp.REPLY, mine, b"\n\5\0\1", mine, b"\n\5\0\1").build()
        found.hear("b", Frame(b"\xff" * 6, mine, ETH_P_ARP, gratuitous).build())
        found.hear("b", Frame(b"\xff" * 6, MAC, ETH_P_ARP, gratuitous).build())
    found.advance(1)
    assert not found.port("a").up
    assert not found.port("b").up


@pytest.mark.parametrize("validates", [False, True])
def test_a_port_that_waits_hears_what_a_switch_floods(validates: bool) -> None:
    """It came in over the cable of that port; and so old configurations keep their backup."""
    neighbour = Neighbour(silent={"b"})
    found = host(team(watch(validate_inactive=validates)), neighbour)
    found.advance(0.35)
    assert found.active == "a"
    for _ in range(8):
        found.advance(0.1)
        found.hear("b", last(found, "a").build())
        found.hear("a", last(found, "a").build())
    assert found.port("b").up is not validates
    neighbour.silent.add("a")
    for _ in range(3):
        found.hear("a", last(found, "a").build())
        found.advance(0.1)
    assert not found.port("a").up, "its own echo kept it up"
    assert found.active == ("" if validates else "b")


@pytest.mark.parametrize("kind", WATCHES)
def test_in_a_vlan(kind: type[Any]) -> None:
    neighbour = Neighbour()
    found = host(team(watch(kind, vlanid=7), a=PortConfig()), neighbour)
    found.advance(0.15)
    assert found.port("a").up
    assert ethernet.parse(found.sent[0][2]).tags == (Vlan(7),)
    assert found.port("a").watches[0].settings["vlanid"] == 7


@pytest.mark.parametrize("kind", WATCHES)
@pytest.mark.parametrize("vlan", [None, 7])
@pytest.mark.parametrize(
    ("tags", "of"),
    [
        ((), {None}),
        ((Vlan(0),), {None}),
        ((Vlan(0, priority=5),), {None}),
        ((Vlan(7),), {7}),
        ((Vlan(7, priority=5),), {7}),
        ((Vlan(7, protocol=0x88A8),), set()),
        ((Vlan(8),), set()),
        ((Vlan(7), Vlan(8)), set()),
        ((Vlan(0), Vlan(7)), set()),
    ],
)
@pytest.mark.parametrize("offloaded", [True, False])
def test_an_answer_counts_in_its_own_vlan_only(
    kind: type[Any], vlan: int | None, tags: tuple[Vlan, ...], of: set[int | None], offloaded: bool
) -> None:
    neighbour = Neighbour()
    found = host(team(watch(kind, vlanid=vlan), a=PortConfig()))
    (answer,) = neighbour("a", found.sent[0][2])
    frame = ethernet.parse(answer)
    outer, inner = (tags[:1], tags[1:]) if offloaded else ((), tags)
    data = Frame(frame.destination, frame.source, frame.ethertype, frame.payload, inner).build()
    found.hear("a", data, tag=outer[0] if outer else None)
    found.advance(0.15)
    assert found.port("a").up is (vlan in of)


def test_who_has_heard_listens_no_more_until_the_next_question() -> None:
    found = host(team(watch(), a=PortConfig()))
    found.advance(0.05)
    assert found.ear("a").patterns
    found.hear("a", STRANGER)
    assert not found.ear("a").patterns
    found.advance(0.05)
    assert found.ear("a").patterns


def test_what_is_heard_in_vain_is_not_heard_for_ever() -> None:
    """The kernel lets pass what it cannot check, such as a wrong checksum, however often that comes."""
    found = host(team(watch(NsnaPingWatch), a=PortConfig()))
    (answer,) = Neighbour()("a", found.sent[0][2])
    found.hear("a", *[answer[:-1] + b"?"] * 49)
    assert found.ear("a").patterns
    found.hear("a", answer[:-1] + b"?")
    assert not found.ear("a").patterns
    found.hear("a", answer)
    found.advance(0.1)
    assert not found.port("a").up
    assert found.ear("a").patterns
    found.hear("a", answer)
    found.advance(0.1)
    assert found.port("a").up


def test_a_port_without_such_a_watch_is_not_listened_on() -> None:
    config = team(a=PortConfig(link_watch=(watch(),)), b=PortConfig())
    found = host(config, Neighbour())
    assert list(found.team.ears()) == [found.index("a")]
    found.tell(PortConfigured("a", PortConfig()))
    assert found.team.ears() == {}


def test_another_configuration_does_not_begin_anew() -> None:
    found = host(team(a=PortConfig(link_watch=(watch(),))), Neighbour())
    found.advance(1.05)
    found.tell(PortConfigured("a", PortConfig(link_watch=(watch(),), prio=7)))
    found.advance(1)
    assert times(found, "a") == [n / 10 for n in range(21)]
    assert found.port("a").watches[0].down_count == 0


def test_a_daemon_that_was_stopped_has_not_heard_silence() -> None:
    neighbour = Neighbour()
    found = host(team(watch(send_always=True)), neighbour)
    found.advance(1.05)
    found.world.now += 30
    found.settle()
    assert len(times(found, "a")) == 12
    found.advance(1)
    assert [line for line in found.log if "down" in line] == []
    neighbour.silent.add("a")
    found.advance(0.35)
    assert found.active == "b"


@pytest.mark.parametrize("missed_max", [0, 2])
def test_a_new_daemon_asks_before_it_judges(missed_max: int) -> None:
    neighbour = Neighbour()
    config = team(watch(send_always=True, missed_max=missed_max))
    found = host(config, neighbour)
    found.advance(1.05)
    found.restart(config, found.team.save())
    found.advance(1)
    assert found.active == "a"
    assert not [line for line in found.log if "went" in line]
    found.restart(config)
    neighbour.silent.add("a")
    found.advance(1)
    assert found.active == "b"


def test_a_solicitation_comes_from_the_port_and_needs_no_ipv6_there() -> None:
    found = host(team(watch(NsnaPingWatch), a=PortConfig()))
    frame = ethernet.parse(found.sent[0][2])
    source, destination, _, hops, body = parse_ipv6(frame.payload)
    assert frame.source == found.address("a")
    assert source == icmpv6.link_local(found.address("a"))
    assert destination.hex() == "ff0200000000000000000001ff000009"
    assert hops == 255
    assert body[24:] == b"\1\1" + frame.source
