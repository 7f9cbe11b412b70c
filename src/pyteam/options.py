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
        # Ours: the name of a function, a zero byte, and the eBPF object file that has it. The kernel
        # driver does not have it. Setting one of the two functions takes the other away.
        OptionSpec("ebpf_hash_func", Type.BINARY, mode="loadbalance"),
        OptionSpec("lb_tx_method", Type.STRING, mode="loadbalance"),
        OptionSpec("lb_tx_hash_to_port_mapping", Type.U32, Scope.ARRAY, "loadbalance"),
        OptionSpec("lb_hash_stats", Type.BINARY, Scope.ARRAY, "loadbalance", writable=False),
        OptionSpec("lb_port_stats", Type.BINARY, Scope.PORT, "loadbalance", writable=False),
        OptionSpec("lb_stats_refresh_interval", Type.U32, mode="loadbalance"),
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
