"""A bond as a team: what each option becomes, what is said of the rest, and that teamd takes the result."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyteam.config import Document
from pyteam.config.bonding.bond import MODES, Bond, Member, Mode, options
from pyteam.config.bonding.to_team import team_of
from pyteam.config.report import Report
from pyteam.engine.team import Team
from tests.unit.config.bonding.test_tables import example

PORTS = (Member("eth1"), Member("eth2"))


def tree_of(bond: Bond) -> tuple[dict[str, Any], list[str]]:
    """The configuration, and the warnings."""
    report = Report("")
    document = team_of(bond, report)
    assert not report.problems
    assert not document.warnings
    return document.raw, report.warnings


RUNNERS_OF: dict[Mode, dict[str, Any]] = {
    "balance-rr": {"name": "roundrobin"},
    "active-backup": {"name": "activebackup"},
    "balance-xor": {"name": "loadbalance"},
    "broadcast": {"name": "broadcast"},
    "802.3ad": {"name": "lacp", "fallback": True},
    "balance-tlb": {"name": "loadbalance", "tx_balancer": {"name": "basic"}},
    "balance-alb": {"name": "loadbalance", "tx_balancer": {"name": "basic"}, "rx_balancer": {"name": "arp"}},
}


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: Mode) -> None:
    tree, warnings = tree_of(Bond(name="bond0", mode=mode, address="02:00:00:00:00:01", members=PORTS))
    assert tree == {
        "device": "bond0",
        "hwaddr": "02:00:00:00:00:01",
        "runner": RUNNERS_OF[mode],
        "link_watch": {"name": "ethtool"},
        "ports": {"eth1": {}, "eth2": {}},
    }
    assert bool(warnings) == (mode == "balance-tlb")


AB, AD, XOR, TLB = "active-backup", "802.3ad", "balance-xor", "balance-tlb"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"mode": "balance-rr", "packets_per_slave": 0}, {"runner": {"name": "random"}}),
        ({"mode": TLB, "tlb_dynamic_lb": False}, {"runner": {"name": "loadbalance"}}),
        ({"mode": XOR, "xmit_hash_policy": "layer2"}, {"runner": {"tx_hash": ["eth"]}}),
        ({"mode": XOR, "xmit_hash_policy": "layer2+3"}, {"runner": {"tx_hash": ["eth", "l3"]}}),
        ({"mode": AD, "xmit_hash_policy": "layer3+4"}, {"runner": {"tx_hash": ["l3", "l4"]}}),
        ({"mode": AD, "xmit_hash_policy": "vlan+srcmac"}, {"runner": {"tx_hash": ["vlan", "eth"]}}),
        ({"mode": AB, "fail_over_mac": "none"}, {"runner": {"hwaddr_policy": "same_all"}}),
        ({"mode": AB, "fail_over_mac": "active"}, {"runner": {"hwaddr_policy": "by_active"}}),
        ({"mode": AB, "fail_over_mac": "follow"}, {"runner": {"hwaddr_policy": "only_active"}}),
        ({"mode": AD, "lacp_rate": "fast"}, {"runner": {"fast_rate": True}}),
        ({"mode": AD, "lacp_rate": "slow"}, {"runner": {"fast_rate": False}}),
        ({"mode": AD, "lacp_active": False}, {"runner": {"active": False}}),
        ({"mode": AD, "coupled_control": False}, {"runner": {"independent_control": True}}),
        ({"mode": AD, "ad_user_port_key": 7}, {"runner": {"key": "speed"}}),
        ({"mode": AD, "ad_select": "stable"}, {"runner": {"agg_select_policy": "bandwidth"}}),
        ({"mode": AD, "ad_select": "count"}, {"runner": {"agg_select_policy": "count"}}),
        ({"mode": AD, "ad_actor_sys_prio": 7}, {"runner": {"sys_prio": 7}}),
        ({"mode": AD, "min_links": 2}, {"runner": {"min_ports": 2}}),
        ({"mode": AD, "min_links": 2000}, {"runner": {"min_ports": 1024}}),
        ({"mode": AD, "ad_user_port_key": 7}, {"ports": {"eth1": {"lacp_key": 7}, "eth2": {"lacp_key": 7}}}),
        ({"mode": AB, "num_grat_arp": 0}, {"notify_peers": {"count": 0}}),
        ({"mode": AB, "num_grat_arp": 3, "miimon": 50}, {"notify_peers": {"count": 3, "interval": 50}}),
        (
            {"mode": AB, "num_grat_arp": 3, "miimon": 50, "peer_notif_delay": 200},
            {"notify_peers": {"count": 3, "interval": 200}},
        ),
        ({"mode": AB, "resend_igmp": 3}, {"mcast_rejoin": {"count": 3, "interval": 200}}),
        ({"miimon": 100}, {"link_watch": {"name": "ethtool"}}),
        (
            {"miimon": 100, "updelay": 200, "downdelay": 300},
            {"link_watch": {"name": "ethtool", "delay_up": 200, "delay_down": 300}},
        ),
        (
            {"mode": AB, "arp_interval": 200, "arp_ip_target": ("10.0.0.1",)},
            {
                "link_watch": {
                    "name": "arp_ping",
                    "target_host": "10.0.0.1",
                    "interval": 200,
                    "missed_max": 2,
                }
            },
        ),
        (
            {
                "mode": AB,
                "arp_interval": 200,
                "arp_ip_target": ("10.0.0.1",),
                "arp_validate": "all",
                "arp_missed_max": 5,
            },
            {
                "link_watch": {
                    "name": "arp_ping",
                    "target_host": "10.0.0.1",
                    "interval": 200,
                    "missed_max": 5,
                    "validate_active": True,
                    "validate_inactive": True,
                    "send_always": True,
                }
            },
        ),
        (
            {
                "mode": AB,
                "arp_interval": 200,
                "arp_ip_target": ("10.0.0.1",),
                "ns_ip6_target": ("fe80::1",),
                "arp_all_targets": "all",
                "arp_validate": "filter_active",
            },
            {
                "link_watch_policy": "all",
                "link_watch": [
                    {
                        "name": "arp_ping",
                        "target_host": "10.0.0.1",
                        "interval": 200,
                        "missed_max": 2,
                        "validate_active": True,
                    },
                    {
                        "name": "nsna_ping",
                        "target_host": "fe80::1",
                        "interval": 200,
                        "missed_max": 2,
                        "send_always": True,
                    },
                ],
            },
        ),
        ({"mode": AB, "primary": "eth2"}, {"ports": {"eth1": {"prio": -100}, "eth2": {"prio": -10}}}),
        (
            {"mode": AB, "primary": "eth2", "primary_reselect": "failure"},
            {"ports": {"eth1": {"prio": -100, "sticky": True}, "eth2": {"prio": -10, "sticky": True}}},
        ),
        (
            {"mode": AB, "members": (Member("eth1", 4, 5), Member("eth2", 0, 9)), "primary": "eth1"},
            {"ports": {"eth1": {"prio": 10, "queue_id": 4}, "eth2": {"prio": 9}}},
        ),
        (
            {"mode": AB, "members": (Member("eth1", prio=-5), Member("eth2")), "primary": "eth2"},
            {"ports": {"eth1": {"prio": -5}, "eth2": {"prio": 1}}},
        ),
    ],
)
def test_options(given: dict[str, Any], expected: dict[str, Any]) -> None:
    tree, _ = tree_of(Bond(**{"members": PORTS, **given}))
    for key, value in expected.items():
        if key == "runner":
            # Of the runner what is said, besides what the mode says.
            assert tree[key] | value == tree[key]
            assert value.get("name") is None or tree[key] == value
        else:
            assert tree[key] == value


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"use_carrier": False}, "use_carrier"),
        ({"mode": AB, "active_slave": "eth1"}, "active_slave"),
        ({"all_slaves_active": True}, "all_slaves_active"),
        ({"mode": "balance-alb", "lp_interval": 5}, "lp_interval"),
        ({"max_bonds": 2}, "max_bonds"),
        ({"mode": AD, "ad_actor_system": "02:00:00:00:00:09"}, "ad_actor_system"),
        ({"mode": AD, "min_links": 2000}, "min_links"),
        ({"mode": XOR, "min_links": 2}, "min_links"),
        ({"mode": XOR, "xmit_hash_policy": "encap3+4"}, "xmit_hash_policy"),
        ({"mode": XOR, "xmit_hash_policy": "vlan+srcmac"}, "xmit_hash_policy"),
        ({"mode": AB, "xmit_hash_policy": "layer3+4"}, "xmit_hash_policy"),
        ({"mode": AB, "primary": "eth9"}, "primary"),
        ({"mode": TLB, "primary": "eth1"}, "primary"),
        ({"mode": AB, "primary": "eth1", "primary_reselect": "better"}, "primary_reselect"),
        ({"mode": AB, "miimon": 100, "arp_interval": 100, "arp_ip_target": ("10.0.0.1",)}, "miimon"),
        ({"mode": AB, "arp_interval": 100}, "arp_interval"),
        ({"mode": AD, "arp_interval": 100, "arp_ip_target": ("10.0.0.1",)}, "arp_interval"),
        ({"packets_per_slave": 3}, "packets_per_slave"),
        ({"updelay": 100}, "updelay"),
    ],
)
def test_what_is_lost_is_said(given: dict[str, Any], said: str) -> None:
    assert [line for line in tree_of(Bond(members=PORTS, **given))[1] if line.startswith(f"{said}: ")]


_ONE_TARGET: dict[str, Any] = {"arp_interval": 100, "arp_ip_target": ("10.0.0.3",)}
#: What must be there for an option to matter.
NEEDED: dict[str, dict[str, Any]] = {
    "updelay": {"miimon": 100},
    "downdelay": {"miimon": 100},
    "arp_interval": {"arp_ip_target": ("10.0.0.3",)},
    "arp_ip_target": {"arp_interval": 100},
    "ns_ip6_target": {"arp_interval": 100},
    "arp_validate": _ONE_TARGET,
    "arp_missed_max": _ONE_TARGET,
    "arp_all_targets": {"arp_interval": 100, "arp_ip_target": ("10.0.0.3", "10.0.0.4")},
    "primary_reselect": {"primary": "eth1"},
    "peer_notif_delay": {"miimon": 100, "num_grat_arp": 3},
}
#: What a team need not be told: it follows carriers at once. And what the mode is for.
NEEDLESS = ("mode", "miimon")


@pytest.mark.parametrize("name", [name for name in options() if name not in NEEDLESS])
@pytest.mark.parametrize("mode", MODES)
def test_every_option_shows_or_is_spoken_of(name: str, mode: Mode) -> None:
    """An option of which neither the team nor a warning knows anything would be lost in silence."""
    base = {"mode": mode, "members": PORTS, **NEEDED.get(name, {})}
    assert tree_of(Bond(**base)) != tree_of(Bond(**base | {name: example(options()[name])}))


@pytest.mark.parametrize("mode", MODES)
def test_teamd_takes_it(mode: Mode) -> None:
    document = Document.parse(json.dumps(tree_of(Bond(name="bond0", mode=mode, members=PORTS))[0]))
    assert not document.warnings
    Team(document.team, 1)
