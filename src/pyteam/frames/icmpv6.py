"""Neighbour discovery (RFC 4861): solicitations out, advertisements out and in. Pure.

Must not know why a neighbour is asked. Addresses are 16 bytes, MACs 6.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pyteam.frames.ethernet import ETH_P_IPV6, MAC_SIZE, Frame, FrameError, Vlan, sized
from pyteam.frames.ip import (
    IPPROTO_ICMPV6,
    IPV6_SIZE,
    checksum,
    ipv6_group_mac,
    ipv6_packet,
    parse_ipv6,
)

NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
ALL_NODES: Final = bytes.fromhex("ff020000000000000000000000000001")
#: fe80::/64.
LINK_LOCAL: Final = bytes.fromhex("fe80000000000000")
#: RFC 4861, 7.1: a packet with another one came through a router, and is not believed.
HOP_LIMIT: Final = 255

_OPTION_SOURCE_MAC: Final = 1
_OPTION_TARGET_MAC: Final = 2
#: Flag bits of an advertisement.
_ROUTER: Final = 0x80000000
_SOLICITED: Final = 0x40000000
_OVERRIDE: Final = 0x20000000

#: type, code, checksum, flags, target.
_NEIGHBOR: Final = struct.Struct("!BBHI16s")


@dataclass(frozen=True, slots=True)
class Advertisement:
    """A neighbour advertisement; ``mac`` None: it does not tell the target's."""

    source: bytes
    destination: bytes
    target: bytes
    mac: bytes | None
    router: bool = False
    solicited: bool = False
    override: bool = False


def solicited_node_group(address: bytes) -> bytes:
    """The group that the owner of ``address`` listens to (RFC 4291, 2.7.1)."""
    return bytes.fromhex("ff0200000000000000000001ff") + sized(address, IPV6_SIZE, "IPv6 address")[13:]


def message(source: bytes, destination: bytes, body: bytes) -> bytes:
    """``body``, an ICMPv6 message whose checksum field is 0, with its checksum."""
    total = checksum(_pseudo_header(source, destination, len(body)) + body)
    return body[:2] + total.to_bytes(2, "big") + body[4:]


def link_local(mac: bytes) -> bytes:
    """The link-local address that belongs to a MAC (RFC 4291, appendix A; RFC 2464)."""
    sized(mac, MAC_SIZE, "MAC")
    return LINK_LOCAL + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def solicitation(mac: bytes, source: bytes, target: bytes, *, vlan: int | None = None) -> bytes:
    """The frame that asks for ``target``, which is in the network of ``source``."""
    destination = solicited_node_group(target)
    return _frame(mac, source, destination, NEIGHBOR_SOLICITATION, 0, target, _OPTION_SOURCE_MAC, vlan)


def advertisement(mac: bytes, address: bytes, *, router: bool = False) -> bytes:
    """The frame that tells all nodes, unasked, that ``address`` is at ``mac`` from now on."""
    flags = _OVERRIDE | (_ROUTER if router else 0)
    return _frame(mac, address, ALL_NODES, NEIGHBOR_ADVERTISEMENT, flags, address, _OPTION_TARGET_MAC)


def parse_advertisement(packet: bytes) -> Advertisement:
    """The payload of an ETH_P_IPV6 frame. Raises `FrameError` for everything that RFC 4861, 7.1.2
    wants ignored, and for an advertisement behind extension headers."""
    source, destination, next_header, hops, body = parse_ipv6(packet)
    if next_header != IPPROTO_ICMPV6 or not body or body[0] != NEIGHBOR_ADVERTISEMENT:
        raise FrameError("no neighbour advertisement")
    if hops != HOP_LIMIT:
        raise FrameError(f"neighbour advertisement with hop limit {hops}: it comes from another network")
    if len(body) < _NEIGHBOR.size:
        raise FrameError(f"neighbour advertisement of {len(body)} bytes, {_NEIGHBOR.size} are needed")
    if checksum(_pseudo_header(source, destination, len(body)) + body):
        raise FrameError("neighbour advertisement with a wrong checksum")
    _, code, _, flags, target = _NEIGHBOR.unpack_from(body)
    if code or target[0] == 0xFF:
        raise FrameError(f"neighbour advertisement with code {code} and target {target.hex()}")
    if destination[0] == 0xFF and flags & _SOLICITED:
        raise FrameError("solicited neighbour advertisement to a group")
    return Advertisement(
        source=source,
        destination=destination,
        target=target,
        mac=_target_mac(body[_NEIGHBOR.size :]),
        router=bool(flags & _ROUTER),
        solicited=bool(flags & _SOLICITED),
        override=bool(flags & _OVERRIDE),
    )


def _target_mac(options: bytes) -> bytes | None:
    found: bytes | None = None
    while options:
        # The length counts units of eight bytes, this header included.
        if len(options) < 2 or not 0 < 8 * options[1] <= len(options):
            raise FrameError("neighbour advertisement with an option of a wrong length")
        if options[0] == _OPTION_TARGET_MAC and options[1] == 1 and found is None:
            found = options[2 : 2 + MAC_SIZE]
        options = options[8 * options[1] :]
    return found


def _frame(
    mac: bytes,
    source: bytes,
    destination: bytes,
    kind: int,
    flags: int,
    target: bytes,
    option: int,
    vlan: int | None = None,
) -> bytes:
    body = _NEIGHBOR.pack(kind, 0, 0, flags, sized(target, IPV6_SIZE, "IPv6 target"))
    body += bytes((option, 1)) + sized(mac, MAC_SIZE, "MAC")
    packet = ipv6_packet(source, destination, IPPROTO_ICMPV6, HOP_LIMIT, message(source, destination, body))
    tags = () if vlan is None else (Vlan(vlan),)
    return Frame(ipv6_group_mac(destination), mac, ETH_P_IPV6, packet, tags).build()


def _pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    return struct.pack(
        "!16s16sI3xB",
        sized(source, IPV6_SIZE, "IPv6 source"),
        sized(destination, IPV6_SIZE, "IPv6 destination"),
        length,
        IPPROTO_ICMPV6,
    )
