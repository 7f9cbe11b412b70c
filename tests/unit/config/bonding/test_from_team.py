"""A team as a bond: what each key becomes, what is said of the rest, and there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyteam.config import Document, manual
from pyteam.config.bonding.bond import MODES, Bond, Member, Mode, given
from pyteam.config.bonding.from_team import KEYS, bond_of
from pyteam.config.bonding.to_team import team_of
from pyteam.config.report import Report

PORTS: dict[str, Any] = {"eth1": {}, "eth2": {}}


def convert(tree: dict[str, Any]) -> tuple[Bond, list[str]]:
    """The bond, and the warnings."""
    report = Report("")
    bond = bond_of(Document.parse(json.dumps({"ports": PORTS, **tree})), report)
    assert not report.problems
    return bond, report.warnings


def test_everything_that_is_no_option() -> None:
    bond, warnings = convert(
        {"device": "team0", "hwaddr": "2:0:0:0:0:1", "ports": {"eth2": {"queue_id": 3}, "eth0.5": {}}}
    )
    assert bond == Bond(
        name="team0",
        address="02:00:00:00:00:01",
        members=(Member("eth2", 3), Member("eth0.5")),
        mode="balance-rr",
        miimon=100,
    )
    assert warnings == []


def test_an_empty_configuration_is_a_team() -> None:
    report = Report("")
    assert bond_of(Document.parse("{}"), report) == Bond(miimon=100)
    assert report.warnings == []


AB: dict[str, Any] = {"name": "activebackup"}
LB: dict[str, Any] = {"name": "loadbalance"}
LACP: dict[str, Any] = {"name": "lacp"}
ARP: dict[str, Any] = {"name": "arp_ping", "target_host": "10.0.0.1"}
NSNA: dict[str, Any] = {"name": "nsna_ping", "target_host": "fe80::1"}
DEFAULT_HASH = {"xmit_hash_policy": "layer2+3"}


@pytest.mark.parametrize(
    ("runner", "expected"),
    [
        ({}, {"mode": "balance-rr"}),
        ({"name": "roundrobin"}, {"mode": "balance-rr"}),
        ({"name": "random"}, {"mode": "balance-rr", "packets_per_slave": 0}),
        ({"name": "broadcast"}, {"mode": "broadcast"}),
        (AB, {"mode": "active-backup"}),
        (AB | {"hwaddr_policy": "by_active"}, {"mode": "active-backup", "fail_over_mac": "active"}),
        (AB | {"hwaddr_policy": "only_active"}, {"mode": "active-backup", "fail_over_mac": "follow"}),
        (LB, {"mode": "balance-xor", **DEFAULT_HASH}),
        (LB | {"tx_hash": ["eth"]}, {"mode": "balance-xor", "xmit_hash_policy": "layer2"}),
        (LB | {"tx_hash": ["l4", "ip"]}, {"mode": "balance-xor", "xmit_hash_policy": "layer3+4"}),
        (
            LB | {"rx_balancer": {"name": "arp"}},
            {"mode": "balance-alb", "tlb_dynamic_lb": False, **DEFAULT_HASH},
        ),
        (LB | {"rx_balancer": {"name": "arp"}, "tx_balancer": {"name": "basic"}}, {"mode": "balance-alb"}),
        (LACP, {"mode": "802.3ad", **DEFAULT_HASH}),
        (
            LACP | {"active": False, "fast_rate": True, "sys_prio": 7, "min_ports": 2},
            {
                "mode": "802.3ad",
                **DEFAULT_HASH,
                "lacp_active": False,
                "lacp_rate": "fast",
                "ad_actor_sys_prio": 7,
                "min_links": 2,
            },
        ),
        (LACP | {"agg_select_policy": "count"}, {"mode": "802.3ad", **DEFAULT_HASH, "ad_select": "count"}),
    ],
)
def test_runners(runner: dict[str, Any], expected: dict[str, Any]) -> None:
    bond, warnings = convert({"runner": runner})
    assert given(bond) == {"miimon": 100, **expected}
    assert warnings == []


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"link_watch": {"name": "ethtool"}}, {"miimon": 100}),
        (
            {"link_watch": {"name": "ethtool", "delay_up": 2500, "delay_down": 1050}},
            {"miimon": 50, "updelay": 2500, "downdelay": 1050},
        ),
        ({"link_watch": ARP}, {"arp_interval": 1000, "arp_ip_target": ("10.0.0.1",), "arp_missed_max": 3}),
        (
            {"ports": {"eth1": {"link_watch": ARP}, "eth2": {"link_watch": ARP}}},
            {"arp_interval": 1000, "arp_ip_target": ("10.0.0.1",), "arp_missed_max": 3},
        ),
        (
            {
                "link_watch": [ARP | {"validate_active": True}, ARP | {"target_host": "10.0.0.2"}, NSNA],
                "link_watch_policy": "all",
            },
            {
                "arp_interval": 1000,
                "arp_ip_target": ("10.0.0.1", "10.0.0.2"),
                "ns_ip6_target": ("fe80::1",),
                "arp_missed_max": 3,
                "arp_validate": "active",
                "arp_all_targets": "all",
            },
        ),
        (
            {"link_watch": ARP | {"interval": 100, "missed_max": 30}},
            {"arp_interval": 100, "arp_missed_max": 30},
        ),
        ({"notify_peers": {"count": 3}}, {"num_grat_arp": 3}),
        ({"notify_peers": {"count": 1}, "mcast_rejoin": {"count": 1}}, {"miimon": 100}),
        ({"notify_peers": {"count": 3, "interval": 200}}, {"num_grat_arp": 3, "peer_notif_delay": 200}),
        ({"mcast_rejoin": {"count": 0}}, {"resend_igmp": 0}),
        ({"ports": {"eth1": {"prio": 10}, "eth2": {}}}, {"primary": "eth1"}),
        (
            {"ports": {"eth1": {"prio": -10, "sticky": True}, "eth2": {"prio": 100}}},
            {"primary": "eth2", "primary_reselect": "failure"},
        ),
        ({"ports": {"eth1": {"prio": 10, "sticky": True}, "eth2": {}}}, {"primary": "eth1"}),
    ],
)
def test_keys(tree: dict[str, Any], expected: dict[str, Any]) -> None:
    bond, warnings = convert({"runner": AB, **tree})
    assert {**given(bond), **expected} == given(bond)
    assert warnings == []


def test_ranks() -> None:
    bond, _ = convert({"runner": AB, "ports": {"a": {"prio": 5}, "b": {"prio": 5}, "c": {"prio": 1}}})
    assert bond.primary is None
    assert bond.members == (Member("a", prio=5), Member("b", prio=5), Member("c", prio=1))
    bond, _ = convert({"runner": AB, "ports": {"a": {"prio": 5}, "b": {}, "c": {}}})
    assert (bond.primary, bond.members) == ("a", (Member("a"), Member("b"), Member("c")))


def test_a_key_for_all_members() -> None:
    bond, warnings = convert({"runner": LACP, "ports": {"a": {"lacp_key": 5}, "b": {"lacp_key": 5}}})
    assert (bond.ad_user_port_key, warnings) == (5, [])


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"runner": LACP | {"sys_prio": 0}}, "runner.sys_prio: "),
        ({"runner": LACP | {"agg_select_policy": "port_config"}}, "runner.agg_select_policy: "),
        ({"runner": LACP | {"tx_balancer": {"name": "basic"}}}, "runner.tx_balancer: left out: "),
        ({"runner": LB | {"tx_balancer": {"name": "basic"}}}, "runner.tx_balancer: left out: "),
        (
            {"runner": LB | {"tx_hash": ["ipv4"]}},
            "runner.tx_hash: the nearest is taken: xmit_hash_policy layer2+3.",
        ),
        (
            {"runner": LB | {"tx_hash": ["vlan"]}},
            "runner.tx_hash: the nearest is taken: xmit_hash_policy vlan+srcmac.",
        ),
        (
            {"runner": LB | {"tx_hash": ["eth", "tcp"]}},
            "runner.tx_hash: the nearest is taken: xmit_hash_policy layer3+4",
        ),
        ({"runner": LB | {"tx_hash": {"bpf_file": "x"}}}, "runner.tx_hash.bpf_file: no counterpart: "),
        ({"runner": LACP, "link_watch": ARP}, "link_watch: 802.3ad has no ARP monitor"),
        (
            {"runner": LB, "link_watch": NSNA},
            'link_watch: target_host "fe80::1": only active-backup asks in IPv6.',
        ),
        (
            {"link_watch": ARP | {"target_host": "gw.example"}},
            'link_watch: target_host "gw.example": bonding takes',
        ),
        ({"link_watch": [{"name": "ethtool"}, ARP]}, "link_watch: bonding watches carriers, or asks"),
        ({"link_watch": [ARP, ARP | {"interval": 5}]}, "link_watch: bonding has one interval"),
        ({"link_watch": ARP | {"interval": 0}}, "link_watch: interval 0: "),
        ({"link_watch": ARP | {"missed_max": 0}}, "link_watch: missed_max 0: "),
        ({"link_watch": ARP | {"source_host": "10.0.0.9"}}, "link_watch.source_host: no counterpart: "),
        ({"link_watch": [ARP, ARP], "link_watch_policy": "all"}, "link_watch_policy: bonding heeds"),
        ({"link_watch": {"name": "ethtool", "delay_up": 2}}, "link_watch: bonding rounds delays"),
        (
            {"link_watch": [ARP | {"target_host": f"10.0.0.{i}"} for i in range(17)]},
            "link_watch: target_host",
        ),
        ({"ports": {"a": {"link_watch": ARP}, "b": {}}}, "ports.a.link_watch: left out: "),
        (
            {"ports": {"a": {"link_watch": {"name": "tipc", "tipc_bearer": "x"}}}},
            "ports.a.link_watch.tipc_bearer: no",
        ),
        ({"notify_peers": {"count": 300}}, "notify_peers.count: bonding takes 255 at most."),
        (
            {"notify_peers": {"count": 2, "interval": 250}},
            "notify_peers.interval: bonding tells again 200 ms",
        ),
        (
            {"mcast_rejoin": {"count": 2, "interval": 250}},
            "mcast_rejoin: bonding's interval is always 200 ms.",
        ),
        ({"ports": {"a": {"lacp_key": 5}, "b": {}}}, "ports: lacp_key: "),
        ({"ports": {"a": {"prio": 5}}}, "ports: prio is left out: balance-rr"),
        (
            {
                "runner": AB,
                "ports": {"a": {"prio": 5}, "b": {"sticky": True}, "c": {}},
            },
            "ports.b.sticky: bonding has one rule",
        ),
        ({"ports": {"a": {"weight": 5}}}, "ports.a.weight: no counterpart: "),
        ({"datapath": "ebpf"}, "datapath: no counterpart: "),
    ],
)
def test_what_is_lost_is_said(tree: dict[str, Any], said: str) -> None:
    assert [line for line in convert(tree)[1] if line.startswith(said)], convert(tree)[1]


def example(path: str) -> dict[str, Any]:
    """A configuration with that key, and a value that is not the default."""
    runner = {"hwaddr_policy": "activebackup", "rx_balancer": "loadbalance", "balancing_interval": "lacp"}
    leaf: Any = {
        "debug_level": 1, "addr": "x", "bpf": [[6, 0, 0, 0]], "bpf_file": "x",
        "ebpf_file": "x", "function": "x",
        "balancing_interval": 1, "interval": 300, "source_host": "10.0.0.9", "init_wait": 1,
        "send_always": True, "vlanid": 5, "tipc_bearer": "x", "lacp_prio": 1, "weight": 2,
        "link_watch_policy": "all", "datapath": "ebpf", "receiver": "veth",
        "max_active_ports": 2, "enable_retry_count": False, "retry_count": 5,
    }[path.rsplit(".", 1)[-1]]  # fmt: skip
    keys = path.replace("PORT", "eth1").split(".")
    for key in reversed(keys):
        leaf = {key: leaf}
    tree: dict[str, Any] = leaf
    if "runner" in tree:
        tree["runner"]["name"] = runner.get(keys[-1], "lacp")
    if "link_watch" in tree:
        kind = {"name": "tipc"} if keys[-1] == "tipc_bearer" else ARP
        tree["link_watch"] |= kind
    if "ebpf" in path or "function" in path:
        tree["runner"]["tx_hash"] = {"ebpf_file": "x", "function": "x"}
    return tree


@pytest.mark.parametrize("path", [path for path, (there, _) in KEYS.items() if there is None])
def test_a_key_without_counterpart_is_named(path: str) -> None:
    spelled = path.replace("PORT", "eth1")
    assert f"{spelled}: no counterpart: {KEYS[path][1]}." in convert(example(path))[1]


def test_the_manual_has_the_keys_under_their_names() -> None:
    assert {path for path in KEYS if path.startswith("ports.")} < {entry.path for entry in manual()}


THERE_AND_BACK: list[dict[str, Any]] = [
    {},
    {"mode": "balance-rr", "packets_per_slave": 0, "resend_igmp": 3},
    {
        "mode": "active-backup",
        "fail_over_mac": "follow",
        "primary": "eth2",
        "primary_reselect": "failure",
        "num_grat_arp": 5,
        "peer_notif_delay": 300,
        "updelay": 200,
    },
    {
        "mode": "active-backup",
        "miimon": None,
        "arp_interval": 500,
        "arp_missed_max": 5,
        "arp_ip_target": ("10.0.0.1", "10.0.0.2"),
        "ns_ip6_target": ("fe80::1",),
        "arp_validate": "active",
        "arp_all_targets": "all",
    },
    {"mode": "balance-xor", "xmit_hash_policy": "layer3+4", "downdelay": 500},
    {"mode": "broadcast"},
    {
        "mode": "802.3ad",
        "xmit_hash_policy": "layer2",
        "lacp_rate": "fast",
        "lacp_active": False,
        "coupled_control": False,
        "ad_select": "count",
        "ad_actor_sys_prio": 7,
        "ad_user_port_key": 9,
        "min_links": 2,
    },
    {"mode": "balance-alb"},
    {"mode": "balance-alb", "tlb_dynamic_lb": False, "xmit_hash_policy": "layer3+4"},
]


@pytest.mark.parametrize("options", THERE_AND_BACK)
def test_there_and_back(options: dict[str, Any]) -> None:
    members = (Member("eth1", 4), Member("eth2"))
    bond = Bond(
        **{"name": "bond0", "address": "02:00:00:00:00:01", "members": members, "miimon": 100, **options}
    )
    assert bond_of(team_of(bond, Report("")), Report("")) == bond


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_comes_back(mode: Mode) -> None:
    bond = bond_of(team_of(Bond(mode=mode), Report("")), Report(""))
    # Behind an aggregate on the switch, which that team needs, balance-tlb would lose what comes in.
    assert bond.mode == ("balance-xor" if mode == "balance-tlb" else mode)
