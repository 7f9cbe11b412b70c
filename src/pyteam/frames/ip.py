"""What the protocols on top of IP share: checksum, headers, group addresses. Pure."""

from __future__ import annotations

import struct
from typing import Final

from pyteam.frames.ethernet import FrameError, sized

IPV4_SIZE: Final = 4
IPV6_SIZE: Final = 16
IPPROTO_ICMPV6: Final = 58

_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_IPV6: Final = struct.Struct("!IHBB16s16s")
_DONT_FRAGMENT: Final = 0x4000
#: Internetwork control (RFC 791): what the kernel gives to IGMP.
_TOS_CONTROL: Final = 0xC0


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of ``data``; 0 when ``data`` holds a right one."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_packet(source: bytes, destination: bytes, protocol: int, options: bytes, payload: bytes) -> bytes:
    """An IPv4 packet of time to live 1. ``options`` are a multiple of four bytes."""
    header_size = _IPV4.size + len(options)

    def header(sum_: int) -> bytes:
        fields = _IPV4.pack(
            0x40 | header_size // 4,
            _TOS_CONTROL,
            header_size + len(payload),
            0,
            _DONT_FRAGMENT,
            1,
            protocol,
            sum_,
            sized(source, IPV4_SIZE, "IPv4 source"),
            sized(destination, IPV4_SIZE, "IPv4 destination"),
        )
        return fields + options

    return header(checksum(header(0))) + payload


def ipv6_packet(source: bytes, destination: bytes, next_header: int, hops: int, payload: bytes) -> bytes:
    return (
        _IPV6.pack(
            6 << 28,
            len(payload),
            next_header,
            hops,
            sized(source, IPV6_SIZE, "IPv6 source"),
            sized(destination, IPV6_SIZE, "IPv6 destination"),
        )
        + payload
    )


def parse_ipv6(packet: bytes) -> tuple[bytes, bytes, int, int, bytes]:
    """Source, destination, next header, hop limit and payload without padding. Raises `FrameError`."""
    if len(packet) < _IPV6.size:
        raise FrameError(f"IPv6 header cut short: {len(packet)} of {_IPV6.size} bytes")
    first, length, next_header, hops, source, destination = _IPV6.unpack_from(packet)
    if first >> 28 != 6:
        raise FrameError(f"IP version {first >> 28} in an IPv6 packet")
    if len(packet) < _IPV6.size + length:
        raise FrameError(f"IPv6 packet cut short: {len(packet) - _IPV6.size} of {length} bytes")
    return source, destination, next_header, hops, packet[_IPV6.size : _IPV6.size + length]


def ipv4_group_mac(group: bytes) -> bytes:
    """The MAC of an IPv4 group: RFC 1112, its low 23 bits."""
    sized(group, IPV4_SIZE, "IPv4 group")
    return bytes((0x01, 0x00, 0x5E, group[1] & 0x7F, group[2], group[3]))


def ipv6_group_mac(group: bytes) -> bytes:
    """The MAC of an IPv6 group: RFC 2464, its low 32 bits."""
    return b"\x33\x33" + sized(group, IPV6_SIZE, "IPv6 group")[12:]
