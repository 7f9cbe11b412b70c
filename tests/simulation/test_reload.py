"""Another configuration for a team that runs: what differs is changed, and nothing else is touched."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pyteam.config import (
    ActiveBackupRunner,
    ArpPingWatch,
    BasicRunner,
    Burst,
    EthtoolWatch,
    LoadBalanceRunner,
    PortConfig,
    RunnerConfig,
    RxBalancer,
    TeamConfig,
    TxBalancer,
)
from pyteam.datapath.interface import DatapathError
from pyteam.engine.desired import AddPort, Command, RemovePort, SetAddress, SetEntries, SetOption
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import (
    Configured,
    OptionChosen,
    PortConfigured,
    PortUnwanted,
    PortWanted,
)
from pyteam.engine.outcome import Frame
from pyteam.engine.port import Port
from pyteam.engine.runners import RUNNERS
from pyteam.engine.runners.basic import Broadcast
from pyteam.link import Link, parse_address
from pyteam.options import OptionKey
from pyteam.txhash import hash_program
from tests.simulation.harness import Host, config
from tests.simulation.test_loadbalance import entries, moved, table

BACKUP = ActiveBackupRunner()
BALANCED = LoadBalanceRunner()
PLAIN = PortConfig()
MAC = parse_address("02:00:00:00:00:77")


def prio(value: int) -> PortConfig:
    return PortConfig(prio=value)


def reload(host: Host, config: TeamConfig) -> list[Command]:
    """What was done to the device because of it."""
    host.done.clear()
    host.log.clear()
    host.tell(Configured(config))
    return list(host.done)


def test_the_same_again_does_nothing() -> None:
    same = config(BACKUP, a=prio(5), b=PLAIN)
    host = Host("a", "b").start(same)
    assert reload(host, same) == []
    assert host.log == []


def test_a_priority_moves_the_active_port_and_nothing_else() -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=prio(5), b=PLAIN, c=PLAIN))
    done = reload(host, config(BACKUP, a=prio(5), b=prio(6), c=PLAIN))
    assert host.active == "b"
    assert not [command for command in done if isinstance(command, AddPort | RemovePort | SetAddress)]
    assert {command.key.port for command in done if isinstance(command, SetOption)} <= {
        0,
        host.index("a"),
        host.index("b"),
    }


def test_ports_that_are_new_join_and_those_that_vanished_leave() -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=prio(5), b=PLAIN))
    done = reload(host, config(BACKUP, b=PLAIN, c=PLAIN))
    assert host.ports == ["b", "c"]
    changes = [command for command in done if isinstance(command, AddPort | RemovePort)]
    assert changes == [AddPort(host.index("c")), RemovePort(host.index("a"))]
    # The traffic had moved by then.
    assert done.index(SetOption(OptionKey("activeport"), host.index("b"))) < done.index(changes[-1])


def test_a_new_port_that_is_not_there_yet_joins_when_it_comes() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN))
    assert reload(host, config(BACKUP, a=PLAIN, b=PLAIN)) == []
    assert host.log == ["b: Skipped adding a missing port."]
    host.world.plug("b")
    host.settle()
    assert host.ports == ["a", "b"]


def test_ports_that_were_added_by_hand_stay_with_what_they_were_given_by_hand() -> None:
    host = Host("a", "b", "c").start(config(BACKUP, a=PLAIN))
    host.tell(PortConfigured("b", prio(7)), PortWanted("b"), PortWanted("c"))
    reload(host, config(BACKUP, a=prio(1)))
    assert host.ports == ["a", "b", "c"]
    assert host.option("priority", "b") == 7
    # Once the file names it, it is the file's to give and to take.
    reload(host, config(BACKUP, a=prio(1), b=prio(2)))
    assert host.option("priority", "b") == 2
    reload(host, config(BACKUP, a=prio(1)))
    assert host.ports == ["a", "c"]


def test_a_port_that_was_configured_by_hand_but_never_added_is_not_added() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN))
    host.tell(PortConfigured("b", prio(7)))
    reload(host, config(BACKUP, a=prio(1)))
    assert host.ports == ["a"]
    host.tell(PortWanted("b"))
    assert host.option("priority", "b") == 7


def test_a_port_of_the_file_that_was_removed_by_hand_is_back() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    host.tell(PortUnwanted("b"))
    reload(host, config(BACKUP, a=PLAIN, b=PLAIN))
    assert host.ports == ["a", "b"]


def test_a_team_whose_ports_others_choose_gets_none_and_loses_none() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN), add_ports=False)
    host.tell(PortWanted("a"))
    reload(host, config(BACKUP, b=prio(3)))
    assert host.ports == ["a"]
    host.tell(PortWanted("b"))
    assert host.option("priority", "b") == 3


def test_a_renamed_port_keeps_its_configuration_and_its_place() -> None:
    host = Host("a", "b").start(config(BACKUP, a=prio(5), b=PLAIN))
    host.world.rename("a", "uplink")
    host.settle()
    done = reload(host, config(BACKUP, a=prio(6), b=PLAIN))
    assert host.option("priority", "uplink") == 6
    assert [command for command in done if isinstance(command, AddPort | RemovePort)] == []
    reload(host, config(BACKUP, b=PLAIN))
    assert host.ports == ["b"]


def test_watches_that_did_not_change_go_on() -> None:
    slow, other = EthtoolWatch(delay_down=10_000), EthtoolWatch(delay_up=5)
    team = config(BACKUP, a=PortConfig(link_watch=(slow,)), b=PLAIN)
    host = Host("a", "b").start(team)
    host.cut("a")
    host.advance(9)
    reload(host, config(BACKUP, a=PortConfig(link_watch=(slow, other), prio=3), b=prio(-1)))
    assert [watch.up for watch in host.port("a").watches] == [True, False]
    host.advance(2)
    assert not host.port("a").watches[0].up, "its delay began when the cable was cut"


def test_the_teams_watches_and_their_policy() -> None:
    host = Host("a").start(config(BACKUP, a=PLAIN))
    watched = replace(
        config(BACKUP, a=PLAIN), link_watch=(EthtoolWatch(), ArpPingWatch(target_host="192.0.2.1"))
    )
    reload(host, watched)
    assert [watch.name for watch in host.port("a").watches] == ["ethtool", "arp_ping"]
    assert host.option("user_linkup_enabled", "a")
    host.advance(10)
    assert host.port("a").up
    reload(host, replace(watched, link_watch_policy="all"))
    assert not host.port("a").up
    reload(host, config(BACKUP, a=PLAIN))
    assert host.port("a").up
    assert not host.option("user_linkup_enabled", "a"), "the datapath looks at the carrier itself again"


def test_what_is_configured_no_longer_is_at_its_beginning_again() -> None:
    first = config(BACKUP, a=PortConfig(prio=4, queue_id=2))
    host = Host("a").start(replace(first, notify_peers=Burst(5, 100), mcast_rejoin=Burst(3)))
    reload(host, config(BACKUP, a=PLAIN))
    assert (host.option("notify_peers_count"), host.option("notify_peers_interval")) == (1, 0)
    assert host.option("mcast_rejoin_count") == 1
    assert (host.option("priority", "a"), host.option("queue_id", "a")) == (0, 0)


def test_what_was_set_by_hand_stands_until_the_file_says_something_else_of_it() -> None:
    first = replace(config(BACKUP, a=prio(4)), notify_peers=Burst(2))
    host = Host("a", "b").start(first)
    for key, value in ((OptionKey("notify_peers_count"), 9), (OptionKey("priority", host.index("a")), 8)):
        host.datapath.set_option(key, value)
        host.tell(OptionChosen(key, value))
    reload(host, replace(first, mcast_rejoin=Burst(2), ports={"a": prio(4), "b": PLAIN}))
    assert (host.option("notify_peers_count"), host.option("priority", "a")) == (9, 8)
    reload(host, replace(first, notify_peers=Burst(3), ports={"a": prio(5), "b": PLAIN}))
    assert (host.option("notify_peers_count"), host.option("priority", "a")) == (3, 5)


@pytest.mark.parametrize(
    ("runner", "watches", "says"),
    [
        (LoadBalanceRunner(rx_balancer=RxBalancer("arp")), (), "runner.rx_balancer: cannot change"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(
    runner: RunnerConfig, watches: tuple[EthtoolWatch, ...], says: str
) -> None:
    before = config(BALANCED, a=PLAIN, b=PLAIN)
    host = Host("a", "b").start(before)
    wanted = config(runner, a=PortConfig(weight=3))
    (reason,) = host.team.objections(wanted)
    assert says in reason
    with pytest.raises(UnsupportedError, match=says):
        reload(host, wanted)
    host.repair()
    assert host.done == []
    assert host.ports == ["a", "b"]
    assert reload(host, before) == []


# MACs


def test_the_teams_mac() -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    own = host.address("team0")
    with_mac = replace(config(BACKUP, a=PLAIN, b=PLAIN), hwaddr=MAC)
    reload(host, with_mac)
    assert {host.address(name) for name in ("team0", "a", "b")} == {MAC}
    # What neighbours know is not taken back because nobody insists on it any more.
    assert reload(host, config(BACKUP, a=PLAIN, b=PLAIN)) == []
    assert own != host.address("team0") == MAC


@pytest.mark.parametrize("before", ["same_all", "by_active", "only_active"])
@pytest.mark.parametrize("after", ["same_all", "by_active", "only_active"])
def test_the_mac_of_the_port_that_carries_traffic_waits_for_the_switch(before: str, after: str) -> None:
    own = {name: Host("a", "b", "c").address(name) for name in ("a", "b", "c")}
    ports = {"a": prio(5), "b": prio(4), "c": PLAIN}
    host = Host("a", "b", "c").start(config(ActiveBackupRunner(hwaddr_policy=before), **ports))  # type: ignore[arg-type]
    done = reload(host, config(ActiveBackupRunner(hwaddr_policy=after), **ports))  # type: ignore[arg-type]
    touched = {command.ifindex for command in done if isinstance(command, SetAddress)}
    assert not touched & {host.index("a"), host.index("team0")}
    macs = expected(after, "a", own)
    assert {name: host.address(name) for name in macs} == macs
    host.cut("a")
    macs = expected(after, "b", own)
    assert {name: host.address(name) for name in macs} == macs


def expected(policy: str, active: str, own: Mapping[str, bytes]) -> dict[str, bytes]:
    if policy == "same_all":
        return dict.fromkeys(("team0", *own), own["a"])
    if policy == "only_active":
        return {**own, "team0": own["a"], active: own["a"]}
    return {**own, "team0": own[active]}


# loadbalance


def test_another_hash_is_one_command() -> None:
    host = Host("a", "b").start(config(BALANCED, a=PLAIN, b=PLAIN))
    done = reload(host, config(LoadBalanceRunner(tx_hash=("l4",)), a=PLAIN, b=PLAIN))
    assert done == [SetOption(OptionKey("bpf_hash_func"), hash_program(("l4",)))]


def test_a_weight_moves_what_it_must() -> None:
    host = Host("a", "b").start(config(BALANCED, a=PLAIN, b=PLAIN))
    before = table(host)
    done = reload(host, config(BALANCED, a=PortConfig(weight=3), b=PLAIN))
    assert all(isinstance(command, SetEntries) for command in done)
    after = table(host)
    assert Counter(after) == {"a": 192, "b": 64}
    assert moved(before, after) < entries(before, "b")


def test_a_balancer_comes_and_goes_and_nothing_moves_at_once() -> None:
    host = Host("a", "b").start(config(BALANCED, a=PLAIN, b=PLAIN))
    before = table(host)
    balanced = config(LoadBalanceRunner(tx_balancer=TxBalancer("basic", 20)), a=PLAIN, b=PLAIN)
    assert reload(host, balanced) == [SetOption(OptionKey("lb_stats_refresh_interval"), 20)]
    assert host.log == ["TX balancing enabled.", "Balancing interval 20."]
    host.advance(30)
    assert table(host) == before
    assert reload(host, config(BALANCED, a=PLAIN, b=PLAIN)) == [
        SetOption(OptionKey("lb_stats_refresh_interval"), 0)
    ]
    assert host.log == ["TX balancing disabled."]
    assert table(host) == before


# Another runner


@pytest.mark.parametrize("runner", [BALANCED, BasicRunner("broadcast"), BasicRunner("random")])
def test_another_runner_takes_the_ports_out_and_in_and_the_team_keeps_its_mac(runner: RunnerConfig) -> None:
    host = Host("b", "a").start(config(BACKUP, a=PLAIN, b=PLAIN))
    mac = host.address("team0")
    reload(host, config(runner, a=PLAIN, b=PLAIN))
    assert host.option("mode") == host.team.snapshot().runner_name == runner.name
    assert set(host.ports) == host.sending == {"a", "b"}
    assert {host.address(name) for name in ("team0", "a", "b")} == {mac}
    reload(host, config(BACKUP, a=PLAIN, b=prio(3)))
    assert host.active == "b"
    assert host.enabled == host.sending == {"b"}
    assert {host.address(name) for name in ("team0", "a", "b")} == {mac}
    # Whoever releases a port later is not to be fought.
    host.world.release("a")
    host.settle()
    host.repair()
    assert host.ports == ["b"]
    reload(host, config(BACKUP, a=PLAIN, b=prio(2)))
    assert host.ports == ["b", "a"]


def test_a_port_that_is_refused_on_its_way_back_in_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host("a", "b").start(config(BACKUP, a=PLAIN, b=PLAIN))
    add = host.datapath.add_port

    def refuse(ifindex: int) -> None:
        if ifindex == host.index("b"):
            raise DatapathError(errno.ENOSPC, "full")
        add(ifindex)

    monkeypatch.setattr(host.datapath, "add_port", refuse)
    reload(host, config(BALANCED, a=PLAIN, b=PLAIN))
    assert host.ports == ["a"]
    monkeypatch.undo()
    host.world.set_mtu("b", 1400)
    host.settle()
    assert host.ports == ["a", "b"]


def test_a_daemon_after_one_with_probes_lets_the_datapath_look_itself() -> None:
    probing = PortConfig(link_watch=(ArpPingWatch(target_host="192.0.2.1"),))
    host = Host("a").start(config(BACKUP, a=probing))
    assert host.option("user_linkup_enabled", "a")
    host.restart(config(BACKUP, a=PLAIN))
    assert not host.option("user_linkup_enabled", "a")


class Speaking(Broadcast):
    """Sets the carrier, as ``lacp`` does, and has last words."""

    def carrier(self) -> bool | None:
        return False

    ports: Sequence[Port] = ()
    ended = False

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        self.ports = ports

    def end(self, now: float) -> None:
        self.ended = True

    def frames(self) -> Sequence[Frame]:
        return [Frame(port.ifindex, b"farewell") for port in self.ports if self.ended]


def test_a_runner_that_leaves_says_farewell_and_the_carrier_is_that_of_the_ports_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(RUNNERS, "broadcast", Speaking)
    host = Host("a", "b").start(config(BasicRunner("broadcast"), a=PLAIN, b=PLAIN))
    assert not host.datapath.actual().carrier
    reload(host, config(BACKUP, a=PLAIN, b=PLAIN))
    assert [(name, data) for _, name, data in host.sent] == [("a", b"farewell"), ("b", b"farewell")]
    assert host.datapath.actual().carrier
    host.cut("a")
    assert host.datapath.actual().carrier
    host.cut("b")
    assert not host.datapath.actual().carrier
    # Who takes over finds it set, too.
    host.restart(config(BACKUP, a=PLAIN, b=PLAIN))
    host.mend("b")
    assert host.datapath.actual().carrier
