"""Announcements: frames captured from Linux 6.18 itself, and scapy for everything that varies."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers import igmp, inet6
from scapy.layers.l2 import Ether

from pyteam.frames.announce import gratuitous_arp, igmp_report, mld_report, unsolicited_na
from pyteam.frames.ethernet import FrameError

MAC = bytes.fromhex("02000000000a")
IPV4 = bytes((10, 5, 0, 1))


def v6(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6, text)


def v4(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET, text)


LINK_LOCAL = v6("fe80::ff:fe00:a")

#: What the kernel sent on an interface with arp_notify and ndisc_notify, when sockets joined groups.
CAPTURED = [
    (
        [gratuitous_arp(MAC, IPV4)],
        "ffffffffffff02000000000a0806000108000604000102000000000a0a0500010000000000000a050001",
    ),
    (
        [unsolicited_na(MAC, LINK_LOCAL)],
        "33330000000102000000000a86dd6000000000203afffe80000000000000000000fffe00000a"
        "ff0200000000000000000000000000018800598020000000fe80000000000000000000fffe00000a020102000000000a",
    ),
    (
        igmp_report(MAC, IPV4, [v4("239.1.2.3")]),
        "01005e00001602000000000a080046c00028000040000102f9f30a050001e000001694040000"
        "2200e8f90000000104000000ef010203",
    ),
    (
        igmp_report(MAC, IPV4, [v4("239.1.2.4")], 2),
        "01005e01020402000000000a080046c00020000040000102e90c0a050001ef010204940400001600f8f9ef010204",
    ),
    (
        mld_report(MAC, LINK_LOCAL, [v6("ff15::1234"), v6("ff02::1:ff00:a")]),
        "33330000001602000000000a86dd6000000000380001fe80000000000000000000fffe00000a"
        "ff0200000000000000000000000000163a000502000001008f005c9600000002"
        "04000000ff15000000000000000000000000123404000000ff0200000000000000000001ff00000a",
    ),
    (
        mld_report(MAC, LINK_LOCAL, [v6("ff15::1235")], 1),
        "33330000123502000000000a86dd6000000000200001fe80000000000000000000fffe00000a"
        "ff1500000000000000000000000012353a0005020000010083005c8c00000000ff150000000000000000000000001235",
    ),
]


@pytest.mark.parametrize(
    ("frames", "captured"), CAPTURED, ids=["arp", "na", "igmp3", "igmp2", "mld2", "mld1"]
)
def test_as_the_kernel_sends_it(frames: list[bytes], captured: str) -> None:
    assert [frame.hex() for frame in frames] == [captured]


def test_group_macs_are_many_to_one() -> None:
    # RFC 1112: nine bits of an IPv4 group are not in its MAC; RFC 2464: 32 of an IPv6 one are.
    assert igmp_report(MAC, IPV4, [v4("239.129.2.4")], 2)[0][:6].hex() == "01005e010204"
    assert mld_report(MAC, LINK_LOCAL, [v6("ff05::89ab:cdef")], 1)[0][:6].hex() == "333389abcdef"


def test_igmp_version_1() -> None:
    (frame,) = igmp_report(MAC, IPV4, [v4("239.1.2.4")], 1)
    (v2,) = igmp_report(MAC, IPV4, [v4("239.1.2.4")], 2)
    assert frame[38] == 0x12
    assert frame[:38] == v2[:38]


def test_what_is_never_reported() -> None:
    assert igmp_report(MAC, IPV4, [v4("224.0.0.1")]) == []
    assert igmp_report(MAC, IPV4, [v4("224.0.0.1")], 2) == []
    for version in (1, 2):
        assert mld_report(MAC, LINK_LOCAL, [v6("ff02::1"), v6("ff01::1"), v6("ff10::5")], version) == []


def records(frame: bytes, start: int, size: int) -> list[bytes]:
    """The group addresses of a report's records; ``start`` is where its own header begins."""
    count = int.from_bytes(frame[start + 6 : start + 8], "big")
    rest = frame[start + 8 :]
    assert len(rest) == count * (4 + size)
    found = [rest[number * (4 + size) :][: 4 + size] for number in range(count)]
    assert all(record[:4] == b"\x04\0\0\0" for record in found)
    return [record[4:] for record in found]


@given(st.integers(0, 400), st.integers(40, 9000))
def test_igmp_in_frames_that_fit(count: int, mtu: int) -> None:
    groups = [v4(f"239.7.{number >> 8}.{number & 255}") for number in range(count)]
    frames = igmp_report(MAC, IPV4, groups, mtu=mtu)
    assert [group for frame in frames for group in records(frame, 14 + 24, 4)] == groups
    assert all(len(frame) - 14 <= mtu for frame in frames)
    assert len(frames) == -(-count // ((mtu - 32) // 8))


@given(st.integers(0, 400), st.integers(76, 9000))
def test_mld_in_frames_that_fit(count: int, mtu: int) -> None:
    groups = [v6(f"ff15::{number + 1:x}") for number in range(count)]
    frames = mld_report(MAC, LINK_LOCAL, groups, mtu=mtu)
    assert [group for frame in frames for group in records(frame, 14 + 48, 16)] == groups
    assert all(len(frame) - 14 <= mtu for frame in frames)
    assert len(frames) == -(-count // ((mtu - 56) // 20))


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_scapy_computes_the_same_checksums(number: int, source: int) -> None:
    # Version 2 needs no record parser, so that scapy rebuilds all of it from its fields.
    group4 = b"\xef" + number.to_bytes(4, "big")[1:]
    group6 = b"\xff\x05" + number.to_bytes(4, "big") * 3 + b"\0\1"
    frames = igmp_report(MAC, source.to_bytes(4, "big"), [group4], 2)
    frames += mld_report(MAC, LINK_LOCAL[:12] + source.to_bytes(4, "big"), [group6], 1)
    for frame, report in zip(frames, (igmp.IGMP, inet6.ICMPv6MLReport), strict=True):
        packet = Ether(frame)
        assert report in packet
        for layer in packet.iterpayloads():
            layer.fields.pop("chksum", None)
            layer.fields.pop("cksum", None)
        packet.clear_cache()
        assert bytes(packet) == frame


@pytest.mark.parametrize("mtu", [0, 39])
def test_mtu_too_small(mtu: int) -> None:
    with pytest.raises(FrameError, match="MTU"):
        igmp_report(MAC, IPV4, [v4("239.1.2.3")], mtu=mtu)
    with pytest.raises(FrameError, match="MTU"):
        mld_report(MAC, LINK_LOCAL, [v6("ff15::1")], mtu=mtu)


def test_wrong_sizes() -> None:
    calls: list[Callable[[], bytes]] = [
        lambda: gratuitous_arp(MAC, LINK_LOCAL),
        lambda: gratuitous_arp(b"", IPV4),
        lambda: unsolicited_na(MAC, IPV4),
        lambda: unsolicited_na(b"", LINK_LOCAL),
    ]
    for call in calls:
        with pytest.raises(FrameError):
            call()
    for version in (1, 2, 3):
        with pytest.raises(FrameError):
            igmp_report(MAC, IPV4, [b"239"], version)
        with pytest.raises(FrameError):
            igmp_report(MAC, LINK_LOCAL, [v4("239.1.2.3")], version)
    for version in (1, 2):
        with pytest.raises(FrameError):
            mld_report(MAC, LINK_LOCAL, [b""], version)
        with pytest.raises(FrameError):
            mld_report(MAC, IPV4, [v6("ff15::1")], version)
