"""Somebody at the other end of the cables, who answers what the watches ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

from pyteam.frames import arp, ethernet, icmpv6
from pyteam.frames.ethernet import ETH_P_ARP, ETH_P_IPV6, Frame
from pyteam.frames.ip import IPPROTO_ICMPV6, ipv6_packet, parse_ipv6


@dataclass
class Neighbour:
    """Has one IPv4 and one IPv6 address, in whichever VLAN it is asked; call it to ask it."""

    ipv4: str = "10.5.0.9"
    ipv6: str = "fd00::9"
    mac: bytes = bytes.fromhex("0a0000000009")
    #: Ports behind which nothing comes through, carrier or not.
    silent: set[str] = field(default_factory=set)

    def __call__(self, port: str, data: bytes) -> Iterator[bytes]:
        asked = ethernet.parse(data)
        if port in self.silent:
            return
        if asked.ethertype == ETH_P_ARP:
            request = arp.parse(asked.payload)
            if request.target_ip == ip_address(self.ipv4).packed:
                yield self.arp_reply(asked, request)
        elif asked.ethertype == ETH_P_IPV6:
            source, _, _, _, body = parse_ipv6(asked.payload)
            if body[0] == icmpv6.NEIGHBOR_SOLICITATION and body[8:24] == ip_address(self.ipv6).packed:
                yield self.advertisement(asked, source)

    def arp_reply(self, asked: Frame, request: arp.Arp) -> bytes:
        reply = arp.Arp(arp.REPLY, self.mac, request.target_ip, request.sender_mac, request.sender_ip)
        return Frame(asked.source, self.mac, ETH_P_ARP, reply.build(), asked.tags).build()

    def advertisement(self, asked: Frame, source: bytes, options: bytes | None = None) -> bytes:
        """Solicited; by default with the target's MAC."""
        target = ip_address(self.ipv6).packed
        options = bytes((2, 1)) + self.mac if options is None else options
        body = bytes((136, 0, 0, 0, 0x60, 0, 0, 0)) + target + options
        message = icmpv6.message(target, source, body)
        packet = ipv6_packet(target, source, IPPROTO_ICMPV6, 255, message)
        return Frame(asked.source, self.mac, ETH_P_IPV6, packet, asked.tags).build()
