"""A bond as a teamd.conf. What differs afterwards is a warning in the report, one line each."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from pyteam.config.bonding.bond import Bond, Mode, given, heeded, options
from pyteam.config.document import Document
from pyteam.config.report import Report
from pyteam.config.text import write

_RUNNERS: Final[Mapping[Mode, dict[str, Any]]] = {
    "balance-rr": {"name": "roundrobin"},
    "active-backup": {"name": "activebackup"},
    "balance-xor": {"name": "loadbalance"},
    "broadcast": {"name": "broadcast"},
    # Where no partner answers, bonding has one member in use.
    "802.3ad": {"name": "lacp", "fallback": True},
    "balance-tlb": {"name": "loadbalance", "tx_balancer": {"name": "basic"}},
    "balance-alb": {
        "name": "loadbalance",
        "tx_balancer": {"name": "basic"},
        "rx_balancer": {"name": "arp"},
    },
}
_TX_HASH: Final = {
    "layer2": ("eth",),
    "layer2+3": ("eth", "l3"),
    "layer3+4": ("l3", "l4"),
    "encap2+3": ("eth", "l3"),
    "encap3+4": ("l3", "l4"),
    "vlan+srcmac": ("vlan", "eth"),
}
_HWADDR_POLICY: Final = {"none": "same_all", "active": "by_active", "follow": "only_active"}
_AD_SELECT: Final = {"stable": "bandwidth", "bandwidth": "bandwidth", "count": "count"}
_VALIDATES: Final = {
    "validate_active": ("active", "all", "filter_active"),
    "validate_inactive": ("backup", "all", "filter_backup"),
}
#: Bonding's pace of IGMP reports (Documentation/networking/bonding.rst, resend_igmp), ms.
_IGMP_PACE: Final = 200
#: As bond2team has always had it: the primary's, and everybody else's.
_PRIMARY_PRIO: Final = -10
_OTHER_PRIO: Final = -100
_MIN_PORTS_MAX: Final = 1024

_NEEDS_AGGREGATE: Final = (
    "the switch must have the ports in one static aggregate now; without one, "
    'add "rx_balancer": {"name": "arp"} to the runner'
)


def team_of(bond: Bond, report: Report) -> Document:
    """The team that does what the bond does, as far as there is one."""
    tree: dict[str, Any] = {"runner": _runner(bond, report), **_watches(bond, report), **_bursts(bond)}
    if bond.name:
        tree["device"] = bond.name
    if bond.address:
        tree["hwaddr"] = bond.address
    tree["ports"] = _ports(bond, report)
    _report_rest(bond, report)
    return Document.parse(write(tree), source="conversion")


def _runner(bond: Bond, report: Report) -> dict[str, Any]:
    runner = copy.deepcopy(_RUNNERS[bond.mode])
    if bond.mode == "balance-tlb":
        report.warn(("mode",), f"balance-tlb: {_NEEDS_AGGREGATE}.")
    if bond.tlb_dynamic_lb is False and heeded(bond, "tlb_dynamic_lb"):
        del runner["tx_balancer"]
    if bond.packets_per_slave == 0 and heeded(bond, "packets_per_slave"):
        runner["name"] = "random"
    for key, name, translate in _RUNNER_KEYS:
        value = getattr(bond, name)
        if value is not None and heeded(bond, name):
            runner[key] = translate(value)
    if bond.xmit_hash_policy and "tx_hash" in runner:
        if bond.xmit_hash_policy.startswith("encap"):
            report.warn(("xmit_hash_policy",), f"{bond.xmit_hash_policy}: a team does not look into tunnels.")
        elif bond.xmit_hash_policy == "vlan+srcmac":
            report.warn(
                ("xmit_hash_policy",), "vlan+srcmac: a team hashes the MAC of the destination as well."
            )
    if runner.get("min_ports") == 0:
        # Without a port there is no carrier, for either.
        del runner["min_ports"]
    elif runner.get("min_ports", 1) > _MIN_PORTS_MAX:
        report.warn(("min_links",), f"{bond.min_links}: a team takes {_MIN_PORTS_MAX} at most.")
        runner["min_ports"] = _MIN_PORTS_MAX
    return runner


_RUNNER_KEYS: Final[tuple[tuple[str, str, Callable[[Any], Any]], ...]] = (
    ("tx_hash", "xmit_hash_policy", lambda policy: list(_TX_HASH[policy])),
    ("hwaddr_policy", "fail_over_mac", _HWADDR_POLICY.__getitem__),
    ("fast_rate", "lacp_rate", "fast".__eq__),
    ("active", "lacp_active", bool),
    ("independent_control", "coupled_control", operator.not_),
    ("key", "ad_user_port_key", lambda _: "speed"),
    ("agg_select_policy", "ad_select", _AD_SELECT.__getitem__),
    ("sys_prio", "ad_actor_sys_prio", int),
    ("min_ports", "min_links", int),
)


def _watches(bond: Bond, report: Report) -> dict[str, Any]:
    """``link_watch``, and ``link_watch_policy`` where it matters."""
    probes = _probes(bond) if bond.arp_interval and heeded(bond, "arp_interval") else []
    if not probes:
        if bond.arp_interval and heeded(bond, "arp_interval"):
            report.warn(("arp_interval",), "there is no target; the carrier is watched instead.")
        delays = {"delay_up": bond.updelay, "delay_down": bond.downdelay}
        return {"link_watch": {"name": "ethtool"} | {key: delay for key, delay in delays.items() if delay}}
    if bond.miimon:
        report.warn(("miimon",), "bonding does one of the two: as arp_interval is given, miimon is left out.")
    found: dict[str, Any] = {"link_watch": probes[0] if len(probes) == 1 else probes}
    if bond.arp_all_targets == "all" and len(probes) > 1:
        found["link_watch_policy"] = "all"
    return found


def _probes(bond: Bond) -> list[dict[str, Any]]:
    pace = {"interval": bond.arp_interval, "missed_max": bond.arp_missed_max or 2}
    validate = {key: True for key, words in _VALIDATES.items() if bond.arp_validate in words}
    if "validate_inactive" in validate:
        # Bonding hears the active port's questions on those that wait; we count replies only, so they ask.
        validate["send_always"] = True
    probes = [
        {"name": "arp_ping", "target_host": target, **pace, **validate} for target in bond.arp_ip_target or ()
    ]
    if heeded(bond, "ns_ip6_target"):
        probes += [
            {"name": "nsna_ping", "target_host": target, **pace, "send_always": True}
            for target in bond.ns_ip6_target or ()
        ]
    return probes


def _bursts(bond: Bond) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if bond.num_grat_arp is not None and heeded(bond, "num_grat_arp"):
        found["notify_peers"] = {"count": bond.num_grat_arp}
        pace = bond.peer_notif_delay or bond.miimon or bond.arp_interval
        if pace and bond.num_grat_arp > 1:
            found["notify_peers"]["interval"] = pace
    if bond.resend_igmp is not None and heeded(bond, "resend_igmp"):
        found["mcast_rejoin"] = {"count": bond.resend_igmp}
        if bond.resend_igmp > 1:
            found["mcast_rejoin"]["interval"] = _IGMP_PACE
    return found


def _ports(bond: Bond, report: Report) -> dict[str, Any]:
    ports: dict[str, dict[str, Any]] = {member.name: {} for member in bond.members}
    ranks = {member.name: member.prio for member in bond.members if member.prio}
    primary = bond.primary if bond.mode == "active-backup" else None
    if primary and primary not in ports:
        report.warn(("primary",), f"{primary} is no member: no port is preferred.")
    elif primary and not ranks:
        ranks = {name: _PRIMARY_PRIO if name == primary else _OTHER_PRIO for name in ports}
    elif primary:
        ranks[primary] = max(0, *ranks.values()) + 1
    for member in bond.members:
        port = ports[member.name]
        if bond.mode == "active-backup":
            if member.name in ranks:
                port["prio"] = ranks[member.name]
            if ranks and bond.primary_reselect == "failure":
                # Whichever is active stays: nobody is preferred to one that works.
                port["sticky"] = True
        if member.queue_id:
            port["queue_id"] = member.queue_id
        if bond.ad_user_port_key and heeded(bond, "ad_user_port_key"):
            port["lacp_key"] = bond.ad_user_port_key
    if ranks and bond.primary_reselect == "better":
        report.warn(
            ("primary_reselect",), "better: a team prefers the primary whatever the speed of the ports."
        )
    return ports


def _report_rest(bond: Bond, report: Report) -> None:
    """What was given, is not bonding's default, and is lost."""
    for name, value in given(bond).items():
        option = options()[name]
        if value == option.default:
            continue
        if not option.team:
            report.warn((name,), f"{option.kind.write(value)}: no counterpart: {option.why}.")
        elif not heeded(bond, name):
            report.warn((name,), f"left out: it has no effect with mode {bond.mode}.")
    if (bond.packets_per_slave or 0) > 1 and heeded(bond, "packets_per_slave"):
        report.warn(("packets_per_slave",), "each packet takes the next port all the same.")
    for name in ("primary", "primary_reselect"):
        value = getattr(bond, name)
        if value not in (None, "always") and bond.mode != "active-backup" and heeded(bond, name):
            report.warn((name,), f"{value}: no counterpart with the runner loadbalance: all ports are alike.")
    if not bond.arp_interval and bond.updelay and not bond.miimon:
        report.warn(("updelay",), "bonding does not heed it without miimon; the team will.")
