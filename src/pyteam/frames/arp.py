"""ARP for IPv4 on Ethernet (RFC 826, RFC 5227): bytes <-> values. Pure.

Must not know who is asked, or what an answer proves: that is a link watch's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from pyteam.frames.ethernet import (
    BROADCAST,
    ETH_P_ARP,
    ETH_P_IP,
    MAC_SIZE,
    Frame,
    FrameError,
    Vlan,
    ranged,
    sized,
)

REQUEST: Final = 1
REPLY: Final = 2

_ARPHRD_ETHER: Final = 1
_HEADER: Final = struct.Struct("!HHBBH")
SIZE: Final = _HEADER.size + 2 * (MAC_SIZE + 4)


@dataclass(frozen=True, slots=True)
class Arp:
    """One ARP message. IP addresses are 4 bytes."""

    operation: int
    sender_mac: bytes
    sender_ip: bytes
    target_mac: bytes
    target_ip: bytes

    def build(self) -> bytes:
        return b"".join(
            (
                _HEADER.pack(
                    _ARPHRD_ETHER, ETH_P_IP, MAC_SIZE, 4, ranged(self.operation, 0xFFFF, "ARP opcode")
                ),
                sized(self.sender_mac, MAC_SIZE, "ARP sender MAC"),
                sized(self.sender_ip, 4, "ARP sender IP"),
                sized(self.target_mac, MAC_SIZE, "ARP target MAC"),
                sized(self.target_ip, 4, "ARP target IP"),
            )
        )


def parse(payload: bytes) -> Arp:
    """The payload of an ETH_P_ARP frame; padding behind it is ignored. Raises `FrameError`."""
    if len(payload) < SIZE:
        raise FrameError(f"ARP message of {len(payload)} bytes, {SIZE} are needed")
    hardware, protocol, mac_size, ip_size, operation = _HEADER.unpack_from(payload)
    if (hardware, protocol, mac_size, ip_size) != (_ARPHRD_ETHER, ETH_P_IP, MAC_SIZE, 4):
        raise FrameError(f"ARP for hardware {hardware}, protocol {protocol:#x}: not IPv4 on Ethernet")
    return Arp(operation, payload[8:14], payload[14:18], payload[18:24], payload[24:28])


def probe(mac: bytes, source: bytes, target: bytes, *, vlan: int | None = None) -> bytes:
    """The frame with which teamd asks for ``target``; ``source`` 0.0.0.0 makes it an ARP probe.

    The target MAC is broadcast, too, as teamd sends it; RFC 826 does not care.
    """
    return Frame(
        BROADCAST,
        mac,
        ETH_P_ARP,
        Arp(REQUEST, mac, source, BROADCAST, target).build(),
        () if vlan is None else (Vlan(vlan),),
    ).build()
