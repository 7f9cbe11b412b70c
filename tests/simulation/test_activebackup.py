"""The activebackup runner on the simulated datapath: which port carries the traffic, and when."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from pyteam.config import ActiveBackupRunner, Burst, EthtoolWatch, PortConfig
from pyteam.engine.events import (
    LinkSeen,
    OptionChosen,
    OptionSeen,
    PortChosen,
    PortConfigured,
    PortUnwanted,
)
from pyteam.link import DUPLEX_HALF, SPEED_UNKNOWN
from pyteam.options import OptionKey
from tests.simulation.harness import Host, config

BACKUP = ActiveBackupRunner()
PLAIN = PortConfig()


def prio(value: int, sticky: bool = False) -> PortConfig:
    return PortConfig(prio=value, sticky=sticky)


def order(host: Host) -> list[str]:
    raw = host.option("failover_order")
    assert isinstance(raw, bytes)
    return [host.datapath.link(ifindex).name for (ifindex,) in struct.iter_unpack("=I", raw)]


def test_the_first_port_becomes_active_and_the_others_are_disabled() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    assert host.active == "a"
    assert host.enabled == host.sending == {"a"}
    assert host.option("mode") == "activebackup"
    assert host.option("notify_peers_count") == host.option("mcast_rejoin_count") == 1
    assert order(host) == ["a", "b"]
    assert host.log == ["a: ethtool-link went up.", 'Changed active port to "a".', "b: ethtool-link went up."]


def test_a_cut_loses_nothing_and_the_daemon_follows_the_datapath() -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=PLAIN, b=PLAIN, c=PLAIN))
    host.world.cut("a")
    assert host.sending == {"b"}, "the datapath has diverted before the engine was told"
    host.settle()
    assert host.sending == host.enabled == {"b"}
    assert host.log[-2:] == ["a: ethtool-link went down.", 'Changed active port to "b".']
    assert order(host) == ["b", "c", "a"]
    host.mend("a")
    assert host.active == "b", "an equal port takes nothing back"


def test_when_all_are_down_the_datapath_keeps_its_active_port_but_it_is_disabled() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.cut("b")
    host.cut("a")
    assert host.active == ""
    assert host.enabled == set()
    assert host.option("activeport") == host.index("a")
    host.mend("b")
    assert host.active == "b"
    assert host.enabled == host.sending == {"b"}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"prio": 1, "speed": 10}, {"prio": 0, "speed": 100_000}),
        ({"speed": 1000, "duplex": DUPLEX_HALF}, {"speed": 100}),
        ({"speed": 100}, {"speed": 100, "duplex": DUPLEX_HALF}),
        ({"speed": 10}, {"speed": SPEED_UNKNOWN}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_the_best_port_is_found_by_prio_then_speed_then_duplex(
    better: dict[str, int], worse: dict[str, int], first: bool
) -> None:
    offers = {"better": better, "worse": worse}
    names = ["better", "worse"] if first else ["worse", "better"]
    host = Host(*names)
    for name, offer in offers.items():
        host.world.set_speed(name, offer.get("speed", 1000), offer.get("duplex", 1))
    host.start(config(BACKUP, **{name: prio(offers[name].get("prio", 0)) for name in names}))
    assert host.active == "better"


def test_a_better_port_takes_over_when_it_returns() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(10), b=PLAIN))
    host.cut("a")
    assert host.active == "b"
    host.mend("a")
    assert host.active == "a"


def test_a_sticky_port_stays_while_its_link_is_up() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(10), b=prio(0, sticky=True)))
    host.cut("a")
    host.mend("a")
    assert host.active == "b"
    host.cut("b")
    assert host.active == "a"


def test_a_port_that_becomes_faster_takes_over() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.world.set_speed("b", 10_000)
    host.settle()
    assert host.active == "b"


def test_a_priority_set_from_outside_is_followed_and_not_fought() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.datapath.set_option(OptionKey("priority", host.index("b")), 7)
    host.settle()
    assert host.active == "b"
    host.repair()
    assert host.option("priority", "b") == 7


def test_the_echo_of_an_older_priority_changes_nothing() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(5), b=prio(3)))
    key = OptionKey("priority", host.index("a"))
    host.handle(PortConfigured("a", prio(6)))
    host.handle(PortConfigured("a", prio(7)))
    for echo in (5, 6):
        assert host.handle(OptionSeen(key, echo)).desired.options[key] == 7
    assert host.handle(OptionSeen(key, 8)).desired.options[key] == 8


def test_a_user_may_choose_any_member_until_the_next_decision() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(10), b=PLAIN))
    host.tell(PortChosen(host.index("b")))
    assert host.active == "b"
    assert host.enabled == {"b"}
    assert host.log[-1] == 'Changed active port to "b".'
    host.repair()
    assert host.active == "b"
    host.cut("b")
    assert host.active == "a"
    host.tell(PortChosen(host.index("b")))
    assert (host.active, host.sending) == ("b", {"a"}), "chosen without a link: the datapath diverts"
    host.mend("b")
    assert host.active == "a"


def test_what_is_no_port_cannot_be_chosen() -> None:
    host = Host("a", "x").start(config(BACKUP, a=PLAIN))
    host.tell(PortChosen(host.index("x")))
    assert host.active == "a"


@pytest.mark.parametrize("how", ["unplug", "release", "unwant"])
def test_the_next_best_port_takes_over_at_once_when_the_active_one_is_lost(how: str) -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=prio(9), b=prio(1), c=prio(5)))
    match how:
        case "unplug":
            host.world.unplug("a")
            assert host.sending == {"c"}
            host.settle()
        case "release":
            host.world.release("a")
            assert host.sending == {"c"}
            host.settle()
        case "unwant":
            host.tell(PortUnwanted("a"))
    assert host.active == "c"
    assert host.sending == host.enabled == {"c"}
    assert host.ports == ["b", "c"]


def test_the_active_port_set_from_outside_stands_until_the_next_decision() -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=prio(10), b=PLAIN, c=PLAIN))
    for name in ("b", "c", "b", "a", "b"):
        host.datapath.set_option(OptionKey("activeport"), host.index(name))
        host.settle()
        assert host.sending == host.enabled == {name}
        assert host.log[-1] == f'Changed active port to "{name}".'
        host.repair()
        assert host.active == name
    host.cut("c")
    assert host.active == "a"


def test_the_last_active_port_may_be_chosen_again_from_outside() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN))
    host.world.release("a")
    host.world.cut("a")
    host.world.enslave("a", "team0")
    host.settle()
    assert host.active == ""
    host.datapath.set_option(OptionKey("activeport"), host.index("a"))
    host.settle()
    assert host.active == "a"


def test_the_echo_of_an_older_switch_is_nobodys_choice() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(10), b=PLAIN))
    a, b = host.index("a"), host.index("b")
    host.world.cut("a")
    host.handle(LinkSeen(host.datapath.link(a)))
    host.world.mend("a")
    host.handle(LinkSeen(host.datapath.link(a)))
    # What the device tells is about to be: the switch away from a and back.
    for echo in (b, a):
        assert (
            host.handle(OptionSeen(OptionKey("activeport"), echo)).desired.options[OptionKey("activeport")]
            == a
        )


@pytest.mark.parametrize("value", ["lo", "nothing"])
def test_an_active_port_that_is_none_is_no_choice(value: str) -> None:
    host = Host("a", "lo").start(config(BACKUP, a=PLAIN))
    ifindex = host.index("lo") if value == "lo" else 0
    assert host.handle(OptionSeen(OptionKey("activeport"), ifindex)).compare
    assert host.active == "a"


@pytest.mark.parametrize("told", [OptionSeen, OptionChosen])
def test_what_the_configuration_gave_may_be_set_from_outside(
    told: type[OptionSeen] | type[OptionChosen],
) -> None:
    host = Host("a").start(config(BACKUP, a=PortConfig(prio=3, queue_id=2)))
    a = host.index("a")
    for key, value in {
        OptionKey("notify_peers_count"): 5,
        OptionKey("queue_id", a): 4,
        OptionKey("priority", a): -1,
    }.items():
        host.datapath.set_option(key, value)
        host.datapath.receive()
        host.tell(told(key, value))
        host.repair()
        assert host.datapath.actual().options[key] == value
    # Until the configuration speaks again.
    host.tell(PortConfigured("a", prio(9)))
    assert (host.option("priority", "a"), host.option("queue_id", "a")) == (9, 4)
    host.tell(PortConfigured("a", PortConfig(queue_id=1)))
    assert (host.option("priority", "a"), host.option("queue_id", "a")) == (0, 1)


def test_a_choice_may_be_a_value_that_was_wanted_before() -> None:
    host = Host("a").start(config(BACKUP, a=prio(5)))
    key = OptionKey("priority", host.index("a"))
    host.handle(PortConfigured("a", prio(6)))
    # Where the datapath tells no news of options this would pass for an echo.
    assert host.handle(OptionChosen(key, 5)).desired.options[key] == 5


@pytest.mark.parametrize(("configured", "by_hand"), [(0, 7), (5, 0)])
def test_what_was_as_it_is_configured_may_be_set_from_outside(configured: int, by_hand: int) -> None:
    """It was never set by us, so nobody ever told of it."""
    settings = replace(config(BACKUP, a=prio(configured)), notify_peers=Burst(count=0))
    host = Host("a").start(settings)
    for restarted in (False, True):
        if restarted:
            host.restart(settings)
            host.datapath.set_option(OptionKey("priority", host.index("a")), by_hand)
        host.datapath.set_option(OptionKey("notify_peers_count"), 9)
        host.settle()
        host.repair()
        assert host.option("notify_peers_count") == 9
    assert host.option("priority", "a") == by_hand


def test_who_decides_what() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN))
    a = host.index("a")
    decided = [OptionKey(name, a) for name in ("enabled", "user_linkup")]
    decided += [OptionKey("mode"), OptionKey("failover_order")]
    assert all(host.team.decides(key) for key in decided)
    free = [OptionKey(name, a) for name in ("priority", "queue_id", "user_linkup_enabled")]
    free += [OptionKey(name) for name in ("activeport", "notify_peers_count", "mcast_rejoin_interval")]
    assert not any(host.team.decides(key) for key in free)


def test_what_somebody_else_changed_is_repaired() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.datapath.set_option(OptionKey("enabled", host.index("a")), False)
    host.settle()
    assert host.enabled == host.sending == {"a"}
    host.datapath.set_option(OptionKey("enabled", host.index("a")), False)
    host.datapath.receive()
    assert host.enabled == set(), "nobody has told the engine"
    host.repair()
    assert host.enabled == {"a"}


def test_spares_are_ranked_by_watch_then_carrier_then_worth() -> None:
    slow = PortConfig(prio=50, link_watch=(EthtoolWatch(delay_up=1000),))
    ports = {"a": prio(99), "b": prio(1), "c": prio(2), "slow": slow, "dead": prio(70)}
    host = Host(*ports)
    host.world.cut("dead")
    host.start(config(BACKUP, **ports))
    assert host.active == "a"
    assert order(host) == ["a", "c", "b", "slow", "dead"]


def test_a_restart_on_a_live_device_does_nothing() -> None:
    settings = config(BACKUP, a=prio(5), b=prio(0, sticky=True), c=PLAIN)
    host = Host("a", "b", "c").start(settings)
    host.cut("a")
    host.mend("a")
    assert host.active == "b", "sticky"
    for history in (None, host.team.save()):
        host.restart(settings, history)
        assert host.done == []
        assert host.log == []
        assert host.active == "b"


def test_a_restart_sees_what_happened_meanwhile() -> None:
    settings = config(BACKUP, a=PortConfig(link_watch=(EthtoolWatch(delay_down=60_000),)), b=PLAIN)
    host = Host("a", "b").start(settings)
    host.world.cut("a")
    host.restart(settings)
    assert host.active == "b"
    assert host.log == ["a: ethtool-link went down.", 'Changed active port to "b".']


def test_history_keeps_delays_and_counts_over_a_restart() -> None:
    settings = config(BACKUP, a=PortConfig(link_watch=(EthtoolWatch(delay_down=2000),)), b=PLAIN)
    host = Host("a", "b").start(settings)
    host.cut("b")
    host.mend("b")
    host.world.cut("a")
    host.restart(settings, host.team.save())
    assert host.active == "a"
    assert host.port("b").watches[0].down_count == 1
    host.advance(2.5)
    assert host.active == "b"


def test_history_names_the_active_port_where_the_device_does_not() -> None:
    settings = config(BACKUP, a=PLAIN, b=PLAIN)
    host = Host("a", "b").start(settings)
    host.cut("a")
    host.mend("a")
    history = host.team.save()
    host.datapath.set_option(OptionKey("enabled", host.index("b")), False)
    host.restart(settings, history)
    assert history.active_port == host.active == "b"
