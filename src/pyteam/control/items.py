"""The state items: the one table of what can be asked of a team's state, and what it means.

A path is as users write it, where ``PORT`` stands for a port's name, ``N`` for a number, ``MAC`` for a
neighbour, ``COUNTER`` for the name of a counter. How a value is found is `state`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

INT: Final = "integer"
BOOL: Final = "true or false"
TEXT: Final = "text"


class Item(NamedTuple):
    """One row. ``of``: which runners or link watches have it, as users know them; empty for all."""

    path: str
    type: str
    #: A phrase without a full stop.
    meaning: str
    of: str = ""
    settable: bool = False


def _interface(where: str, whose: str) -> tuple[Item, ...]:
    return (
        Item(f"{where}.ifinfo.ifindex", INT, f"Index of {whose}"),
        Item(f"{where}.ifinfo.ifname", TEXT, f"Name of {whose}"),
        Item(f"{where}.ifinfo.dev_addr", TEXT, f"MAC of {whose} now"),
        Item(f"{where}.ifinfo.dev_addr_len", INT, "Bytes of that MAC"),
    )


def _lacpdu(end: str, whose: str) -> tuple[Item, ...]:
    where = f"ports.PORT.runner.{end}_lacpdu_info"
    return (
        Item(f"{where}.system_priority", INT, f"System priority of {whose}", "lacp"),
        Item(f"{where}.system", TEXT, f"System of {whose}, a MAC", "lacp"),
        Item(f"{where}.key", INT, f"Key of {whose}", "lacp"),
        Item(f"{where}.port_priority", INT, f"Port priority of {whose}", "lacp"),
        Item(f"{where}.port", INT, f"Port number of {whose}", "lacp"),
        Item(f"{where}.state", INT, f"State byte of {whose}", "lacp"),
    )


_WATCH: Final = "ports.PORT.link_watches.list.link_watch_N"
_BALANCED: Final = "loadbalance with rx_balancer"
_PROBES: Final = "arp_ping, nsna_ping"

#: In the order in which people are told of them.
ITEMS: Final[tuple[Item, ...]] = (
    Item("setup.runner_name", TEXT, "Name of the runner"),
    Item("setup.kernel_team_mode_name", TEXT, "Mode of the datapath"),
    Item("setup.datapath", TEXT, "What moves the packets: kernel or ebpf"),
    Item("setup.dbus_enabled", BOOL, "Whether D-Bus is served"),
    Item("setup.zmq_enabled", BOOL, "Whether ZeroMQ is served"),
    Item("setup.debug_level", INT, "The higher, the more is logged", settable=True),
    Item("setup.daemonized", BOOL, "Whether the daemon runs in the background"),
    Item("setup.pid", INT, "Process id of the daemon"),
    Item("setup.pid_file", TEXT, "File that holds it"),
    *_interface("team_device", "the team device"),
    Item("runner.active_port", TEXT, "The port that carries the traffic; empty: none", "activebackup", True),
    Item("runner.active", BOOL, "Whether LACPDUs are sent unasked", "lacp", True),
    Item("runner.fast_rate", BOOL, "Whether the partner is asked for a LACPDU each second", "lacp", True),
    Item("runner.sys_prio", INT, "System priority", "lacp", True),
    Item("runner.select_policy", TEXT, "What makes one aggregator better than another", "lacp", True),
    Item("runner.selected_aggregator", INT, "Aggregator that carries the traffic; 0: none", "lacp"),
    Item("runner.min_ports", INT, "Ports in use below which carrier is off", "lacp", True),
    Item("runner.max_active_ports", INT, "Ports in use at once; 0: as many as there are", "lacp", True),
    Item("runner.fallback", BOOL, "Whether a port is used without a partner", "lacp", True),
    Item("runner.independent_control", BOOL, "Whether receiving begins before sending", "lacp"),
    Item("runner.retry_count", INT, "LACPDUs in a row that may be missed", "lacp", True),
    Item("runner.rx_balancer.name", TEXT, "How what comes in is spread", _BALANCED),
    Item("runner.rx_balancer.primary", TEXT, "Port whose MAC is the team's", _BALANCED),
    Item("runner.rx_balancer.neighbours", INT, "Neighbours that are told", _BALANCED),
    Item("runner.rx_balancer.moves", INT, "Neighbours moved so far", _BALANCED),
    *_interface("ports.PORT", "the port"),
    Item("ports.PORT.link.up", BOOL, "Whether there is carrier"),
    Item("ports.PORT.link.speed", INT, "Speed in Mb/s; -1: unknown"),
    Item("ports.PORT.link.duplex", TEXT, "Duplex: full or half"),
    Item("ports.PORT.link_watches.up", BOOL, "What the link watches say together"),
    Item(f"{_WATCH}.name", TEXT, "Kind of the link watch"),
    Item(f"{_WATCH}.up", BOOL, "What this link watch says"),
    Item(f"{_WATCH}.down_count", INT, "How often it went down"),
    Item(f"{_WATCH}.delay_up", INT, "Carrier must last this long to count, in ms", "ethtool"),
    Item(f"{_WATCH}.delay_down", INT, "Carrier must be gone this long to count, in ms", "ethtool"),
    Item(f"{_WATCH}.source_host", TEXT, "Address that asks", "arp_ping"),
    Item(f"{_WATCH}.target_host", TEXT, "Address that is asked for; a name while it has none", _PROBES),
    Item(f"{_WATCH}.interval", INT, "Between two questions, in ms", _PROBES),
    Item(f"{_WATCH}.init_wait", INT, "Before the first question, in ms", _PROBES),
    Item(f"{_WATCH}.missed", INT, "Questions in a row without an answer", _PROBES),
    Item(f"{_WATCH}.missed_max", INT, "As many are tolerated", _PROBES),
    Item(f"{_WATCH}.validate_active", BOOL, "With traffic, only a matching reply counts", "arp_ping"),
    Item(f"{_WATCH}.validate_inactive", BOOL, "Without traffic, only a matching reply counts", "arp_ping"),
    Item(f"{_WATCH}.send_always", BOOL, "Whether ports without traffic ask, too", _PROBES),
    Item(f"{_WATCH}.vlanid", INT, "VLAN in which it asks; absent: untagged", _PROBES),
    Item(f"{_WATCH}.problem", TEXT, "Why a host name has no address; absent: it has one", _PROBES),
    Item(f"{_WATCH}.tipc_bearer", TEXT, "Bearer whose links are watched", "tipc"),
    Item("ports.PORT.runner.entries", INT, "Entries of the hash table that name the port", "loadbalance"),
    Item("ports.PORT.runner.weight", INT, "Share of what is sent", "loadbalance"),
    Item("ports.PORT.runner.rx_neighbours.count", INT, "Neighbours that send to it", _BALANCED),
    Item("ports.PORT.runner.rx_neighbours.list.MAC.uses", TEXT, "Port that it sends to", _BALANCED),
    Item("ports.PORT.runner.rx_neighbours.list.MAC.rx_bytes", INT, "Bytes from it", _BALANCED),
    Item("ports.PORT.runner.selected", BOOL, "Whether it belongs to an aggregator", "lacp"),
    Item("ports.PORT.runner.aggregator.id", INT, "Index of the aggregator's first port; 0: none", "lacp"),
    Item(
        "ports.PORT.runner.aggregator.selected",
        BOOL,
        "Whether that aggregator carries the traffic",
        "lacp",
        True,
    ),
    Item(
        "ports.PORT.runner.state",
        TEXT,
        "Of the partner: current, expired, defaulted, disabled",
        "lacp",
    ),
    Item("ports.PORT.runner.key", INT, "Configured key", "lacp", True),
    Item("ports.PORT.runner.prio", INT, "Configured port priority", "lacp", True),
    Item("ports.PORT.runner.why_not", TEXT, "Why the port is not used; empty: it is", "lacp"),
    Item("ports.PORT.runner.role", TEXT, "Within its aggregator: selected, standby or unselected", "lacp"),
    Item("ports.PORT.runner.mux_state", TEXT, "How far it is on its way into use", "lacp"),
    Item("ports.PORT.runner.collecting", BOOL, "Whether what comes in by it is the team's", "lacp"),
    Item("ports.PORT.runner.distributing", BOOL, "Whether the team sends by it", "lacp"),
    Item("ports.PORT.runner.fallback", BOOL, "Whether it is in use without a partner", "lacp"),
    Item("ports.PORT.runner.actor_churn", BOOL, "Whether this end is not in sync for long", "lacp"),
    Item("ports.PORT.runner.partner_churn", BOOL, "Whether the other end is not in sync for long", "lacp"),
    Item("ports.PORT.runner.partner_retry_count", INT, "LACPDUs that the other end may miss", "lacp"),
    Item("ports.PORT.runner.last_received", INT, "Since the last LACPDU came, in ms; -1: none did", "lacp"),
    Item("ports.PORT.runner.last_sent", INT, "Since the last LACPDU left, in ms; -1: none did", "lacp"),
    Item("ports.PORT.runner.counters.COUNTER", INT, "Frames of LACP so far, by kind", "lacp"),
    *_lacpdu("actor", "this end"),
    *_lacpdu("partner", "the other end"),
    Item(
        "ports.PORT.statistics.COUNTER",
        INT,
        "Counter: rx_packets, tx_packets, rx_bytes or tx_bytes",
    ),
)

_STANDS_FOR: Final = {"PORT": r'[^"]+', "N": r"\d+", "MAC": r"[0-9a-f:]{17}(@\d+)?", "COUNTER": r"\w+"}
#: Most rows are out of the question at once.
_BY_LAST_KEY: Final[dict[str, list[Item]]] = {}
for _item in ITEMS:
    _BY_LAST_KEY.setdefault(_item.path.rpartition(".")[2], []).append(_item)


@cache
def pattern(item: Item) -> re.Pattern[str]:
    """What the paths of an item look like."""
    text = re.escape(item.path)
    return re.compile(re.sub(r"PORT|MAC|COUNTER|N$|N(?=\\)", lambda found: _STANDS_FOR[found[0]], text))


def find(path: str) -> Item | None:
    """The row of a path with names in it."""
    last = path.rpartition(".")[2]
    rows = (*_BY_LAST_KEY.get(last, ()), *_BY_LAST_KEY["COUNTER"])
    return next((item for item in rows if pattern(item).fullmatch(path)), None)


def leaves(state: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every item of a state, as a path that `state.get_item` takes, and its value."""
    for key, value in state.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}.")
        else:
            yield path, value
