"""Link watches in virtual time: delays, flaps, several watches, policies, counts."""

from __future__ import annotations

import pytest

from pyteam.config import ActiveBackupRunner, EthtoolWatch, PortConfig, TeamConfig, TipcWatch
from pyteam.engine.events import PortConfigured, TipcLinkSeen
from tests.simulation.harness import Host

BACKUP = ActiveBackupRunner()
SLOW = EthtoolWatch(delay_up=3000, delay_down=2000)


def team(*watches: EthtoolWatch, policy: str = "any", port: tuple[EthtoolWatch, ...] = ()) -> TeamConfig:
    return TeamConfig(
        runner=BACKUP,
        link_watch=watches,
        link_watch_policy=policy,  # type: ignore[arg-type]
        ports={"a": PortConfig(link_watch=port)},
    )


def test_delays_are_honoured_to_the_millisecond() -> None:
    host = Host("a").start(team(SLOW))
    host.advance(2.999)
    assert not host.port("a").up
    host.advance(0.001)
    assert host.port("a").up
    host.cut("a")
    host.advance(1.999)
    assert host.port("a").up
    assert host.active == "a"
    host.advance(0.001)
    assert not host.port("a").up
    assert host.active == ""
    assert host.option("user_linkup", "a") is False
    assert host.port("a").watches[0].down_count == 1


def test_a_flap_within_the_delay_never_happened() -> None:
    host = Host("a").start(team(SLOW))
    host.advance(3)
    log = list(host.log)
    for _ in range(5):
        host.cut("a")
        host.advance(1.5)
        host.mend("a")
        host.advance(1.5)
    assert host.log == log
    assert host.team.next_timeout() is None


def test_a_change_of_speed_does_not_start_the_delay_again() -> None:
    host = Host("a").start(team(SLOW))
    host.advance(2)
    host.world.set_speed("a", 100)
    host.settle()
    host.advance(1)
    assert host.port("a").up


@pytest.mark.parametrize(("policy", "first", "both"), [("any", True, True), ("all", False, True)])
def test_several_watches_are_combined_by_the_policy(policy: str, first: bool, both: bool) -> None:
    host = Host("a").start(team(SLOW, policy=policy, port=(EthtoolWatch(),)))
    assert [watch.settings["delay_up"] for watch in host.port("a").watches] == [0, 3000]
    assert host.port("a").up is first
    assert host.option("user_linkup", "a") is first
    host.advance(3)
    assert host.port("a").up is both
    host.cut("a")
    assert host.port("a").up is (policy == "any")


def test_without_any_watch_the_carrier_is_watched() -> None:
    host = Host("a").start(team())
    (watch,) = host.port("a").watches
    assert (watch.name, watch.up, watch.settings) == ("ethtool", True, {"delay_up": 0, "delay_down": 0})


def test_a_port_set_down_by_somebody_has_no_link() -> None:
    host = Host("a").start(team())
    host.world.set_up("a", False)
    host.settle()
    assert not host.port("a").up
    assert host.log[-1] == "a: ethtool-link went down."


def test_another_configuration_keeps_the_watches_that_stay() -> None:
    host = Host("a").start(team(EthtoolWatch()))
    host.cut("a")
    host.mend("a")
    host.tell(PortConfigured("a", PortConfig(link_watch=(SLOW,))))
    slow, plain = host.port("a").watches
    assert (slow.settings["delay_up"], slow.up, plain.down_count) == (3000, True, 1)
    assert host.active == "a"


def test_another_configuration_does_not_start_the_delay_again() -> None:
    host = Host("a").start(team(SLOW))
    host.advance(2)
    host.tell(PortConfigured("a", PortConfig(prio=3)))
    host.advance(1)
    assert host.port("a").up


def test_user_linkup_does_not_rule_the_datapath_for_watches_of_the_carrier() -> None:
    host = Host("a").start(team(SLOW))
    assert host.option("user_linkup_enabled", "a") is False
    assert host.datapath.actual().carrier


def test_tipc_is_up_while_any_link_of_its_bearer_is() -> None:
    ports = {"a": PortConfig(link_watch=(TipcWatch(tipc_bearer="a"),)), "b": PortConfig()}
    host = Host("a", "b").start(TeamConfig(runner=BACKUP, ports=ports))
    assert host.team.tipc_bearers() == {"a"}
    assert not host.port("a").up
    host.tell(TipcLinkSeen("1.1.1:b-1.1.2:a", True), TipcLinkSeen("1.1.1:ab-1.1.2:a", True))
    assert not host.port("a").up
    one, two = "1.1.1:a-1.1.2:eth9", "1001002:a-1.1.3:a-b"
    host.tell(TipcLinkSeen(one, True), TipcLinkSeen(two, True), TipcLinkSeen(one, False))
    assert host.port("a").up
    assert host.log[-1] == "a: tipc-link went up."
    assert host.port("a").watches[0].settings == {"tipc_bearer": "a"}
    # One that nobody knew goes down, and then the last.
    host.tell(TipcLinkSeen(one, False))
    assert host.port("a").up
    host.tell(TipcLinkSeen(two, False))
    assert not host.port("a").up
    assert host.option("user_linkup_enabled", "a") is True


@pytest.mark.parametrize("there", [True, False])
def test_after_a_restart_a_tipc_link_that_is_not_told_of_is_none(there: bool) -> None:
    config = TeamConfig(runner=BACKUP, link_watch=(TipcWatch(tipc_bearer="a"),), ports={"a": PortConfig()})
    host = Host("a").start(config)
    host.tell(TipcLinkSeen("x:a-y:a", True))
    host.restart(config, host.team.save())
    assert host.port("a").up
    if there:
        host.tell(TipcLinkSeen("x:a-y:a", True))
    host.advance(2)
    assert host.port("a").up is there
