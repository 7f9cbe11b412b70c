"""The options of a team device: the kernel team driver's vocabulary, spoken by every datapath.

Source: drivers/net/team/ and include/uapi/linux/if_team.h; one option of ours is marked. What an
option does to traffic is the datapaths' business; this table only names and types them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OptionValue = int | bool | str | bytes


class Type(StrEnum):
    """Type of an option's value; the comment gives the netlink attribute type."""

    U32 = "u32"  # NLA_U32, 3
    STRING = "string"  # NLA_STRING, 5
    BOOL = "bool"  # NLA_FLAG, 6
    BINARY = "binary"  # NLA_BINARY, 11
    S32 = "s32"  # NLA_S32, 14


class Scope(StrEnum):
    """What one instance of an option belongs to."""

    TEAM = "team"
    PORT = "port"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One row of the table. ``mode``: exists only in that mode, empty for all."""

    name: str
    type: Type
    scope: Scope = Scope.TEAM
    mode: str = ""
    writable: bool = True


OPTIONS: Final[dict[str, OptionSpec]] = {
    spec.name: spec
    for spec in (
        OptionSpec("mode", Type.STRING),
        OptionSpec("notify_peers_count", Type.U32),
        OptionSpec("notify_peers_interval", Type.U32),
        OptionSpec("mcast_rejoin_count", Type.U32),
        OptionSpec("mcast_rejoin_interval", Type.U32),
        OptionSpec("enabled", Type.BOOL, Scope.PORT),
        OptionSpec("rx_enabled", Type.BOOL, Scope.PORT),
        OptionSpec("tx_enabled", Type.BOOL, Scope.PORT),
        OptionSpec("user_linkup", Type.BOOL, Scope.PORT),
        OptionSpec("user_linkup_enabled", Type.BOOL, Scope.PORT),
        OptionSpec("priority", Type.S32, Scope.PORT),
        OptionSpec("queue_id", Type.U32, Scope.PORT),
        OptionSpec("activeport", Type.U32, mode="activebackup"),
        # Ours: host-order u32 ifindexes, best first; where traffic goes, in the kernel and at once,
        # when the active port cannot carry it. The kernel driver does not have it.
        OptionSpec("failover_order", Type.BINARY, mode="activebackup"),
        OptionSpec("bpf_hash_func", Type.BINARY, mode="loadbalance"),
        OptionSpec("lb_tx_method", Type.STRING, mode="loadbalance"),
        OptionSpec("lb_tx_hash_to_port_mapping", Type.U32, Scope.ARRAY, "loadbalance"),
        OptionSpec("lb_hash_stats", Type.BINARY, Scope.ARRAY, "loadbalance", writable=False),
        OptionSpec("lb_port_stats", Type.BINARY, Scope.PORT, "loadbalance", writable=False),
        OptionSpec("lb_stats_refresh_interval", Type.U32, mode="loadbalance"),
    )
}

#: Value of ``mode`` before one was set.
NO_MODE: Final = "*NOMODE*"


@dataclass(frozen=True, slots=True, order=True)
class OptionKey:
    """Which instance of an option: per-port options carry an ifindex, array options an index."""

    name: str
    port: int = 0
    index: int = 0
