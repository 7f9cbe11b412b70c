"""Ports that come and go: wanted, missing, refused, renamed, moved away, taken by others."""

from __future__ import annotations

import pytest

from pyteam.config import ActiveBackupRunner, BasicRunner, PortConfig
from pyteam.engine.events import LinkSeen, PortConfigured, PortUnwanted, PortWanted
from pyteam.link import Link
from tests.simulation.harness import Host, config

BACKUP = ActiveBackupRunner()
PLAIN = PortConfig()


def test_a_missing_port_is_said_once_and_added_when_it_appears() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN, b=PortConfig(prio=5)))
    assert "b: Skipped adding a missing port." in host.log
    host.repair()
    host.world.plug("b")
    host.settle()
    assert host.ports == ["a", "b"]
    assert host.active == "b"
    assert sum("missing" in line for line in host.log) == 1


@pytest.mark.parametrize("ifindex", [0, 40])
def test_a_port_that_was_unplugged_returns_with_its_configuration(ifindex: int) -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PortConfig(prio=5)))
    host.world.unplug("b")
    host.settle()
    assert (host.ports, host.active) == (["a"], "a")
    host.world.plug("b", ifindex=ifindex)
    host.settle()
    assert (host.ports, host.active) == (["a", "b"], "b")
    assert host.port("b").watches[0].down_count == 0


def test_a_port_that_is_replaced_between_two_looks_is_noticed() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.world.unplug("b")
    new = host.world.plug("b")
    events = host.datapath.receive()
    host.tell(*reversed(events))
    assert new in host.datapath.actual().members
    assert host.ports == ["a", "b"]


def test_a_renamed_port_keeps_its_configuration_and_its_work() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PortConfig(prio=5)))
    host.done.clear()
    host.world.rename("b", "lan0")
    host.settle()
    assert (host.ports, host.active) == (["a", "lan0"], "lan0")
    assert host.done == []
    assert host.option("priority", "lan0") == 5
    host.world.unplug("lan0")
    host.settle()
    host.world.plug("b")
    host.settle()
    assert (host.ports, host.active) == (["a", "b"], "b")


def test_what_is_renamed_before_it_is_a_port_was_wanted_for_its_name() -> None:
    host = Host("a")
    host.world.plug("b", up=True)
    host.start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.world.rename("b", "other")
    host.world.set_up("other", False)
    host.settle()
    assert host.ports == ["a"]
    host.world.rename("other", "b")
    host.settle()
    assert host.ports == ["a", "b"]


def test_an_interface_that_takes_a_wanted_name_becomes_a_port() -> None:
    host = Host("a", "eth7").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.world.rename("eth7", "b")
    host.settle()
    assert host.ports == ["a", "b"]


def test_a_busy_interface_is_tried_again_when_it_is_set_down() -> None:
    host = Host("a")
    host.world.plug("b", up=True)
    host.start(config(BACKUP, a=PLAIN, b=PLAIN))
    assert host.ports == ["a"]
    tries = len(host.done)
    host.cut("b")
    host.world.set_mtu("b", 1400)
    host.settle()
    host.repair()
    assert len(host.done) == tries, "it is still up"
    host.world.set_up("b", False)
    host.settle()
    assert host.ports == ["a", "b"]


def test_a_loopback_is_refused_and_not_tried_again() -> None:
    host = Host("a")
    host.world.plug("lo", loopback=True)
    host.start(config(BACKUP, a=PLAIN, lo=PLAIN))
    tries = len(host.done)
    host.repair()
    assert (host.ports, len(host.done)) == (["a"], tries)


def test_an_interface_in_another_team_is_refused() -> None:
    host = Host("a", "b")
    host.world.lend("b")
    host.start(config(BACKUP, a=PLAIN, b=PLAIN))
    assert host.ports == ["a"]


def test_a_port_released_by_somebody_else_is_not_fought_over() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.world.release("b")
    host.settle()
    host.repair()
    assert host.ports == ["a"]
    host.tell(PortWanted("b"))
    assert host.ports == ["a", "b"]


def test_a_port_that_somebody_else_adds_is_adopted_with_its_configuration() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PortConfig(prio=5)), add_ports=False)
    assert host.ports == []
    host.world.enslave("b", "team0")
    host.settle()
    assert (host.ports, host.active) == (["b"], "b")
    assert host.option("priority", "b") == 5
    host.world.release("b")
    host.settle()
    host.world.enslave("b", "team0")
    host.settle()
    assert host.ports == ["b"]
    host.world.unplug("b")
    host.settle()
    host.world.plug("b")
    host.settle()
    assert host.ports == [], "nobody asked for it"


def test_a_user_adds_and_removes_ports() -> None:
    host = Host("a", "b").start(config(BasicRunner()))
    host.tell(PortWanted("a"), PortWanted("b"))
    assert host.ports == ["a", "b"]
    host.tell(PortUnwanted("a"))
    host.repair()
    assert host.ports == ["b"]
    assert host.datapath.actual().members == {host.index("b")}


def test_late_news_of_a_port_that_was_removed_do_not_bring_it_back() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    late = LinkSeen(host.datapath.link(host.index("b")))
    outcome = host.handle(PortUnwanted("b"))
    assert host.index("b") not in outcome.desired.members
    assert host.index("b") not in host.handle(late).desired.members
    host.settle(compare=True)
    assert host.ports == ["a"]
    host.tell(PortWanted("b"))
    assert host.ports == ["a", "b"]


def test_a_port_may_be_wanted_before_it_exists() -> None:
    host = Host("a").start(config(BasicRunner(), a=PLAIN))
    host.tell(PortWanted("b"))
    host.world.plug("b")
    host.settle()
    assert host.ports == ["a", "b"]


def test_a_port_configuration_given_before_the_port_is_used() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN))
    host.tell(PortConfigured("b", PortConfig(prio=7, queue_id=3)), PortWanted("b"))
    assert host.active == "b"
    assert (host.option("priority", "b"), host.option("queue_id", "b")) == (7, 3)


def test_unrelated_interfaces_cost_no_comparison() -> None:
    host = Host("a", "docker0").start(config(BACKUP, a=PLAIN))
    before = host.team.desired
    outcome = host.handle(LinkSeen(host.datapath.link(host.index("docker0"))))
    assert not outcome.compare
    assert outcome.desired is before


def test_before_it_has_seen_everything_the_team_wants_what_is_there() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    members = host.datapath.actual().members
    host.restart(config(BACKUP, a=PLAIN))
    assert host.datapath.actual().members == members, "b was not configured, but it is a port"


@pytest.mark.parametrize("name", ["broadcast", "roundrobin", "random"])
def test_the_basic_runners_leave_the_ports_to_the_datapath(name: str) -> None:
    runner = BasicRunner(name=name)  # type: ignore[arg-type]
    host = Host("a", "b").start(config(runner, a=PLAIN, b=PLAIN))
    assert host.option("mode") == name
    assert host.sending == {"a", "b"}
    assert host.option("notify_peers_count") == 0
    host.cut("a")
    assert host.sending == {"b"}
    assert host.option("user_linkup", "a") is False
    assert host.team.snapshot().runner == {}


def test_the_link_of_the_team_itself_is_no_port() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN))
    team = host.datapath.link(host.datapath.ifindex)
    assert isinstance(team, Link)
    assert host.team.snapshot().link == team
