"""Ethernet headers; scapy is the second opinion."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from pyteam.frames.ethernet import ETH_P_8021AD, ETH_P_8021Q, Frame, FrameError, Vlan, in_vlan, parse

A, B = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")

macs = st.binary(min_size=6, max_size=6)
vlans = st.builds(
    Vlan, st.integers(0, 4095), st.integers(0, 7), st.booleans(), st.sampled_from([ETH_P_8021Q, ETH_P_8021AD])
)
ethertypes = st.integers(0x0600, 0xFFFF).filter(lambda value: value not in (ETH_P_8021Q, ETH_P_8021AD))
frames = st.builds(
    Frame, macs, macs, ethertypes, st.binary(max_size=60), st.lists(vlans, max_size=3).map(tuple)
)


@given(frames)
def test_comes_back(frame: Frame) -> None:
    assert parse(frame.build()) == frame


def test_scapy_builds_the_same() -> None:
    tags = (Vlan(100, 5, True, ETH_P_8021AD), Vlan(7))
    frame = Frame(A, B, 0x1234, b"payload", tags)
    outer = Ether(dst=A.hex(":"), src=B.hex(":")) / Dot1AD(vlan=100, prio=5, dei=1)
    theirs = outer / Dot1Q(vlan=7, type=0x1234) / Raw(b"payload")
    assert frame.build() == bytes(theirs)
    assert parse(bytes(theirs)) == frame


@pytest.mark.parametrize("size", [0, 13, 14 + 1, 14 + 3, 14 + 4 + 3])
def test_cut_short(size: int) -> None:
    whole = Frame(A, B, 0x1234, b"", (Vlan(1), Vlan(2))).build()
    with pytest.raises(FrameError, match="cut short"):
        parse(whole[:size])


@given(st.binary(max_size=80))
def test_garbage(data: bytes) -> None:
    with suppress(FrameError):
        assert parse(data).build() == data


@pytest.mark.parametrize(
    "frame",
    [
        Frame(A[:5], B, 0x1234, b""),
        Frame(A, B + b"x", 0x1234, b""),
        Frame(A, B, 0x10000, b""),
        Frame(A, B, 0x1234, b"", (Vlan(4096),)),
        Frame(A, B, 0x1234, b"", (Vlan(-1),)),
        Frame(A, B, 0x1234, b"", (Vlan(1, 8),)),
    ],
)
def test_impossible_values(frame: Frame) -> None:
    with pytest.raises(FrameError):
        frame.build()


@pytest.mark.parametrize(
    ("tags", "vlan"),
    [
        ((), None),
        ((Vlan(0, priority=5),), None),
        ((Vlan(0),), 0),
        ((Vlan(7),), 7),
        ((Vlan(7, priority=5),), 7),
    ],
)
def test_a_frame_is_in_its_vlan_and_in_no_other(tags: tuple[Vlan, ...], vlan: int | None) -> None:
    assert in_vlan(tags, vlan)
    assert not in_vlan(tags, 8)
    assert not in_vlan((*tags, Vlan(7), Vlan(8)), vlan)
    assert not in_vlan((Vlan(7, protocol=ETH_P_8021AD),), 7)
    assert not in_vlan((Vlan(7),), None)


def test_a_tag_that_was_taken_off_is_the_outermost() -> None:
    frame = Frame(A, B, 0x0800, b"", (Vlan(2),))
    assert frame.behind(Vlan(1)).tags == (Vlan(1), Vlan(2))
