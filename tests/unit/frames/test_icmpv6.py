"""Neighbour discovery: teamd's own solicitation, and scapy as the second opinion."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptMTU,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from pyteam.frames import ethernet, icmpv6
from pyteam.frames.ethernet import FrameError
from pyteam.frames.icmpv6 import Advertisement, parse_advertisement
from pyteam.frames.ip import checksum

MAC = bytes.fromhex("02000000000a")
OWN, OTHER, GLOBAL = "fe80::ff:fe00:a", "fe80::210:18ff:feaa:bbcc", "2001:db8::1"


def packed(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def answer(options: Any, *, destination: str = OWN, **fields: Any) -> bytes:
    header = IPv6(src=OTHER, dst=destination, hlim=fields.pop("hlim", 255))
    packet = header / ICMPv6ND_NA(**{"R": 0, "S": 1, "O": 1, "tgt": OTHER, **fields})
    return bytes(packet / options if options is not None else packet)


WITH_MAC = ICMPv6NDOptDstLLAddr(lladdr=MAC.hex(":"))


@pytest.mark.parametrize("target", [OTHER, GLOBAL])
def test_solicitation_is_what_scapy_builds(target: str) -> None:
    group = icmpv6.solicited_node_group(packed(target))
    theirs = (
        Ether(dst=(b"\x33\x33" + group[12:]).hex(":"), src=MAC.hex(":"))
        / IPv6(src=OWN, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255)
        / ICMPv6ND_NS(tgt=target)
        / ICMPv6NDOptSrcLLAddr(lladdr=MAC.hex(":"))
    )
    assert icmpv6.solicitation(MAC, packed(OWN), packed(target)) == bytes(theirs)


def test_solicitation_as_teamd_sends_it() -> None:
    frame = ethernet.parse(icmpv6.solicitation(MAC, packed(OWN), packed(OTHER)))
    assert frame.destination.hex() == "3333ffaabbcc"
    assert frame.payload[24:40] == packed("ff02::1:ffaa:bbcc")
    body = frame.payload[40:]
    assert len(body) == 32
    assert body[:2] + body[4:] == bytes.fromhex("870000000000") + packed(OTHER) + b"\x01\x01" + MAC


@pytest.mark.parametrize("router", [False, True])
def test_unsolicited_advertisement_is_what_scapy_builds(router: bool) -> None:
    theirs = (
        Ether(dst="33:33:00:00:00:01", src=MAC.hex(":"))
        / IPv6(src=GLOBAL, dst="ff02::1", hlim=255)
        / ICMPv6ND_NA(R=int(router), S=0, O=1, tgt=GLOBAL)
        / WITH_MAC
    )
    ours = icmpv6.advertisement(MAC, packed(GLOBAL), router=router)
    assert ours == bytes(theirs)
    assert parse_advertisement(ethernet.parse(ours).payload) == Advertisement(
        packed(GLOBAL), icmpv6.ALL_NODES, packed(GLOBAL), MAC, router=router, override=True
    )


@pytest.mark.parametrize(
    ("options", "mac"),
    [
        (WITH_MAC, MAC),
        (None, None),
        (ICMPv6NDOptMTU(), None),
        (ICMPv6NDOptMTU() / WITH_MAC, MAC),
        (WITH_MAC / ICMPv6NDOptDstLLAddr(lladdr="02:00:00:00:00:0b"), MAC),
    ],
)
def test_advertisement_with_options(options: Any, mac: bytes | None) -> None:
    found = parse_advertisement(answer(options) + b"padding")
    assert found == Advertisement(
        packed(OTHER), packed(OWN), packed(OTHER), mac, solicited=True, override=True
    )


@pytest.mark.parametrize(
    ("packet", "why"),
    [
        (answer(WITH_MAC, hlim=254), "hop limit 254"),
        (answer(WITH_MAC, cksum=1), "checksum"),
        (answer(WITH_MAC, code=1), "code 1"),
        (answer(WITH_MAC, tgt="ff02::1"), "target ff02"),
        (answer(WITH_MAC, destination="ff02::1"), "to a group"),
        (answer(Raw(b"\x02\x00")), "option"),
        (answer(Raw(b"\x02\x02" + MAC)), "option"),
        (answer(Raw(b"\x02")), "option"),
        (answer(WITH_MAC)[:-1], "cut short"),
        (answer(WITH_MAC)[:39], "header cut short"),
        (b"\x45" + answer(WITH_MAC)[1:], "IP version 4"),
        (bytes(IPv6(src=OTHER, dst=OWN, hlim=255) / ICMPv6ND_NS(tgt=OTHER)), "no neighbour advertisement"),
        (bytes(IPv6(src=OTHER, dst=OWN, hlim=255, nh=58)), "no neighbour advertisement"),
        (bytes(IPv6(src=OTHER, dst=OWN, hlim=255, nh=58) / Raw(b"\x88\x00")), "24 are needed"),
    ],
)
def test_refused(packet: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        parse_advertisement(packet)


@given(st.binary(max_size=80), st.integers(0, 79), st.integers(0, 255))
def test_garbage(data: bytes, position: int, value: int) -> None:
    damaged = bytearray(answer(WITH_MAC))
    damaged[position % len(damaged)] = value
    for packet in (data, bytes(damaged), answer(WITH_MAC)[:-8] + data[:8]):
        with suppress(FrameError):
            parse_advertisement(packet)


@given(st.binary(max_size=60))
def test_checksum(data: bytes) -> None:
    even = data + bytes(len(data) % 2)
    assert checksum(data) == checksum(even)
    assert checksum(even + checksum(even).to_bytes(2, "big")) == 0


def test_a_link_local_address_belongs_to_a_mac() -> None:
    # RFC 4291, appendix A: the bit that says who gave the MAC is turned over.
    assert icmpv6.link_local(MAC) == packed(OWN)
    assert icmpv6.link_local(bytes.fromhex("001018aabbcc")) == packed(OTHER)


def test_solicitation_in_a_vlan_is_what_scapy_builds() -> None:
    group = icmpv6.solicited_node_group(packed(OTHER))
    theirs = (
        Ether(dst=(b"\x33\x33" + group[12:]).hex(":"), src=MAC.hex(":"))
        / Dot1Q(vlan=7)
        / IPv6(src=OWN, dst=socket.inet_ntop(socket.AF_INET6, group), hlim=255)
        / ICMPv6ND_NS(tgt=OTHER)
        / ICMPv6NDOptSrcLLAddr(lladdr=MAC.hex(":"))
    )
    assert icmpv6.solicitation(MAC, packed(OWN), packed(OTHER), vlan=7) == bytes(theirs)
