"""The typed configuration, which is also the table of all keys of teamd.conf.

Each field is one key, written once: type, default, range, unit, meaning. Reading, error messages,
JSON schema and the manual are produced from it. Whether a runner or a watch can be run by this
version is not decided here.
"""

# Annotations are evaluated on purpose (no ``from __future__``): they are the table.

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pyteam.config import extensions
from pyteam.config.fields import (
    INT_MIN,
    Boolean,
    Choice,
    Excluded,
    HardwareAddress,
    Integer,
    InterfaceName,
    Text,
)
from pyteam.config.hashing import Program, WordsOrFunction
from pyteam.config.records import ByName, OneOrMany, Section, Variant

HwaddrPolicy = Literal["same_all", "by_active", "only_active"]
SelectPolicy = Literal["lacp_prio", "lacp_prio_stable", "bandwidth", "count", "port_config"]
KeyChoice = Literal["port", "speed"]
WatchPolicy = Literal["any", "all"]
Fragment = Literal["eth", "vlan", "ipv4", "ipv6", "ip", "l3", "tcp", "udp", "sctp", "l4"]
DatapathChoice = Literal["auto", "kernel", "ebpf"]
ReceiverChoice = Literal["auto", "veth"]
BasicName = Literal["broadcast", "roundrobin", "random"]

_UINT16_MAX = 65535
_RUNNER = "How packets are spread over the ports"
_WATCH = "How the link of a port is judged"
_POLICY_REFUSAL = 'Only "any" or "all" are allowed but {found} found in config.'


@dataclass(frozen=True, slots=True)
class EthtoolWatch:
    """A port is up while its carrier is."""

    name: Annotated[Literal["ethtool"], Choice(meaning=_WATCH)] = "ethtool"
    delay_up: Annotated[int, Integer(unit="ms", meaning="Carrier must last this long to count as up")] = 0
    delay_down: Annotated[
        int, Integer(unit="ms", meaning="Carrier must be gone this long to count as down")
    ] = 0


_Interval = Annotated[int, Integer(unit="ms", meaning="Between two probes; 0: only one is ever sent")]
_InitWait = Annotated[int, Integer(unit="ms", meaning="Before the first probe")]
_MissedMax = Annotated[int, Integer(meaning="Unanswered probes that are tolerated before the port is down")]
_SendAlways = Annotated[bool, Boolean(meaning="Probe also on ports that carry no traffic")]
_VlanId = Annotated[int | None, Integer(maximum=4095, meaning="VLAN in which to probe; untagged when absent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArpPingWatch:
    """A port is up while ARP traffic, such as answers to our requests, arrives on it."""

    name: Annotated[Literal["arp_ping"], Choice(meaning=_WATCH)] = "arp_ping"
    target_host: Annotated[str, Text(meaning="IPv4 address or host name that is asked for")]
    source_host: Annotated[
        str, Text(meaning="IPv4 address or host name that asks; 0.0.0.0 makes an ARP probe")
    ] = "0.0.0.0"
    interval: _Interval = 1000
    init_wait: _InitWait = 0
    missed_max: _MissedMax = 3
    validate_active: Annotated[
        bool, Boolean(meaning="On a port that carries traffic, only a matching reply counts")
    ] = False
    validate_inactive: Annotated[
        bool, Boolean(meaning="On a port that carries no traffic, only a matching reply counts")
    ] = False
    send_always: _SendAlways = False
    vlanid: _VlanId = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NsnaPingWatch:
    """A port is up while IPv6 neighbour advertisements answer our solicitations."""

    name: Annotated[Literal["nsna_ping"], Choice(meaning=_WATCH)] = "nsna_ping"
    target_host: Annotated[str, Text(meaning="IPv6 address or host name that is asked for")]
    interval: _Interval = 1000
    init_wait: _InitWait = 0
    missed_max: _MissedMax = 3
    send_always: _SendAlways = False
    vlanid: _VlanId = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TipcWatch:
    """A port is up while a TIPC link over it is."""

    name: Annotated[Literal["tipc"], Choice(meaning=_WATCH)] = "tipc"
    # TIPC_MAX_BEARER_NAME is 32 with its zero (linux/tipc.h).
    tipc_bearer: Annotated[str, Text(longest=31, meaning="Bearer whose links are watched")]


LinkWatchConfig = EthtoolWatch | ArpPingWatch | NsnaPingWatch | TipcWatch

_WATCHES = OneOrMany(
    meaning="Watches of the link; their results are combined by link_watch_policy",
    of=Variant(
        meaning="One watch",
        of=(EthtoolWatch, ArpPingWatch, NsnaPingWatch, TipcWatch),
        group=extensions.LINK_WATCHES,
        nameless="Failed to get link watch name.",
        unknown="No link_watch named {found} available.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerKeys:
    """Keys that every runner has."""

    addr: Annotated[str | None, Text(meaning="ZeroMQ endpoint on which methods are served")] = None


@dataclass(frozen=True, slots=True)
class BasicRunner(RunnerKeys):
    """A runner without keys of its own."""

    name: Annotated[BasicName, Choice(meaning=_RUNNER)] = "roundrobin"


@dataclass(frozen=True, slots=True)
class ActiveBackupRunner(RunnerKeys):
    """One port carries the traffic, the others wait."""

    name: Annotated[Literal["activebackup"], Choice(meaning=_RUNNER)] = "activebackup"
    hwaddr_policy: Annotated[
        HwaddrPolicy,
        Choice(
            refusal='Unknown "hwaddr_policy" named {found} passed.',
            meaning="Who has the team's MAC: every port, the active port as its own, or only the active port",
        ),
    ] = "same_all"
    rx_balancer: Annotated[
        None,
        Excluded(
            why="One port receives everything in activebackup: there is nothing to balance. "
            "Use the runner loadbalance.",
            meaning="Not with this runner",
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class TxBalancer:
    """Moves flows between ports by load. ``name`` None: it is off."""

    name: Annotated[
        Literal["basic"] | None,
        Choice(
            refusal="No tx_balancer named {found} available.",
            lenient=True,
            meaning="Balancer to use; none when absent",
        ),
    ] = None
    balancing_interval: Annotated[
        int, Integer(unit="tenths of a second", meaning="Between two rebalancings")
    ] = 50


@dataclass(frozen=True, slots=True)
class HashFunction:
    """A hash function of the user's own, given in one of three ways. 32 bits; the kernel folds them to 8."""

    #: As the kernel takes it: an array of struct sock_filter.
    bpf: Annotated[bytes | None, Program(meaning="A program in classic BPF")] = None
    bpf_file: Annotated[str | None, Text(meaning="File with the text that tcpdump -ddd prints")] = None
    ebpf_file: Annotated[str | None, Text(meaning="eBPF object file; for the eBPF datapath")] = None
    function: Annotated[str | None, Text(meaning="Name of the function in the eBPF object file")] = None


@dataclass(frozen=True, slots=True)
class EbpfFunction:
    """What an object file is in the end; not a key, and not read here."""

    name: bytes
    code: bytes


_TxHash = Annotated[
    tuple[Fragment, ...] | HashFunction | EbpfFunction,
    WordsOrFunction(
        of=HashFunction,
        unknown="Hash frag named {found} not found.",
        meaning="What of a packet chooses its port; order and repetition do not matter",
    ),
]
_Balancer = Annotated[TxBalancer, Section(of=TxBalancer, meaning="Balancing by load")]


@dataclass(frozen=True, slots=True)
class RxBalancer:
    """Tells each neighbour the MAC of one port. ``name`` None: it is off."""

    name: Annotated[
        Literal["arp"] | None,
        Choice(
            refusal="No rx_balancer named {found} available.",
            meaning="How what comes in is spread; arp: by ARP and IPv6 neighbour discovery. Off when absent",
        ),
    ] = None


DEFAULT_TX_HASH: tuple[Fragment, ...] = ("eth", "ipv4", "ipv6")


@dataclass(frozen=True, slots=True)
class LoadBalanceRunner(RunnerKeys):
    """A hash of each packet chooses its port."""

    name: Annotated[Literal["loadbalance"], Choice(meaning=_RUNNER)] = "loadbalance"
    tx_hash: _TxHash = DEFAULT_TX_HASH
    tx_balancer: _Balancer = TxBalancer()
    rx_balancer: Annotated[
        RxBalancer, Section(of=RxBalancer, meaning="Spreading what comes in, without help of the switch")
    ] = RxBalancer()


@dataclass(frozen=True, slots=True)
class LacpRunner(RunnerKeys):
    """802.1AX LACP decides which ports aggregate; a hash of each packet chooses among them."""

    name: Annotated[Literal["lacp"], Choice(meaning=_RUNNER)] = "lacp"
    tx_hash: _TxHash = DEFAULT_TX_HASH
    tx_balancer: _Balancer = TxBalancer()
    active: Annotated[bool, Boolean(meaning="Send LACPDUs even if the partner does not (LACP_Activity)")] = (
        True
    )
    sys_prio: Annotated[int, Integer(maximum=_UINT16_MAX, meaning="System priority; lower is better")] = (
        _UINT16_MAX
    )
    fast_rate: Annotated[
        bool, Boolean(meaning="Ask the partner for a LACPDU each second instead of every 30 (LACP_Timeout)")
    ] = False
    min_ports: Annotated[
        int, Integer(minimum=1, maximum=1024, meaning="Ports in use below which carrier is off")
    ] = 1
    agg_select_policy: Annotated[
        SelectPolicy,
        Choice(
            refusal='Unknown "agg_select_policy" named {found} passed.',
            meaning="What makes one aggregator better than another",
        ),
    ] = "lacp_prio"
    max_active_ports: Annotated[
        int, Integer(maximum=65535, meaning="Ports in use at once, the others wait; 0: as many as there are")
    ] = 0
    key: Annotated[
        KeyChoice,
        Choice(meaning="Actor key of a port: its lacp_key, or (speed) that with its speed and duplex in it"),
    ] = "port"
    fallback: Annotated[
        bool, Boolean(meaning="While no partner answers on any port, use the best port without one")
    ] = False
    independent_control: Annotated[
        bool,
        Boolean(
            meaning="Receive on a port before the partner does and send once it does, where the datapath can"
        ),
    ] = False
    enable_retry_count: Annotated[
        bool, Boolean(meaning="Take part in agreeing on another number of LACPDUs that may be missed")
    ] = True
    retry_count: Annotated[
        int, Integer(minimum=3, maximum=255, meaning="LACPDUs in a row that may be missed")
    ] = 3


RunnerConfig = BasicRunner | ActiveBackupRunner | LoadBalanceRunner | LacpRunner


@dataclass(frozen=True, slots=True)
class Burst:
    """How often and how fast something is announced. None: as the datapath has it, that is 0."""

    count: Annotated[int | None, Integer(meaning="Announcements after a port is enabled or made active")] = (
        None
    )
    interval: Annotated[int | None, Integer(unit="ms", meaning="Between two announcements")] = None


@dataclass(frozen=True, slots=True)
class PortConfig:
    """One port."""

    queue_id: Annotated[
        int | None, Integer(meaning="Transmit queue of the team that this port serves alone")
    ] = None
    prio: Annotated[int, Integer(minimum=INT_MIN, meaning="Priority among the ports; higher is better")] = 0
    sticky: Annotated[bool, Boolean(meaning="While it is active and up, no better port takes over")] = False
    lacp_prio: Annotated[int, Integer(maximum=_UINT16_MAX, meaning="LACP port priority; lower is better")] = (
        255
    )
    lacp_key: Annotated[
        int, Integer(maximum=_UINT16_MAX, meaning="LACP actor key; only ports with equal keys aggregate")
    ] = 0
    weight: Annotated[
        int,
        Integer(minimum=1, meaning="Share of what is sent, in proportion to the weights of the other ports"),
    ] = 1
    link_watch: Annotated[tuple[LinkWatchConfig, ...], _WATCHES] = ()
    link_watch_policy: Annotated[
        WatchPolicy | None,
        Choice(refusal=_POLICY_REFUSAL, meaning="As of the team, for this port; the team's when absent"),
    ] = None


@dataclass(frozen=True, slots=True)
class TeamConfig:
    """One team device. ``device`` is empty while nobody has named it."""

    schema: Annotated[
        str | None, Text(key="$schema", meaning="Where the JSON Schema is, for editors; not used here")
    ] = None
    device: Annotated[str, InterfaceName(meaning="Name of the team device")] = ""
    debug_level: Annotated[
        int, Integer(meaning="The higher, the more is logged; the command line can only raise it")
    ] = 0
    hwaddr: Annotated[
        bytes | None, HardwareAddress(meaning="MAC of the team device; the first port's when absent")
    ] = None
    link_watch_policy: Annotated[
        WatchPolicy,
        Choice(
            refusal=_POLICY_REFUSAL,
            meaning="A port with several watches is up when any, or all, of them say so",
        ),
    ] = "any"
    runner: Annotated[
        RunnerConfig,
        Variant(
            of=(BasicRunner, ActiveBackupRunner, LoadBalanceRunner, LacpRunner),
            group=extensions.RUNNERS,
            unknown="No runner named {found} available.",
            default="roundrobin",
            meaning=_RUNNER,
        ),
    ] = BasicRunner()
    notify_peers: Annotated[
        Burst, Section(of=Burst, meaning="Gratuitous ARP and unsolicited neighbour advertisements")
    ] = Burst()
    mcast_rejoin: Annotated[Burst, Section(of=Burst, meaning="IGMP and MLD joins, sent again")] = Burst()
    link_watch: Annotated[tuple[LinkWatchConfig, ...], _WATCHES] = ()
    ports: Annotated[
        Mapping[str, PortConfig],
        ByName(
            names=InterfaceName(meaning="Name of a port"),
            of=Section(of=PortConfig, meaning="One port"),
            meaning="Interfaces that become ports, and how",
        ),
    ] = field(default_factory=dict)
    datapath: Annotated[
        DatapathChoice,
        Choice(meaning="What moves the packets; auto: the kernel driver if there is one"),
    ] = "auto"
    receiver: Annotated[
        ReceiverChoice,
        Choice(meaning="What the team device is made of on the ebpf datapath"),
    ] = "auto"
