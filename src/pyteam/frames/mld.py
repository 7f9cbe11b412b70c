"""MLD listener reports of versions 1 and 2 (RFC 2710, 3810): values -> bytes. Pure.

Must not know which groups are joined, or when to report them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from pyteam.frames.ethernet import ETH_P_IPV6, Frame, sized
from pyteam.frames.icmpv6 import message
from pyteam.frames.ip import IPPROTO_ICMPV6, IPV6_SIZE, ipv6_group_mac, ipv6_packet

V2_ROUTERS: Final = bytes.fromhex("ff020000000000000000000000000016")
#: IPv6, hop-by-hop and MLDv2 headers before the first record, and one record without sources.
V2_OVERHEAD: Final = 40 + 8 + 8
V2_RECORD_SIZE: Final = 20

_V1_REPORT: Final = 131
_V2_REPORT: Final = 143
_CHANGE_TO_EXCLUDE: Final = 4
#: Hop-by-hop header: ICMPv6 follows; router alert for MLD (RFC 2711), padding.
_HOP_BY_HOP: Final = bytes((IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0))


def report(mac: bytes, source: bytes, group: bytes) -> bytes:
    """The frame of version 1 that says: here is a listener to ``group``. It goes to the group."""
    return _frame(
        mac,
        source,
        group,
        struct.pack("!BBHHH16s", _V1_REPORT, 0, 0, 0, 0, sized(group, IPV6_SIZE, "IPv6 group")),
    )


def report_v2(mac: bytes, source: bytes, groups: Sequence[bytes]) -> bytes:
    """The frame of version 2 that joins ``groups``, from any source each."""
    records = (
        struct.pack("!BBH16s", _CHANGE_TO_EXCLUDE, 0, 0, sized(group, IPV6_SIZE, "IPv6 group"))
        for group in groups
    )
    return _frame(
        mac, source, V2_ROUTERS, struct.pack("!BBHHH", _V2_REPORT, 0, 0, 0, len(groups)) + b"".join(records)
    )


def _frame(mac: bytes, source: bytes, destination: bytes, body: bytes) -> bytes:
    # RFC 3810, 5: a hop limit of 1, and the option that makes routers listen. Next header 0 is it.
    packet = ipv6_packet(source, destination, 0, 1, _HOP_BY_HOP + message(source, destination, body))
    return Frame(ipv6_group_mac(destination), mac, ETH_P_IPV6, packet).build()
