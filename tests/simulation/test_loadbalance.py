"""Runner ``loadbalance``: every port that is up sends, and only what must move does."""

from __future__ import annotations

from collections import Counter

import pytest

from pyteam.config import EthtoolWatch, LoadBalanceRunner, PortConfig, TeamConfig
from pyteam.engine.desired import SetEntries
from pyteam.engine.events import PortConfigured, PortUnwanted
from pyteam.engine.hashtable import KEYS
from pyteam.options import OptionKey
from pyteam.txhash import hash_program
from tests.simulation.harness import Host, config

NAMES = ("a", "b", "c", "d")
CONFIG = config(LoadBalanceRunner(), **{name: PortConfig() for name in NAMES})


@pytest.fixture
def host() -> Host:
    return Host(*NAMES).start(CONFIG)


def table(host: Host) -> list[str]:
    """The port of each entry, by name; empty: none."""
    options = host.datapath.actual().options
    names = {link.ifindex: link.name for link in host.datapath.links()}
    return [names.get(int(options[key]), "") for key in KEYS]


def moved(before: list[str], after: list[str]) -> set[int]:
    return {entry for entry, both in enumerate(zip(before, after, strict=True)) if both[0] != both[1]}


def entries(table: list[str], name: str) -> set[int]:
    return {entry for entry, owner in enumerate(table) if owner == name}


def test_four_ports_have_a_quarter_each(host: Host) -> None:
    assert Counter(table(host)) == dict.fromkeys(NAMES, 64)
    assert host.enabled == set(NAMES)
    assert host.option("mode") == "loadbalance"
    assert host.option("lb_tx_method") == "hash_to_port_mapping"
    assert host.option("bpf_hash_func") == hash_program(("eth", "ipv4", "ipv6"))
    assert {host.address(name) for name in NAMES} == {host.address("team0")}


def test_ports_of_a_start_share_the_table_in_runs(host: Host) -> None:
    """All came together, so none of them had anything that the next one took."""
    flows = [table(host)[0x5A ^ flow] for flow in range(8)]
    assert Counter(flows) == dict.fromkeys(NAMES, 2)


def test_a_failed_port_loses_its_own_entries_and_gets_them_back(host: Host) -> None:
    for name in NAMES:
        before = table(host)
        host.cut(name)
        without = table(host)
        assert moved(before, without) == entries(before, name)
        assert host.enabled == set(NAMES) - {name}
        assert set(Counter(without).values()) <= {85, 86}
        host.mend(name)
        assert table(host) == before


def test_entries_leave_a_port_before_it_is_disabled_and_come_after_it_is_enabled(host: Host) -> None:
    host.world.cut("b")
    host.done.clear()
    host.settle()
    kinds = [type(command).__name__ for command in host.done]
    assert kinds == ["SetEntries"] * 3 + ["SetOption"] * 2
    assert sum(len(command.entries) for command in host.done if isinstance(command, SetEntries)) == 64
    host.world.mend("b")
    host.done.clear()
    host.settle()
    assert [type(command).__name__ for command in host.done] == ["SetOption"] * 2 + ["SetEntries"]


def test_a_port_that_is_down_is_given_none() -> None:
    host = Host(*NAMES)
    host.world.cut("c")
    host.start(CONFIG)
    assert host.enabled == {"a", "b", "d"}
    assert Counter(table(host)).keys() == {"a", "b", "d"}


def test_when_all_are_down_there_is_no_table_and_the_first_gets_it_all(host: Host) -> None:
    for name in NAMES:
        host.cut(name)
    assert host.enabled == set()
    assert set(table(host)) == {""}
    host.mend("c")
    assert set(table(host)) == {"c"}
    for name in ("a", "b", "d"):
        host.mend(name)
    assert Counter(table(host)) == dict.fromkeys(NAMES, 64)


def test_a_removed_port_takes_no_entry_along(host: Host) -> None:
    before = table(host)
    host.done.clear()
    host.tell(PortUnwanted("a"))
    assert moved(before, table(host)) == entries(before, "a")
    # Before it went: never was there an entry without a port.
    assert [type(command).__name__ for command in host.done][:3] == ["SetEntries"] * 3


def test_a_port_that_vanishes_and_returns(host: Host) -> None:
    before = table(host)
    host.world.unplug("a")
    host.settle()
    assert moved(before, table(host)) == entries(before, "a")
    host.world.plug("a")
    host.settle()
    assert Counter(table(host)) == dict.fromkeys(NAMES, 64)


def test_shares_follow_the_weights() -> None:
    ports = {"a": PortConfig(weight=4), "b": PortConfig(weight=2), "c": PortConfig(), "d": PortConfig()}
    host = Host(*NAMES).start(TeamConfig(runner=LoadBalanceRunner(), ports=ports))
    assert Counter(table(host)) == {"a": 128, "b": 64, "c": 32, "d": 32}
    before = table(host)
    host.tell(PortConfigured("a", PortConfig(weight=8)))
    after = table(host)
    assert Counter(after)["a"] == 170
    assert len(moved(before, after)) == 170 - 128


def test_a_restart_moves_nothing(host: Host) -> None:
    """Whatever the history of the table was."""
    for name in ("b", "d", "a"):
        host.cut(name)
    host.mend("d")
    host.mend("a")
    before = table(host)
    host.restart(CONFIG)
    assert host.done == []
    assert table(host) == before
    host.mend("b")
    assert Counter(table(host)) == dict.fromkeys(NAMES, 64)
    assert len(moved(before, table(host))) == 64


def test_a_table_that_somebody_changes_is_put_right(host: Host) -> None:
    before = table(host)
    host.datapath.set_option(KEYS[7], host.index("d" if before[7] != "d" else "a"))
    host.settle()
    assert table(host) == before


def test_what_a_user_sets_beside_the_table_stands(host: Host) -> None:
    for name, value in (("lb_tx_method", "hash"), ("bpf_hash_func", bytes(8))):
        host.datapath.set_option(OptionKey(name), value)
        host.settle()
        assert host.option(name) == value


def test_delays_of_watches_keep_a_port_out_of_the_table() -> None:
    ports = {"a": PortConfig(), "b": PortConfig(link_watch=(EthtoolWatch(delay_up=500),))}
    host = Host("a", "b").start(TeamConfig(runner=LoadBalanceRunner(), ports=ports))
    assert set(table(host)) == {"a"}
    host.advance(0.6)
    assert Counter(table(host)) == {"a": 128, "b": 128}


def test_packets_leave_by_the_table(host: Host) -> None:
    owners = table(host)
    for entry in range(256):
        assert host.datapath.transmit(100, entry) == {host.index(owners[entry])}
    assert host.datapath.statistics(host.index("a"))["tx_bytes"] == 6400
