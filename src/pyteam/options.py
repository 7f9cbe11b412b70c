"""The options of a team device: the kernel team driver's vocabulary, spoken by every datapath.

Source: drivers/net/team/ and include/uapi/linux/if_team.h; options of ours are marked. What an
option does to traffic is the datapaths' business; this table only names and types them, and knows
how users write a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

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
    #: A phrase without a full stop.
    meaning: str = ""


OPTIONS: Final[dict[str, OptionSpec]] = {
    spec.name: spec
    for spec in (
        OptionSpec("mode", Type.STRING, meaning="How packets are spread; set while there are no ports"),
        OptionSpec(
            "notify_peers_count",
            Type.U32,
            meaning="Announcements to peers after a port is enabled or made active",
        ),
        OptionSpec("notify_peers_interval", Type.U32, meaning="Between two of them, in ms"),
        OptionSpec(
            "mcast_rejoin_count",
            Type.U32,
            meaning="IGMP and MLD joins after a port is enabled or made active",
        ),
        OptionSpec("mcast_rejoin_interval", Type.U32, meaning="Between two of them, in ms"),
        OptionSpec(
            "enabled", Type.BOOL, Scope.PORT, meaning="Whether the port takes part; both of the next two"
        ),
        OptionSpec("rx_enabled", Type.BOOL, Scope.PORT, meaning="Whether what comes in by it is the team's"),
        OptionSpec("tx_enabled", Type.BOOL, Scope.PORT, meaning="Whether the team sends by it"),
        OptionSpec("user_linkup", Type.BOOL, Scope.PORT, meaning="What link watches say of it"),
        OptionSpec(
            "user_linkup_enabled",
            Type.BOOL,
            Scope.PORT,
            meaning="Whether that counts, rather than the carrier",
        ),
        OptionSpec("priority", Type.S32, Scope.PORT, meaning="Configured prio; higher is better"),
        OptionSpec("queue_id", Type.U32, Scope.PORT, meaning="Transmit queue that the port serves alone"),
        OptionSpec(
            "activeport",
            Type.U32,
            mode="activebackup",
            meaning="Index of the port that carries the traffic; 0: none",
        ),
        # Ours: host-order u32 ifindexes, best first; where traffic goes, in the kernel and at once,
        # when the active port cannot carry it. The kernel driver does not have it.
        OptionSpec(
            "failover_order",
            Type.BINARY,
            mode="activebackup",
            meaning="Who comes next, best first: indexes, 4 bytes each; not on the kernel's driver",
        ),
        OptionSpec(
            "bpf_hash_func",
            Type.BINARY,
            mode="loadbalance",
            meaning="Hash function in classic BPF, 8 bytes an instruction",
        ),
        # Ours: the name of a function, a zero byte, and the eBPF object file that has it. The kernel
        # driver does not have it. Setting one of the two functions takes the other away.
        OptionSpec(
            "ebpf_hash_func",
            Type.BINARY,
            mode="loadbalance",
            meaning="Hash function in eBPF: name, zero byte, object file; not on the kernel's driver",
        ),
        OptionSpec(
            "lb_tx_method",
            Type.STRING,
            mode="loadbalance",
            meaning="hash, or hash_to_port_mapping: by the table",
        ),
        OptionSpec(
            "lb_tx_hash_to_port_mapping",
            Type.U32,
            Scope.ARRAY,
            "loadbalance",
            meaning="The table: index of the port that sends what has this hash",
        ),
        OptionSpec(
            "lb_hash_stats",
            Type.BINARY,
            Scope.ARRAY,
            "loadbalance",
            writable=False,
            meaning="Bytes sent by hash, 8 bytes",
        ),
        OptionSpec(
            "lb_port_stats",
            Type.BINARY,
            Scope.PORT,
            "loadbalance",
            writable=False,
            meaning="Bytes sent by the port, 8 bytes",
        ),
        OptionSpec(
            "lb_stats_refresh_interval",
            Type.U32,
            mode="loadbalance",
            meaning="Between two readings of these counters, in tenths of a second; 0: none",
        ),
    )
}

#: Value of ``mode`` before one was set.
NO_MODE: Final = "*NOMODE*"


class OptionKey(NamedTuple):
    """Which instance of an option: per-port options carry an ifindex, array options an index.

    A tuple: comparing states is looking these up, and a cut cable waits for it.
    """

    name: str
    port: int = 0
    array_index: int = 0


_KIND: Final = {Type.U32: int, Type.STRING: str, Type.BOOL: bool, Type.BINARY: bytes, Type.S32: int}
_RANGE: Final = {Type.U32: range(2**32), Type.S32: range(-(2**31), 2**31)}
_NUMBER: Final = re.compile(r"\s*[+-]?\d+", re.ASCII)
_BYTES: Final = re.compile(r"(\\[0-9a-fA-F]{2})*")
_TRUTH: Final = {"true": True, "false": False}


def fits(value: OptionValue, type_: Type) -> bool:
    """Whether an option of this type can have the value; a bool is no number."""
    return type(value) is _KIND[type_] and (type_ not in _RANGE or value in _RANGE[type_])


def show_value(value: OptionValue) -> str:
    """As teamnl prints it, whole: numbers in decimal, ``true`` or ``false``, a byte as ``\\xx``."""
    match value:
        case bool():
            return "true" if value else "false"
        case bytes():
            return "".join(f"\\{byte:02x}" for byte in value)
    return str(value)


def parse_value(text: str, type_: Type) -> OptionValue:
    """The inverse of `show_value`. Raises ValueError, or OverflowError for a number out of range."""
    match type_:
        case Type.STRING:
            return text
        case Type.BOOL if text in _TRUTH:
            return _TRUTH[text]
        case Type.BINARY if _BYTES.fullmatch(text):
            return bytes.fromhex(text.replace("\\", ""))
        case Type.U32 | Type.S32 if _NUMBER.fullmatch(text):
            # The length first: Python refuses, and would be slow with, thousands of digits.
            digits = text.strip().lstrip("+-").lstrip("0")
            if len(digits) <= len(str(2**32)) and fits(number := int(text), type_):
                return number
            raise OverflowError(f"{text[:32]} is out of range for {type_}")
    raise ValueError(f'"{text[:32]}" is no value of type {type_}')
