"""Runner ``lacp`` on the simulated datapath: two teams find each other, and what becomes of ports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyteam.config import EthtoolWatch, LacpRunner, PortConfig
from pyteam.engine.events import FrameSeen, PortConfigured, PortUnwanted, RunnerConfigured
from pyteam.frames.lacp import Lacpdu, State, parse
from tests.simulation.cabled import Pair
from tests.simulation.harness import Host

FAST = LacpRunner(fast_rate=True)
BOTH = {"eth0", "eth1"}


def form(pair: Pair) -> Pair:
    """Until all ports are used; and a moment longer, for nobody says more than three things a second."""
    pair.until(lambda: pair.a.sending == pair.b.sending == set(pair.names), within=4)
    pair.advance(2)
    return pair


def runner(host: Host, name: str) -> dict[str, object]:
    return dict(host.port(name).runner)


def carrier(host: Host) -> bool:
    return host.datapath.actual().carrier


@pytest.mark.parametrize(
    "other", [FAST, LacpRunner(), LacpRunner(active=False)], ids=["fast", "slow", "passive"]
)
def test_two_teams_form_within_four_seconds(other: LacpRunner) -> None:
    pair = Pair(FAST, other)
    assert not carrier(pair.a)
    assert pair.a.sending == set()
    form(pair)
    assert carrier(pair.a)
    assert carrier(pair.b)
    assert runner(pair.a, "eth0")["state"] == "current"
    assert runner(pair.a, "eth0")["why_not"] == ""


def test_two_passive_teams_never_speak() -> None:
    pair = Pair(LacpRunner(active=False), LacpRunner(active=False))
    pair.advance(100)
    assert pair.a.sent == pair.b.sent == []
    assert "passive" in str(runner(pair.a, "eth0")["why_not"])


def test_a_cut_cable_leaves_the_other_port_alone() -> None:
    pair = form(Pair(FAST, FAST))
    before = len(pair.a.done)
    pair.cut("eth0")
    assert pair.a.sending == pair.b.sending == {"eth1"}
    assert carrier(pair.a)
    assert all(
        getattr(command, "key", None) is None or "eth1" not in str(command)
        for command in pair.a.done[before:]
    )
    pair.mend("eth0")
    pair.until(lambda: pair.a.sending == pair.b.sending == BOTH, within=4)


def test_silence_takes_a_port_out_after_three_seconds() -> None:
    pair = form(Pair(FAST, FAST))
    pair.passes = lambda host, cable: cable != "eth0"
    assert 2 <= pair.until(lambda: "eth0" not in pair.a.sending, within=3.1) <= 3.1
    assert pair.a.sending == {"eth1"}
    pair.advance(10)
    assert runner(pair.a, "eth0")["state"] == "defaulted"
    assert "no LACPDU" in str(runner(pair.a, "eth0")["why_not"])


def test_a_partner_that_hears_nothing_tells_us_and_both_stop() -> None:
    """One-way loss: what a sends over eth0 is lost."""
    pair = form(Pair(FAST, FAST))
    pair.passes = lambda host, cable: (host, cable) != (0, "eth0")
    pair.until(lambda: pair.a.sending == pair.b.sending == {"eth1"}, within=3.2)


def test_min_ports_rules_the_carrier_alone() -> None:
    pair = form(Pair(replace(FAST, min_ports=2), FAST))
    pair.cut("eth0")
    assert not carrier(pair.a)
    assert pair.a.sending == {"eth1"}
    assert carrier(pair.b)


def test_a_removed_port_says_good_bye() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.tell(PortUnwanted("eth0"))
    last = parse([data for _, name, data in pair.a.sent if name == "eth0"][-1])
    assert isinstance(last, Lacpdu)
    assert not last.actor.state & (State.SYNC | State.COLLECTING | State.DISTRIBUTING)
    pair.advance(0.01)
    assert pair.b.sending == {"eth1"}


def test_a_team_that_is_set_down_says_good_bye_and_comes_back() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.world.set_up("team0", False)
    pair.a.settle()
    pair.advance(0.01)
    assert pair.b.sending == set()
    assert runner(pair.a, "eth0")["why_not"] == "the team device is down"
    sent = len(pair.a.sent)
    pair.advance(5)
    assert len(pair.a.sent) == sent
    pair.a.world.set_up("team0", True)
    pair.a.settle()
    form(pair)


def test_the_end_of_a_daemon_is_told() -> None:
    pair = form(Pair(FAST, FAST))
    for frame in pair.a.team.end(pair.a.world.now).frames:
        name = pair.a.datapath.link(frame.ifindex).name
        pair.b.tell(FrameSeen(pair.b.index(name), frame.data))
    assert pair.b.sending == set()


def test_a_port_whose_watch_is_down_is_used_by_neither_side() -> None:
    pair = form(Pair(FAST, FAST))
    late = PortConfig(link_watch=(EthtoolWatch(delay_up=1000),))
    pair.a.tell(PortConfigured("eth0", late))
    pair.cut("eth0")
    pair.mend("eth0")
    pair.advance(0.5)
    assert runner(pair.a, "eth0")["why_not"] == "a link watch says that it does not work"
    pair.until(lambda: pair.a.sending == pair.b.sending == BOTH, within=5)


def test_another_key_moves_that_port_alone() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.tell(PortConfigured("eth1", PortConfig(lacp_key=7)))
    for _ in range(50):
        pair.advance(0.1)
        assert "eth0" in pair.a.sending & pair.b.sending
    assert pair.a.sending == pair.b.sending == {"eth0"}
    assert runner(pair.a, "eth1")["why_not"] == "the team uses another aggregator"


def test_a_better_aggregator_takes_over_when_it_can_carry_the_traffic() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.tell(PortConfigured("eth0", PortConfig(lacp_key=7)))
    pair.advance(1.9)
    assert pair.a.sending == pair.b.sending == {"eth1"}
    pair.until(lambda: pair.a.sending == pair.b.sending == {"eth0"}, within=0.2)


def test_another_priority_moves_that_port_alone() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.tell(PortConfigured("eth0", PortConfig(lacp_prio=7)))
    for _ in range(50):
        pair.advance(0.1)
        assert "eth1" in pair.a.sending & pair.b.sending
    assert pair.a.sending == pair.b.sending == BOTH
    assert runner(pair.b, "eth0")["partner_lacpdu_info"]["port_priority"] == 7  # type: ignore[index]


def test_a_restart_is_not_noticed() -> None:
    pair = form(Pair(FAST, FAST))
    pair.advance(3)
    done = len(pair.b.done)
    history = pair.a.team.save()
    pair.a.restart(pair.configs[0], history)
    pair.advance(5)
    assert pair.a.done == []
    assert len(pair.b.done) == done
    for _, _, data in pair.a.sent[-4:]:
        pdu = parse(data)
        assert isinstance(pdu, Lacpdu)
        assert pdu.actor.state == 0x3F


def test_what_was_agreed_before_the_device_was_set_down_counts_no_more() -> None:
    pair = form(Pair(FAST, FAST))
    history = pair.a.team.save()
    pair.a.world.set_up("team0", False)
    pair.a.restart(pair.configs[0], history)
    pair.advance(10)
    pair.a.world.set_up("team0", True)
    pair.a.settle()
    assert pair.a.sending == set()
    form(pair)


def test_a_port_that_vanishes_and_returns_has_its_number_again() -> None:
    pair = form(Pair(FAST, FAST))
    pair.a.world.unplug("eth1")
    pair.a.settle()
    pair.a.world.plug("eth1")
    pair.a.settle()
    assert runner(pair.a, "eth1")["actor_lacpdu_info"]["port"] == 2  # type: ignore[index]


def test_a_retry_count_that_has_run_out_can_be_asked_for_again() -> None:
    pair = form(Pair(FAST, FAST))
    five = replace(FAST, retry_count=5)
    for _ in range(2):
        pair.a.tell(RunnerConfigured(five))
        assert pair.a.team.snapshot().runner["retry_count"] == 5
        pair.a.advance(5 * 180 + 1)
        assert pair.a.team.snapshot().runner["retry_count"] == 3
        pair.b.advance(pair.a.world.now - pair.b.world.now)


def test_ports_keep_their_numbers_and_they_begin_with_one() -> None:
    pair = form(Pair(FAST, FAST, cables=3))
    assert [runner(pair.a, name)["actor_lacpdu_info"]["port"] for name in pair.names] == [1, 2, 3]  # type: ignore[index]


def test_with_independent_control_a_port_receives_before_it_sends() -> None:
    pair = Pair(replace(FAST, independent_control=True), replace(FAST, independent_control=True))
    seen = set()
    for _ in range(8000):
        pair.advance(0.0005)
        seen.add((pair.a.option("rx_enabled", "eth0"), pair.a.option("tx_enabled", "eth0")))
    assert seen == {(False, False), (True, False), (True, True)}


def test_speeds_do_not_mix() -> None:
    pair = Pair(FAST, FAST)
    pair.a.world.set_speed("eth0", 10000)
    pair.a.settle()
    pair.advance(5)
    assert len(pair.a.sending) == len(pair.b.sending) == 1


def test_a_key_by_speed_is_told_to_the_partner() -> None:
    pair = form(Pair(replace(FAST, key="speed"), FAST))
    (key,) = {runner(pair.a, name)["actor_lacpdu_info"]["key"] for name in pair.names}  # type: ignore[index]
    assert key == 3 << 1 | 1
    pair.a.world.set_speed("eth0", 10000)
    pair.a.settle()
    pair.advance(5)
    assert len(pair.a.sending) == 1
