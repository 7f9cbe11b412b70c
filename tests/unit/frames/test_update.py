"""Updates for one neighbour, against scapy; frames from which switches learn."""

from __future__ import annotations

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether

from pyteam.frames import ethernet
from pyteam.frames.update import ETH_P_LOOPBACK, arp_update, learning, na_update

OURS = bytes.fromhex("020000000001")
NEIGHBOUR = bytes.fromhex("020000000a02")
IPV4 = bytes([10, 0, 0, 1])
IPV6 = bytes.fromhex("fd000000000000000000000000000001")


@pytest.mark.parametrize("vlan", [None, 42])
def test_arp_update(vlan: int | None) -> None:
    packet = Ether(arp_update(OURS, IPV4, NEIGHBOUR, vlan=vlan))
    assert (packet.src, packet.dst) == (OURS.hex(":"), NEIGHBOUR.hex(":"))
    assert (packet[Dot1Q].vlan if vlan else None) == vlan
    arp = packet[ARP]
    assert (arp.op, arp.hwsrc, arp.psrc, arp.pdst) == (1, OURS.hex(":"), "10.0.0.1", "10.0.0.1")


@pytest.mark.parametrize("vlan", [None, 42])
@pytest.mark.parametrize("router", [False, True])
def test_na_update(router: bool, vlan: int | None) -> None:
    packet = Ether(na_update(OURS, IPV6, NEIGHBOUR, router=router, vlan=vlan))
    assert (packet.src, packet.dst) == (OURS.hex(":"), NEIGHBOUR.hex(":"))
    assert (packet[Dot1Q].vlan if vlan else None) == vlan
    assert (packet[IPv6].src, packet[IPv6].dst, packet[IPv6].hlim) == ("fd00::1", "ff02::1", 255)
    na = packet[ICMPv6ND_NA]
    assert (na.tgt, na.R, na.S, na.O) == ("fd00::1", int(router), 0, 1)
    assert packet[ICMPv6NDOptDstLLAddr].lladdr == OURS.hex(":")
    checksum = na.cksum
    del na.cksum
    assert Ether(bytes(packet))[ICMPv6ND_NA].cksum == checksum


@pytest.mark.parametrize("vlan", [None, 42])
def test_learning(vlan: int | None) -> None:
    frame = ethernet.parse(learning(OURS, vlan=vlan))
    assert (frame.source, frame.destination, frame.ethertype) == (OURS, OURS, ETH_P_LOOPBACK)
    assert [tag.identifier for tag in frame.tags] == ([] if vlan is None else [vlan])
    assert len(frame.payload) == 46
