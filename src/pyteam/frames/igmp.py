"""IGMP membership reports of versions 1 to 3 (RFC 1112, 2236, 3376): values -> bytes. Pure.

Must not know which groups are joined, or when to report them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from pyteam.frames.ethernet import ETH_P_IP, Frame, sized
from pyteam.frames.ip import IPV4_SIZE, checksum, ipv4_group_mac, ipv4_packet

ALL_HOSTS: Final = bytes((224, 0, 0, 1))
V3_ROUTERS: Final = bytes((224, 0, 0, 22))
#: IPv4 and IGMPv3 headers before the first record, and one record without sources.
V3_OVERHEAD: Final = 24 + 8
V3_RECORD_SIZE: Final = 8

_IPPROTO_IGMP: Final = 2
_REPORT_TYPES: Final = {1: 0x12, 2: 0x16}
_V3_REPORT: Final = 0x22
_CHANGE_TO_EXCLUDE: Final = 4
#: RFC 2113: routers look at the packet although it is not for them.
_ROUTER_ALERT: Final = bytes((0x94, 4, 0, 0))


def report(mac: bytes, source: bytes, group: bytes, *, version: int = 2) -> bytes:
    """The frame of version 1 or 2 that says: here is a member of ``group``. It goes to the group."""
    body = struct.pack("!BBH4s", _REPORT_TYPES[version], 0, 0, sized(group, IPV4_SIZE, "IPv4 group"))
    return _frame(mac, source, group, body)


def report_v3(mac: bytes, source: bytes, groups: Sequence[bytes]) -> bytes:
    """The frame of version 3 that joins ``groups``, from any source each."""
    records = (
        struct.pack("!BBH4s", _CHANGE_TO_EXCLUDE, 0, 0, sized(group, IPV4_SIZE, "IPv4 group"))
        for group in groups
    )
    return _frame(
        mac, source, V3_ROUTERS, struct.pack("!BBHHH", _V3_REPORT, 0, 0, 0, len(groups)) + b"".join(records)
    )


def _frame(mac: bytes, source: bytes, destination: bytes, body: bytes) -> bytes:
    summed = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    packet = ipv4_packet(source, destination, _IPPROTO_IGMP, _ROUTER_ALERT, summed)
    return Frame(ipv4_group_mac(destination), mac, ETH_P_IP, packet).build()
