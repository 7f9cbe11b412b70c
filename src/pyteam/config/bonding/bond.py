"""A bond as one typed value, which is also the table of bonding's options.

Each field that is an option is written once: kind of value, what others call it, in which modes bonding
heeds it, and what a team has for it. Readers, writers, translations and the table of docs/migrating.md
are produced from it. None: not given, bonding's default counts.
"""

# Annotations are evaluated on purpose (no ``from __future__``): they are the table.

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Final, Literal, get_args

from pyteam.config.bonding.words import Address, Addresses, Interface, Kind, Number, OneOf, Switch

Mode = Literal[
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"
]
Validate = Literal["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"]
Policy = Literal["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
#: Where one member is active, or more so than others.
ONE_ACTIVE: Final[tuple[Mode, ...]] = ("active-backup", "balance-tlb", "balance-alb")
_HASHING: Final[tuple[Mode, ...]] = ("balance-xor", "802.3ad", "balance-tlb", "balance-alb")
_LACP: Final[tuple[Mode, ...]] = ("802.3ad",)
_ARP: Final[tuple[Mode, ...]] = ("balance-rr", "active-backup", "balance-xor", "broadcast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the table of options."""

    kind: Kind
    #: What a team has for it, as docs show it; empty where there is nothing.
    team: str = ""
    #: A phrase: why a team has nothing for it, or what differs.
    why: str = ""
    #: Bonding's own value where none is given.
    default: Any = None
    #: Where bonding heeds it; the kernel refuses it elsewhere if it is ``strict``.
    modes: tuple[Mode, ...] = MODES
    strict: bool = False
    #: The kernel refuses it without that option.
    needs: str = ""
    #: Other names in ifcfg files and in ``ip``.
    aliases: tuple[str, ...] = ()
    #: Empty: it is no argument of ``ip link``, or no key there.
    ip: str | None = None
    networkd: str = ""
    netplan: tuple[str, ...] = ()
    nmcli: bool = True


@dataclass(frozen=True, slots=True)
class Member:
    """An interface in the bond."""

    name: str
    queue_id: int = 0
    #: Higher is better. None: not given; older kernels do not have it.
    prio: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """One bond. ``name`` is empty while nobody has named it; ``address`` is its MAC."""

    name: str = ""
    address: str = ""
    members: tuple[Member, ...] = ()
    mode: Annotated[
        Mode, Option(kind=OneOf(words=MODES), team="runner", networkd="Mode", netplan=("mode",))
    ] = "balance-rr"
    miimon: Annotated[
        int | None,
        Option(
            kind=Number(unit="ms"),
            team="link_watch ethtool",
            why="the kernel tells of a carrier at once: there is no interval",
            default=0,
            networkd="MIIMonitorSec",
            netplan=("mii-monitor-interval",),
        ),
    ] = None
    updelay: Annotated[
        int | None,
        Option(
            kind=Number(unit="ms"),
            team="link_watch.delay_up",
            default=0,
            needs="miimon",
            networkd="UpDelaySec",
            netplan=("up-delay",),
        ),
    ] = None
    downdelay: Annotated[
        int | None,
        Option(
            kind=Number(unit="ms"),
            team="link_watch.delay_down",
            default=0,
            needs="miimon",
            networkd="DownDelaySec",
            netplan=("down-delay",),
        ),
    ] = None
    use_carrier: Annotated[
        bool | None, Option(kind=Switch(), why="the carrier is always what the driver says", default=True)
    ] = None
    arp_interval: Annotated[
        int | None,
        Option(
            kind=Number(unit="ms"),
            team="link_watch arp_ping: interval",
            default=0,
            modes=_ARP,
            strict=True,
            networkd="ARPIntervalSec",
            netplan=("arp-interval",),
        ),
    ] = None
    arp_ip_target: Annotated[
        tuple[str, ...] | None,
        Option(
            kind=Addresses(of=IPv4Address),
            team="link_watch arp_ping: target_host",
            why="one watch for each",
            default=(),
            modes=_ARP,
            needs="arp_interval",
            networkd="ARPIPTargets",
            netplan=("arp-ip-targets",),
        ),
    ] = None
    ns_ip6_target: Annotated[
        tuple[str, ...] | None,
        Option(
            kind=Addresses(of=IPv6Address),
            team="link_watch nsna_ping: target_host",
            why="one watch for each",
            default=(),
            modes=("active-backup",),
            strict=True,
            needs="arp_interval",
        ),
    ] = None
    arp_validate: Annotated[
        Validate | None,
        Option(
            kind=OneOf(words=get_args(Validate)),
            team="link_watch arp_ping: validate_active, validate_inactive, send_always",
            why="who waits must ask to be answered; only ARP ever counts, so filter adds nothing",
            default="none",
            modes=_ARP,
            strict=True,
            needs="arp_interval",
            networkd="ARPValidate",
            netplan=("arp-validate",),
        ),
    ] = None
    arp_all_targets: Annotated[
        Literal["any", "all"] | None,
        Option(
            kind=OneOf(words=("any", "all")),
            team="link_watch_policy",
            default="any",
            modes=_ARP,
            networkd="ARPAllTargets",
            netplan=("arp-all-targets",),
        ),
    ] = None
    arp_missed_max: Annotated[
        int | None,
        Option(
            kind=Number(minimum=1, maximum=255),
            team="link_watch arp_ping: missed_max",
            why="bonding's default is 2, a team's is 3",
            default=2,
            modes=_ARP,
            strict=True,
            needs="arp_interval",
            networkd="ARPMissedMax",
        ),
    ] = None
    primary: Annotated[
        str | None,
        Option(kind=Interface(), team="ports.PORT.prio", modes=ONE_ACTIVE, strict=True, netplan=("primary",)),
    ] = None
    primary_reselect: Annotated[
        Literal["always", "better", "failure"] | None,
        Option(
            kind=OneOf(words=("always", "better", "failure")),
            team="ports.PORT.sticky",
            why="failure: on each port; always: on none; better: as always, whatever the speed",
            default="always",
            modes=ONE_ACTIVE,
            networkd="PrimaryReselectPolicy",
            netplan=("primary-reselect-policy",),
        ),
    ] = None
    active_slave: Annotated[
        str | None,
        Option(
            kind=Interface(),
            why="it is state, not configuration: teamdctl TEAM state item set runner.active_port PORT",
            modes=ONE_ACTIVE,
            strict=True,
        ),
    ] = None
    fail_over_mac: Annotated[
        Literal["none", "active", "follow"] | None,
        Option(
            kind=OneOf(words=("none", "active", "follow")),
            team="runner.hwaddr_policy",
            why="none, active, follow: same_all, by_active, only_active",
            default="none",
            modes=("active-backup",),
            networkd="FailOverMACPolicy",
            netplan=("fail-over-mac-policy",),
        ),
    ] = None
    xmit_hash_policy: Annotated[
        Policy | None,
        Option(
            kind=OneOf(words=get_args(Policy)),
            team="runner.tx_hash",
            why="a team does not look into tunnels; vlan+srcmac hashes the destination's MAC too",
            default="layer2",
            modes=_HASHING,
            networkd="TransmitHashPolicy",
            netplan=("transmit-hash-policy",),
        ),
    ] = None
    lacp_rate: Annotated[
        Literal["slow", "fast"] | None,
        Option(
            kind=OneOf(words=("slow", "fast")),
            team="runner.fast_rate",
            default="slow",
            modes=_LACP,
            strict=True,
            aliases=("ad_lacp_rate",),
            networkd="LACPTransmitRate",
            netplan=("lacp-rate",),
        ),
    ] = None
    lacp_active: Annotated[
        bool | None,
        Option(
            kind=Switch(),
            team="runner.active",
            default=True,
            modes=_LACP,
            strict=True,
            aliases=("ad_lacp_active",),
        ),
    ] = None
    coupled_control: Annotated[
        bool | None,
        Option(
            kind=Switch(),
            team="runner.independent_control",
            why="the other way round",
            default=True,
            modes=_LACP,
            strict=True,
        ),
    ] = None
    ad_select: Annotated[
        Literal["stable", "bandwidth", "count"] | None,
        Option(
            kind=OneOf(words=("stable", "bandwidth", "count")),
            team="runner.agg_select_policy",
            why="stable: bandwidth; an aggregator is left for a better one at once",
            default="stable",
            modes=_LACP,
            networkd="AdSelect",
            netplan=("ad-select",),
        ),
    ] = None
    ad_actor_sys_prio: Annotated[
        int | None,
        Option(
            kind=Number(minimum=1, maximum=65535),
            team="runner.sys_prio",
            default=65535,
            modes=_LACP,
            strict=True,
            networkd="AdActorSystemPriority",
        ),
    ] = None
    ad_user_port_key: Annotated[
        int | None,
        Option(
            kind=Number(maximum=1023),
            team="ports.PORT.lacp_key",
            why="with runner.key speed: bonding adds speed and duplex to it",
            default=0,
            modes=_LACP,
            strict=True,
            networkd="AdUserPortKey",
        ),
    ] = None
    ad_actor_system: Annotated[
        str | None,
        Option(
            kind=Address(),
            why="a team speaks as its own MAC: set hwaddr",
            modes=_LACP,
            strict=True,
            networkd="AdActorSystem",
        ),
    ] = None
    min_links: Annotated[
        int | None,
        Option(
            kind=Number(),
            team="runner.min_ports",
            default=0,
            modes=_LACP,
            networkd="MinLinks",
            netplan=("min-links",),
        ),
    ] = None
    num_grat_arp: Annotated[
        int | None,
        Option(
            kind=Number(maximum=255),
            team="notify_peers.count",
            default=1,
            modes=ONE_ACTIVE,
            aliases=("num_unsol_na", "num_peer_notif"),
            networkd="GratuitousARP",
            netplan=("gratuitous-arp", "gratuitious-arp"),
        ),
    ] = None
    peer_notif_delay: Annotated[
        int | None,
        Option(
            kind=Number(maximum=300_000, unit="ms"),
            team="notify_peers.interval",
            default=0,
            modes=ONE_ACTIVE,
            needs="miimon",
            aliases=("peer_notify_delay",),
            ip="peer_notify_delay",
        ),
    ] = None
    resend_igmp: Annotated[
        int | None,
        Option(
            kind=Number(maximum=255),
            team="mcast_rejoin.count",
            why="mcast_rejoin.interval is always 200 ms",
            default=1,
            modes=("balance-rr", *ONE_ACTIVE),
            networkd="ResendIGMP",
            netplan=("resend-igmp",),
        ),
    ] = None
    tlb_dynamic_lb: Annotated[
        bool | None,
        Option(
            kind=Switch(),
            team="runner.tx_balancer",
            default=True,
            modes=("balance-tlb", "balance-alb"),
            strict=True,
            networkd="DynamicTransmitLoadBalancing",
        ),
    ] = None
    packets_per_slave: Annotated[
        int | None,
        Option(
            kind=Number(maximum=65535),
            team="runner.name",
            why="0: the runner random; more than 1: each packet takes the next port all the same",
            default=1,
            modes=("balance-rr",),
            strict=True,
            networkd="PacketsPerSlave",
            netplan=("packets-per-member", "packets-per-slave"),
        ),
    ] = None
    all_slaves_active: Annotated[
        bool | None,
        Option(
            kind=Switch(),
            why="what a port that does not receive is sent is dropped",
            default=False,
            networkd="AllSlavesActive",
            netplan=("all-members-active", "all-slaves-active"),
        ),
    ] = None
    lp_interval: Annotated[
        int | None,
        Option(
            kind=Number(minimum=1, unit="s"),
            why="rx_balancer has its own pace",
            default=1,
            modes=("balance-tlb", "balance-alb"),
            networkd="LearnPacketIntervalSec",
            netplan=("learn-packet-interval",),
        ),
    ] = None
    max_bonds: Annotated[
        int | None,
        Option(
            kind=Number(),
            why="it is about the kernel module, not about one bond",
            default=1,
            ip="",
            nmcli=False,
        ),
    ] = None


@cache
def options() -> Mapping[str, Option]:
    """The table: every option by bonding's name for it, in order."""
    rows = {}
    for item in fields(Bond):
        metadata = getattr(item.type, "__metadata__", ())
        if metadata:
            rows[item.name] = metadata[0]
    return rows


@cache
def known_as() -> Mapping[str, str]:
    """Bonding's name of an option by every name that it has in ifcfg files and in ``ip``."""
    return {alias: name for name, option in options().items() for alias in (name, *option.aliases)}


def given(bond: Bond) -> dict[str, Any]:
    """The options that are given, in the order of the table; the mode always is."""
    return {name: value for name in options() if (value := getattr(bond, name)) is not None}


def heeded(bond: Bond, name: str) -> bool:
    """Whether bonding does anything with the option in this mode."""
    return bond.mode in options()[name].modes
