"""ARP: teamd's own probe on the wire, and scapy as the second opinion."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import ARP

from pyteam.frames import arp, ethernet
from pyteam.frames.arp import Arp
from pyteam.frames.ethernet import FrameError

MAC = bytes.fromhex("0200000000a0")
TARGET = bytes((10, 5, 0, 9))

macs = st.binary(min_size=6, max_size=6)
addresses = st.binary(min_size=4, max_size=4)
messages = st.builds(Arp, st.integers(0, 0xFFFF), macs, addresses, macs, addresses)


def test_probe_as_teamd_sends_it() -> None:
    # Captured from teamd 1.31.
    captured = "ffffffffffff0200000000a0080600010800060400010200000000a000000000ffffffffffff0a050009"
    assert arp.probe(MAC, bytes(4), TARGET).hex() == captured


def test_probe_in_a_vlan() -> None:
    frame = ethernet.parse(arp.probe(MAC, bytes(4), TARGET, vlan=7))
    assert frame.tags == (ethernet.Vlan(7),)
    assert frame.ethertype == ethernet.ETH_P_ARP
    assert arp.parse(frame.payload).target_ip == TARGET


@given(messages, st.binary(max_size=20))
def test_comes_back_from_behind_padding(message: Arp, padding: bytes) -> None:
    assert arp.parse(message.build() + padding) == message


def test_scapy_builds_the_same() -> None:
    other = bytes.fromhex("0200000000b0")
    theirs = ARP(op=2, hwsrc=MAC.hex(":"), psrc="10.5.0.1", hwdst=other.hex(":"), pdst="10.5.0.9")
    ours = Arp(arp.REPLY, MAC, bytes((10, 5, 0, 1)), other, TARGET)
    assert ours.build() == bytes(theirs)
    assert arp.parse(bytes(theirs)) == ours


@pytest.mark.parametrize(("offset", "value"), [(1, 6), (2, 9), (4, 8), (5, 16)])
def test_other_hardware_or_protocol(offset: int, value: int) -> None:
    data = bytearray(Arp(1, MAC, TARGET, MAC, TARGET).build())
    data[offset] = value
    with pytest.raises(FrameError, match="not IPv4 on Ethernet"):
        arp.parse(bytes(data))


def test_cut_short() -> None:
    data = Arp(1, MAC, TARGET, MAC, TARGET).build()
    assert len(data) == 28
    with pytest.raises(FrameError, match="28 are needed"):
        arp.parse(data[:-1])


@given(st.binary(max_size=40))
def test_garbage(data: bytes) -> None:
    with suppress(FrameError):
        arp.parse(data)


@pytest.mark.parametrize(
    "message",
    [Arp(1 << 16, MAC, TARGET, MAC, TARGET), Arp(1, b"", TARGET, MAC, TARGET), Arp(1, MAC, MAC, MAC, TARGET)],
)
def test_impossible_values(message: Arp) -> None:
    with pytest.raises(FrameError):
        message.build()
