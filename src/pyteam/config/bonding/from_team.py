"""A teamd.conf as a bond. Each key that a bond has nothing for is a warning in the report."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pyteam.config.bonding.bond import Bond, Member, Mode
from pyteam.config.bonding.words import TARGETS_MAX, address_family
from pyteam.config.document import Document
from pyteam.config.report import Path, Report, show
from pyteam.config.values import (
    ActiveBackupRunner,
    ArpPingWatch,
    BasicRunner,
    EthtoolWatch,
    LacpRunner,
    LinkWatchConfig,
    LoadBalanceRunner,
    NsnaPingWatch,
    PortConfig,
    TeamConfig,
)

#: Every key of teamd.conf, as the manual spells it: what a bond has for it, or None, and why or when not.
KEYS: Final[Mapping[str, tuple[str | None, str]]] = {
    "device": ("the name", ""),
    "debug_level": (None, "a bond has no daemon"),
    "hwaddr": ("the MAC", ""),
    "link_watch_policy": ("arp_all_targets", "among the targets of arp_ping"),
    "runner": ("mode", ""),
    "runner.name": ("mode", ""),
    "runner.addr": (None, "a bond has no daemon"),
    "runner.hwaddr_policy": ("fail_over_mac", ""),
    "runner.rx_balancer": ("mode balance-alb", ""),
    "runner.rx_balancer.name": ("mode balance-alb", ""),
    "runner.tx_hash": ("xmit_hash_policy", "the nearest"),
    "runner.tx_hash.bpf": (None, "bonding has no hash functions of one's own"),
    "runner.tx_hash.bpf_file": (None, "bonding has no hash functions of one's own"),
    "runner.tx_hash.ebpf_file": (None, "bonding has no hash functions of one's own"),
    "runner.tx_hash.function": (None, "bonding has no hash functions of one's own"),
    "runner.tx_balancer": ("mode balance-alb", "with rx_balancer"),
    "runner.tx_balancer.name": ("mode balance-alb", "with rx_balancer"),
    "runner.tx_balancer.balancing_interval": (None, "bonding has a pace of its own"),
    "runner.active": ("lacp_active", "newer kernels"),
    "runner.sys_prio": ("ad_actor_sys_prio", "from 1"),
    "runner.fast_rate": ("lacp_rate", ""),
    "runner.min_ports": ("min_links", ""),
    "runner.agg_select_policy": ("ad_select", "bandwidth and count; stable for all others"),
    "runner.max_active_ports": (None, "bonding uses every member of an aggregator"),
    "runner.key": ("nothing to say", "bonding's key is always that of speed"),
    "runner.fallback": ("nothing to say", "without a partner, bonding always uses one member"),
    "runner.independent_control": ("coupled_control", "the other way round; newer kernels"),
    "runner.enable_retry_count": (None, "bonding always waits for three LACPDUs"),
    "runner.retry_count": (None, "bonding always waits for three LACPDUs"),
    "notify_peers": ("num_grat_arp", ""),
    "notify_peers.count": ("num_grat_arp", "up to 255"),
    "notify_peers.interval": ("peer_notif_delay", "with the watch ethtool, in steps of miimon"),
    "mcast_rejoin": ("resend_igmp", ""),
    "mcast_rejoin.count": ("resend_igmp", "up to 255"),
    "mcast_rejoin.interval": ("resend_igmp", "always 200 ms"),
    "link_watch": ("miimon, arp_interval", "one kind, the same for all members"),
    "link_watch.name": ("miimon, arp_interval", "one kind, the same for all members"),
    "link_watch.delay_up": ("updelay", ""),
    "link_watch.delay_down": ("downdelay", ""),
    "link_watch.target_host": ("arp_ip_target, ns_ip6_target", "addresses only"),
    "link_watch.source_host": (None, "bonding asks from the address that the bond has"),
    "link_watch.interval": ("arp_interval", ""),
    "link_watch.init_wait": (None, "bonding begins at once"),
    "link_watch.missed_max": ("arp_missed_max", "1 to 255"),
    "link_watch.validate_active": ("arp_validate", ""),
    "link_watch.validate_inactive": ("arp_validate", ""),
    "link_watch.send_always": (None, "bonding asks on the active member only"),
    "link_watch.vlanid": (None, "bonding asks in the VLAN by which it reaches the target"),
    "link_watch.tipc_bearer": (None, "bonding does not know TIPC"),
    "ports": ("the members", ""),
    "ports.PORT.queue_id": ("queue_id", ""),
    "ports.PORT.prio": ("primary; prio", "prio, of newer kernels, where there are more than two ranks"),
    "ports.PORT.sticky": ("primary_reselect failure", "when all ports that are not the best have it"),
    "ports.PORT.lacp_prio": (None, "bonding has one priority for all ports"),
    "ports.PORT.lacp_key": ("ad_user_port_key", "up to 1023, and the same on all ports"),
    "ports.PORT.weight": (None, "bonding gives every member the same share"),
    "ports.PORT.link_watch": ("miimon, arp_interval", "where all ports have the same"),
    "ports.PORT.link_watch_policy": (None, "bonding has one policy for all members"),
    "datapath": (None, "it is about pyteam"),
    "receiver": (None, "it is about pyteam"),
    "$schema": ("", "it is for editors"),
}
_BASIC_MODES: Final[Mapping[str, Mode]] = {
    "broadcast": "broadcast",
    "roundrobin": "balance-rr",
    "random": "balance-rr",
}
_FAIL_OVER_MAC: Final = {"same_all": "none", "by_active": "active", "only_active": "follow"}
_AD_SELECT: Final = {"bandwidth": "bandwidth", "count": "count"}
_PARTS: Final = {"ip": {"ipv4", "ipv6"}, "l3": {"ipv4", "ipv6"}, "l4": {"tcp", "udp", "sctp"}}
_EXACT: Final = {
    frozenset({"eth"}): "layer2",
    frozenset({"eth", "ipv4", "ipv6"}): "layer2+3",
    frozenset({"ipv4", "ipv6", "tcp", "udp", "sctp"}): "layer3+4",
}
_VALIDATE: Final = {
    (False, False): "none",
    (True, False): "active",
    (False, True): "backup",
    (True, True): "all",
}
#: Bonding looks at the carrier this often, ms; the usual choice, and the kernel's own where it must choose.
_MIIMON: Final = 100
_MIIMON_MIN: Final = 10
_BYTE_MAX: Final = 255
_KEY_MAX: Final = 1023
_DELAY_MAX: Final = 300_000
_IGMP_PACE: Final = 200
_ARP_MODES: Final = ("balance-rr", "active-backup", "balance-xor", "broadcast")


def bond_of(document: Document, report: Report) -> Bond:
    """The bond that does what the team does, as far as there is one."""
    team = document.team
    for path in _leaves(document.raw):
        _report_key(path, report)
    options: dict[str, Any] = _mode(team, report)
    options |= _monitor(team, options["mode"], report)
    options |= _bursts(team, options, report)
    members, more = _members(team, options["mode"], report)
    address = ":".join(f"{octet:02x}" for octet in team.hwaddr) if team.hwaddr else ""
    return Bond(name=team.device, address=address, members=members, **options, **more)


def _leaves(value: object, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path


def _report_key(path: Path, report: Report) -> None:
    """What KEYS says of a key that is there; those that are unknown were reported by the reader."""
    words = [str(step) for step in path if isinstance(step, str)]
    if words[0] == "ports":
        words[1:2] = ["PORT"]
    spelled = re.sub(r"^ports\.PORT\.(?=link_watch\.)", "", ".".join(words))
    counterpart, why = KEYS.get(spelled, ("", ""))
    if counterpart is None:
        report.warn(path, f"no counterpart: {why}.")


def _mode(team: TeamConfig, report: Report) -> dict[str, Any]:
    """``mode``, and the options that come from the runner's keys."""
    where = ("runner",)
    match team.runner:
        case BasicRunner(name=name):
            found: dict[str, Any] = {"mode": _BASIC_MODES[name]}
            return found | ({"packets_per_slave": 0} if name == "random" else {})
        case ActiveBackupRunner(hwaddr_policy=addresses):
            return {"mode": "active-backup"} | (
                {"fail_over_mac": _FAIL_OVER_MAC[addresses]} if addresses != "same_all" else {}
            )
        case LoadBalanceRunner() as runner:
            policy = {"xmit_hash_policy": _policy(runner.tx_hash, report)}
            if not runner.rx_balancer.name:
                _no_balancer(runner, report)
                return {"mode": "balance-xor", **policy}
            if runner.tx_balancer.name:
                # Flows move by load, and no hash decides.
                return {"mode": "balance-alb"}
            return {"mode": "balance-alb", "tlb_dynamic_lb": False, **policy}
        case LacpRunner() as runner:
            found = {"mode": "802.3ad", "xmit_hash_policy": _policy(runner.tx_hash, report)}
            _no_balancer(runner, report)
            if not runner.active:
                found["lacp_active"] = False
            if runner.independent_control:
                found["coupled_control"] = False
            if runner.fast_rate:
                found["lacp_rate"] = "fast"
            if runner.sys_prio == 0:
                report.warn((*where, "sys_prio"), "bonding's begins with 1, which is taken.")
            if runner.sys_prio != LacpRunner().sys_prio:
                found["ad_actor_sys_prio"] = max(1, runner.sys_prio)
            if runner.min_ports > 1:
                found["min_links"] = runner.min_ports
            if runner.agg_select_policy in _AD_SELECT:
                found["ad_select"] = _AD_SELECT[runner.agg_select_policy]
            elif runner.agg_select_policy != LacpRunner().agg_select_policy:
                found["ad_select"] = "stable"
                what = (
                    f"{show(runner.agg_select_policy)}: the nearest is taken: ad_select stable, by bandwidth."
                )
                report.warn((*where, "agg_select_policy"), what)
            return found


def _no_balancer(runner: LoadBalanceRunner | LacpRunner, report: Report) -> None:
    if runner.tx_balancer.name:
        # balance-tlb would lose what a switch sends to the other ports of its aggregate.
        what = "left out: only bonds without an aggregate on the switch move flows between members."
        report.warn(("runner", "tx_balancer"), what)


def _policy(tx_hash: object, report: Report) -> str:
    where = ("runner", "tx_hash")
    if not isinstance(tx_hash, tuple):
        return "layer2+3"
    parts = frozenset().union(*(_PARTS.get(word, {word}) for word in tx_hash))
    if parts in _EXACT:
        return _EXACT[parts]
    if parts & {"tcp", "udp", "sctp"}:
        nearest = "layer3+4"
    elif parts & {"ipv4", "ipv6"}:
        nearest = "layer2+3"
    else:
        nearest = "vlan+srcmac" if "vlan" in parts else "layer2"
    report.warn(where, f"the nearest is taken: xmit_hash_policy {nearest}.")
    return nearest


def _monitor(team: TeamConfig, mode: Mode, report: Report) -> dict[str, Any]:
    """How the links of all members are watched."""
    watches, where = _common_watches(team, report)
    probes = [watch for watch in watches if isinstance(watch, ArpPingWatch | NsnaPingWatch)]
    if probes and mode not in _ARP_MODES:
        report.warn(where, f"{mode} has no ARP monitor: the carrier is watched instead.")
        probes = []
    if probes and (found := _probing(team, mode, probes, where, report)):
        if len(probes) < len(watches):
            report.warn(where, "bonding watches carriers, or asks: the watches that ask are taken.")
        return found
    carrier = next((watch for watch in watches if isinstance(watch, EthtoolWatch)), EthtoolWatch())
    delays = {"updelay": carrier.delay_up, "downdelay": carrier.delay_down}
    # Delays are multiples of the interval (bonding.rst, updelay).
    interval = math.gcd(_MIIMON, *delays.values())
    if interval < _MIIMON_MIN:
        interval = _MIIMON_MIN
        report.warn(where, f"bonding rounds delays down to multiples of miimon, {interval} ms.")
    return {"miimon": interval} | {key: delay for key, delay in delays.items() if delay}


def _common_watches(team: TeamConfig, report: Report) -> tuple[tuple[LinkWatchConfig, ...], Path]:
    """The watches that every member has, and where they stand."""
    own = {name: port.link_watch for name, port in team.ports.items() if port.link_watch}
    if not own:
        return team.link_watch, ("link_watch",)
    first = next(iter(own.values()))
    if not team.link_watch and len(own) == len(team.ports) and all(each == first for each in own.values()):
        return first, ("ports", next(iter(own)), "link_watch")
    for name in own:
        report.warn(("ports", name, "link_watch"), "left out: bonding watches all members in the same way.")
    return team.link_watch, ("link_watch",)


def _probing(
    team: TeamConfig, mode: Mode, probes: list[ArpPingWatch | NsnaPingWatch], where: Path, report: Report
) -> dict[str, Any]:
    """The ARP monitor; empty where none of the targets can be had."""
    targets: dict[int, list[str]] = {4: [], 6: []}
    for probe in probes:
        family = address_family(probe.target_host)
        if not family:
            report.warn(where, f"target_host {show(probe.target_host)}: bonding takes addresses, no names.")
        elif family == 6 and mode != "active-backup":
            report.warn(where, f"target_host {show(probe.target_host)}: only active-backup asks in IPv6.")
        elif len(targets[family]) == TARGETS_MAX:
            report.warn(where, f"target_host {show(probe.target_host)}: bonding takes {TARGETS_MAX} targets.")
        else:
            targets[family].append(probe.target_host)
    if not (targets[4] or targets[6]):
        report.warn(where, "no target is left: the carrier is watched instead.")
        return {}
    first = probes[0]
    if any((probe.interval, probe.missed_max) != (first.interval, first.missed_max) for probe in probes):
        report.warn(where, "bonding has one interval and one arp_missed_max: the first watch's are taken.")
    if not first.interval:
        report.warn(where, "interval 0: bonding asks again and again; a second is taken.")
    missed = min(max(1, first.missed_max), _BYTE_MAX)
    if missed != first.missed_max:
        report.warn(
            where, f"missed_max {first.missed_max}: bonding takes 1 to {_BYTE_MAX}, {missed} is taken."
        )
    found: dict[str, Any] = {"arp_interval": first.interval or 1000, "arp_missed_max": missed}
    if targets[4]:
        found["arp_ip_target"] = tuple(targets[4])
    if targets[6]:
        found["ns_ip6_target"] = tuple(targets[6])
    asking = [probe for probe in probes if isinstance(probe, ArpPingWatch)]
    validate = _VALIDATE[
        any(probe.validate_active for probe in asking), any(probe.validate_inactive for probe in asking)
    ]
    if validate != "none":
        found["arp_validate"] = validate
    if len(probes) > 1 and team.link_watch_policy == "all":
        found["arp_all_targets"] = "all"
        if validate == "none":
            report.warn(("link_watch_policy",), "bonding heeds arp_all_targets only with arp_validate.")
    return found


def _bursts(team: TeamConfig, options: Mapping[str, Any], report: Report) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, name, burst in (
        ("notify_peers", "num_grat_arp", team.notify_peers),
        ("mcast_rejoin", "resend_igmp", team.mcast_rejoin),
    ):
        count = burst.count
        if count is not None and count != 1:
            found[name] = min(count, _BYTE_MAX)
            if count > _BYTE_MAX:
                report.warn((key, "count"), f"bonding takes {_BYTE_MAX} at most.")
    if found.get("resend_igmp", 1) > 1 and team.mcast_rejoin.interval != _IGMP_PACE:
        report.warn(("mcast_rejoin",), f"bonding's interval is always {_IGMP_PACE} ms.")
    interval = team.notify_peers.interval
    if interval and found.get("num_grat_arp", 1) > 1:
        miimon = options.get("miimon", 0)
        pace = min(interval, _DELAY_MAX) // miimon * miimon if miimon else 0
        if pace:
            found["peer_notif_delay"] = pace
        if pace != interval:
            what = f"{pace} ms, a multiple of miimon" if pace else "at each look at the links"
            report.warn(("notify_peers", "interval"), f"bonding tells again {what}.")
    return found


def _members(team: TeamConfig, mode: Mode, report: Report) -> tuple[tuple[Member, ...], dict[str, Any]]:
    """The members, and the options of the bond that come from keys of ports."""
    ports = team.ports
    more: dict[str, Any] = {}
    ranked = mode == "active-backup" and len({port.prio for port in ports.values()}) > 1
    others = {name: port for name, port in ports.items() if name != _best(ports)}
    if ranked:
        more = _ranks(ports, others, report)
    elif any(port.prio for port in ports.values()):
        report.warn(("ports",), f"prio is left out: {mode} has no use for it, or all ports have the same.")
    if keys := {port.lacp_key for port in ports.values()} - {0}:
        if len(keys) == 1 and max(keys) <= _KEY_MAX and all(port.lacp_key for port in ports.values()):
            more |= {"ad_user_port_key": max(keys)} if mode == "802.3ad" else {}
        else:
            report.warn(("ports",), f"lacp_key: a bond has one for all members, up to {_KEY_MAX}; left out.")
    several = ranked and len({port.prio for port in others.values()}) > 1
    members = tuple(
        Member(name, queue_id=port.queue_id or 0, prio=port.prio if several else None)
        for name, port in ports.items()
    )
    return members, more


def _best(ports: Mapping[str, PortConfig]) -> str | None:
    """The one port with the highest ``prio``, if one is higher than all others."""
    highest = max((port.prio for port in ports.values()), default=0)
    best = [name for name, port in ports.items() if port.prio == highest]
    return best[0] if len(best) == 1 else None


def _ranks(
    ports: Mapping[str, PortConfig], others: Mapping[str, PortConfig], report: Report
) -> dict[str, Any]:
    best = _best(ports)
    sticky = [name for name, port in others.items() if port.sticky]
    more: dict[str, Any] = {"primary": best} if best else {}
    if sticky and len(sticky) == len(others):
        more["primary_reselect"] = "failure"
    elif sticky:
        what = "bonding has one rule for all members: the best takes over at once (primary_reselect always)."
        report.warn(("ports", sticky[0], "sticky"), what)
    return more
