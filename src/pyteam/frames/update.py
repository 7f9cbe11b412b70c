"""What a single neighbour is told of our address, and how a switch is shown where a MAC is. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pyteam.frames import ethernet
from pyteam.frames.announce import gratuitous_arp, unsolicited_na
from pyteam.frames.ethernet import MAC_SIZE, Frame, Vlan, sized

#: The configuration test protocol of Ethernet 2: no host answers what is in here.
ETH_P_LOOPBACK: Final = 0x9000
_SMALLEST: Final = 46


def arp_update(mac: bytes, ipv4: bytes, neighbour: bytes, *, vlan: int | None = None) -> bytes:
    """Tells the station ``neighbour`` alone that ``ipv4`` is at ``mac``.

    As an announcement (RFC 5227, 3: a request for the own address): of these Linux believes
    also one that comes less than a second after the last news.
    """
    return _to(gratuitous_arp(mac, ipv4), neighbour, vlan)


def na_update(
    mac: bytes, ipv6: bytes, neighbour: bytes, *, router: bool = False, vlan: int | None = None
) -> bytes:
    """The same for IPv6: to all nodes, but in a frame to one of them (RFC 6085).

    ``router`` must be what the neighbour knows us as: else it would take us off its routers
    (RFC 4861, 7.2.5).
    """
    return _to(unsolicited_na(mac, ipv6, router=router), neighbour, vlan)


def learning(mac: bytes, *, vlan: int | None = None) -> bytes:
    """From ``mac`` to ``mac``: a switch learns where that is, and sends it to nobody."""
    tags = () if vlan is None else (Vlan(vlan),)
    return Frame(sized(mac, MAC_SIZE, "MAC"), mac, ETH_P_LOOPBACK, bytes(_SMALLEST), tags).build()


def _to(frame: bytes, neighbour: bytes, vlan: int | None) -> bytes:
    parsed = ethernet.parse(frame)
    tags = () if vlan is None else (Vlan(vlan),)
    return replace(parsed, destination=neighbour, tags=tags).build()
