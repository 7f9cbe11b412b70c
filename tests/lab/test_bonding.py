"""What is written for iproute2, run for real: the kernel's bonding takes it, and has what was meant."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import pytest

from pyteam.config import Document
from pyteam.config.bonding import forms
from pyteam.config.bonding.bond import MODES, Bond, Member, Mode, given, heeded, options
from pyteam.config.bonding.texts import Text
from pyteam.config.report import Report
from tests.netns.anonymous import inside, namespace
from tests.unit.config.bonding.test_tables import example

PORTS: Final = ("eth1", "eth2")
#: State, what is about the module, and what iproute2 6.1 does not know.
NOT_FOR_NOW: Final = ("active_slave", "max_bonds", "coupled_control")


@pytest.fixture
def machine() -> Iterator[int]:
    """A namespace with two interfaces."""
    with namespace() as made:
        sh(made, "ip link add eth1 type dummy; ip link add eth2 type dummy")
        yield made


def sh(machine: int, script: str) -> str:
    """What has to work; its output."""
    with inside(machine):
        done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return done.stdout


def made(machine: int, found: Bond | Document) -> tuple[str, list[str]]:
    """What ip tells of all interfaces when the script was run; and what had been said to be lost."""
    report = Report("")
    (script,) = forms.write("iproute2", found, "", report)
    return sh(machine, f"{script.text}ip -j -d link show"), report.warnings


WATCH: Final = {"name": "arp_ping", "target_host": "10.0.0.1", "interval": 200, "validate_active": True}


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        (
            {"runner": {"name": "roundrobin"}, "link_watch": {"name": "ethtool", "delay_up": 250}},
            {"mode": "balance-rr", "miimon": 50, "updelay": 250, "downdelay": 0, "packets_per_slave": 1},
        ),
        ({"runner": {"name": "random"}}, {"mode": "balance-rr", "miimon": 100, "packets_per_slave": 0}),
        ({"runner": {"name": "broadcast"}}, {"mode": "broadcast", "miimon": 100}),
        (
            {
                "runner": {"name": "activebackup", "hwaddr_policy": "by_active"},
                "link_watch": [WATCH, WATCH | {"target_host": "10.0.0.2"}],
                "notify_peers": {"count": 3},
                "mcast_rejoin": {"count": 2, "interval": 200},
                "ports": {"eth1": {"sticky": True}, "eth2": {"prio": 10}},
            },
            {
                "mode": "active-backup",
                "miimon": 0,
                "arp_interval": 200,
                "arp_missed_max": 3,
                "arp_ip_target": ["10.0.0.1", "10.0.0.2"],
                "arp_validate": "active",
                "fail_over_mac": "active",
                "primary": "eth2",
                "primary_reselect": "failure",
                "num_peer_notif": 3,
                "resend_igmp": 2,
            },
        ),
        (
            {"runner": {"name": "loadbalance", "tx_hash": ["l3", "l4"]}},
            {"mode": "balance-xor", "xmit_hash_policy": "layer3+4"},
        ),
        (
            {
                "runner": {
                    "name": "loadbalance",
                    "rx_balancer": {"name": "arp"},
                    "tx_balancer": {"name": "basic"},
                }
            },
            {"mode": "balance-alb", "tlb_dynamic_lb": 1},
        ),
        (
            {"runner": {"name": "loadbalance", "rx_balancer": {"name": "arp"}}},
            {"mode": "balance-alb", "tlb_dynamic_lb": 0, "xmit_hash_policy": "layer2+3"},
        ),
        (
            {
                "runner": {
                    "name": "lacp",
                    "tx_hash": ["eth"],
                    "active": False,
                    "fast_rate": True,
                    "sys_prio": 7,
                    "min_ports": 2,
                    "agg_select_policy": "count",
                },
                "ports": {"eth1": {"lacp_key": 5, "queue_id": 3}, "eth2": {"lacp_key": 5}},
            },
            {
                "mode": "802.3ad",
                "xmit_hash_policy": "layer2",
                "ad_lacp_active": "off",
                "ad_lacp_rate": "fast",
                "ad_actor_sys_prio": 7,
                "ad_user_port_key": 5,
                "min_links": 2,
                "ad_select": "count",
            },
        ),
    ],
    ids=lambda value: value["mode"] if "mode" in value else value["runner"]["name"],
)
def test_a_team_becomes_this_bond(machine: int, team: dict[str, Any], expected: dict[str, Any]) -> None:
    base = {"device": "team0", "hwaddr": "02:00:00:00:00:07", "ports": {name: {} for name in PORTS}}
    told, warnings = made(machine, Document.parse(json.dumps(base | team)))
    assert warnings == []
    links = {link["ifname"]: link for link in json.loads(told)}
    bond = links["team0"]
    assert bond["linkinfo"]["info_kind"] == "bond"
    # With fail_over_mac active it is the active member's, as that of a team is with by_active.
    ours = expected.get("fail_over_mac") != "active"
    assert bond["address"] in (["02:00:00:00:00:07"] if ours else [links[name]["address"] for name in PORTS])
    assert "UP" in bond["flags"]
    assert bond["linkinfo"]["info_data"] | expected == bond["linkinfo"]["info_data"]
    for name in PORTS:
        wanted = team.get("ports", {}).get(name, {}).get("queue_id", 0)
        assert (links[name]["master"], links[name]["linkinfo"]["info_slave_data"]["queue_id"]) == (
            "team0",
            wanted,
        )


def everything(mode: Mode, monitor: str) -> Bond:
    """A bond with every option that goes with the mode and the monitor, none at its default."""
    other = "arp_interval" if monitor == "miimon" else "miimon"
    chosen = {
        name: example(option)
        for name, option in options().items()
        if name not in ("mode", other, *NOT_FOR_NOW)
        and option.needs != other
        and (mode in option.modes or not option.strict)
    }
    members = (Member("eth1", 3, 7 if heeded(Bond(mode=mode), "primary") else None), Member("eth2"))
    return Bond(name="bond0", mode=mode, members=members, **chosen)


@pytest.mark.parametrize(
    ("mode", "monitor"),
    [
        (mode, monitor)
        for monitor in ("miimon", "arp_interval")
        for mode in MODES
        if mode in options()[monitor].modes
    ],
)
def test_every_option_is_taken_and_told_again(machine: int, mode: Mode, monitor: str) -> None:
    bond = everything(mode, monitor)
    told, warnings = made(machine, bond)
    assert warnings == []
    again = forms.read("iproute2", [Text("links.json", told)], "bond0", Report(""))
    assert isinstance(again, Bond)
    assert again.members == bond.members
    assert given(again) == {name: value for name, value in given(bond).items() if heeded(bond, name)}
