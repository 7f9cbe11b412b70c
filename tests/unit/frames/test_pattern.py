"""The kernel's filter: it and the watches must want the same frames. A small interpreter is the oracle."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyteam.frames import arp, icmpv6
from pyteam.frames.arp import Arp
from pyteam.frames.ethernet import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_SLOW, Frame, Vlan, in_vlan
from pyteam.frames.ip import IPPROTO_ICMPV6, ipv6_packet
from pyteam.frames.pattern import AdvertisementPattern, ArpPattern, Pattern, SlowPattern, program
from pyteam.frames.slow import SLOW_PROTOCOLS

OURS = bytes.fromhex("0200000000a0")
THEIRS = bytes.fromhex("0200000000b0")
TARGET, SOURCE = bytes((10, 5, 0, 9)), bytes((10, 5, 0, 1))
TARGET6, SOURCE6 = bytes.fromhex("fd00" + 13 * "00" + "09"), icmpv6.link_local(OURS)
#: What the kernel calls them (linux/if_packet.h).
HOST, OUTGOING = 0, 4
AD = 0xFFFFF000


def passes(patterns: list[Pattern], frame: Frame, *, kind: int = HOST) -> bool:
    """Run the filter as a kernel without JIT would, on a frame as it shows it to a tap."""
    tag = frame.tags[0] if frame.tags else None
    inner = replace(frame, tags=frame.tags[1:])
    data = inner.build()
    beside = {
        0: inner.tags[0].protocol if inner.tags else frame.ethertype,
        4: kind,
        44: (tag.identifier | tag.priority << 13) if tag else 0,
        48: int(tag is not None),
        60: tag.protocol if tag else 0,
    }
    code: list[tuple[int, int, int, int]] = list(struct.iter_unpack("=HBBI", program(patterns)))
    at = accumulator = 0
    while True:
        operation, yes, no, operand = code[at]
        at += 1
        match operation:
            case 0x20 | 0x28 | 0x30 if operand >= AD:
                accumulator = beside[operand - AD]
            case 0x20 | 0x28 | 0x30:
                size = {0x20: 4, 0x28: 2, 0x30: 1}[operation]
                if operand + size > len(data):
                    return False
                accumulator = int.from_bytes(data[operand : operand + size])
            case 0x54:
                accumulator &= operand
            case 0x15:
                at += yes if accumulator == operand else no
            case 0x05:
                at += operand
            case 0x06:
                return bool(operand)
            case _:
                raise AssertionError(f"operation {operation:#x}")


def arp_frame(message: Arp, *tags: Vlan, source: bytes = THEIRS) -> Frame:
    return Frame(OURS, source, ETH_P_ARP, message.build(), tags)


def na(
    target: bytes = TARGET6, *tags: Vlan, source: bytes = THEIRS, hops: int = 255, kind: int = 136
) -> Frame:
    body = bytes((kind, 0, 0, 0, 0x60, 0, 0, 0)) + target + b"\2\1" + source
    packet = ipv6_packet(target, SOURCE6, IPPROTO_ICMPV6, hops, icmpv6.message(target, SOURCE6, body))
    return Frame(OURS, source, ETH_P_IPV6, packet, tags)


REPLY = Arp(arp.REPLY, THEIRS, TARGET, OURS, SOURCE)
OWN_MACS = frozenset({OURS, bytes.fromhex("0200000000a1")})
MACS = st.sampled_from([OURS, THEIRS, bytes.fromhex("0200000000a1"), bytes.fromhex("0200000100a0")])
IPS = st.sampled_from([TARGET, SOURCE, bytes(4)])
VLANS = st.sampled_from([None, 0, 7, 4095])
TAGS = st.lists(
    st.builds(
        Vlan,
        st.sampled_from([0, 7, 4095]),
        st.sampled_from([0, 5]),
        protocol=st.sampled_from([0x8100, 0x88A8]),
    ),
    max_size=2,
).map(tuple)
MESSAGES = st.builds(Arp, st.integers(0, 3), MACS, IPS, MACS, IPS)


@given(MESSAGES, TAGS, MACS, VLANS, st.booleans(), st.binary(max_size=4))
@example(REPLY, (), THEIRS, None, True, b"")
@example(REPLY, (Vlan(7),), THEIRS, 7, True, b"")
def test_of_arp_exactly_what_is_wanted_comes_in(
    message: Arp, tags: tuple[Vlan, ...], source: bytes, vlan: int | None, validates: bool, padding: bytes
) -> None:
    wanted = in_vlan(tags, vlan) and message.operation in (arp.REQUEST, arp.REPLY)
    wanted = wanted and not {source, message.sender_mac} & OWN_MACS
    pattern = ArpPattern(vlan, not_from=OWN_MACS)
    if validates:
        pattern = replace(pattern, sender=TARGET, target=SOURCE)
        wanted = wanted and message.operation == arp.REPLY
        wanted = wanted and (message.sender_ip, message.target_ip) == (TARGET, SOURCE)
    frame = arp_frame(message, *tags, source=source)
    frame = replace(frame, payload=frame.payload + padding)
    assert passes([pattern], frame) is wanted
    assert not passes([pattern], frame, kind=OUTGOING)


@given(
    TAGS, MACS, VLANS, st.sampled_from([TARGET6, SOURCE6]), st.sampled_from([254, 255]), st.integers(135, 137)
)
@example((), THEIRS, None, TARGET6, 255, 136)
def test_of_advertisements_those_of_the_target_come_in(
    tags: tuple[Vlan, ...], source: bytes, vlan: int | None, target: bytes, hops: int, kind: int
) -> None:
    wanted = in_vlan(tags, vlan) and source not in OWN_MACS
    wanted = wanted and (target, hops, kind) == (TARGET6, 255, 136)
    pattern = AdvertisementPattern(TARGET6, vlan, OWN_MACS)
    frame = na(target, *tags, source=source, hops=hops, kind=kind)
    assert passes([pattern], frame) is wanted
    assert not passes([pattern], frame, kind=OUTGOING)


@pytest.mark.parametrize(("offset", "value"), [(1, 6), (2, 9), (4, 8), (5, 16), (7, 3)])
def test_of_other_hardware_nothing_comes_in(offset: int, value: int) -> None:
    payload = bytearray(REPLY.build())
    payload[offset] = value
    assert not passes([ArpPattern()], replace(arp_frame(REPLY), payload=bytes(payload)))


def test_nothing_that_is_cut_short_comes_in() -> None:
    whole = arp_frame(REPLY)
    pattern = ArpPattern(sender=TARGET, target=SOURCE)
    assert passes([pattern], whole)
    for length in range(len(whole.payload)):
        assert not passes([pattern], replace(whole, payload=whole.payload[:length]))


@given(
    st.integers(0, 0xFFFF).filter(lambda value: value not in (ETH_P_ARP, 0x8100, 0x88A8)),
    st.binary(max_size=80),
)
def test_data_does_not_come_in(ethertype: int, payload: bytes) -> None:
    patterns: list[Pattern] = [ArpPattern(), AdvertisementPattern(TARGET6)]
    assert not passes(patterns, Frame(OURS, THEIRS, ethertype, payload))


def test_data_costs_a_few_steps() -> None:
    """Load the protocol, and it is not the one: behind that the filter may be as long as it likes."""
    short = [(0x20, 0, 0, AD), (0x15, 1, 0, ETH_P_ARP)]
    code = list(struct.iter_unpack("=HBBI", program([ArpPattern(not_from=frozenset(map(mac, range(200))))])))
    assert code[:2] == short
    at = 2 + 1 + code[2][3]
    assert code[at:] == [(0x06, 0, 0, 0)]
    assert len(code) < 4096


def test_slow_protocols_come_in_untagged_from_their_group() -> None:
    pdu = Frame(SLOW_PROTOCOLS, THEIRS, ETH_P_SLOW, bytes([1, 1]) + bytes(108))
    assert passes([SlowPattern()], pdu)
    assert passes([SlowPattern(), ArpPattern()], pdu)
    assert not passes([SlowPattern()], pdu, kind=OUTGOING)
    assert not passes([SlowPattern()], replace(pdu, tags=(Vlan(7),)))
    assert not passes([SlowPattern()], replace(pdu, destination=SLOW_PROTOCOLS[:5] + b"\3"))
    assert not passes([SlowPattern()], replace(pdu, ethertype=ETH_P_IP))
    assert not passes([ArpPattern()], pdu)


def test_several_patterns_take_what_any_of_them_takes() -> None:
    patterns: list[Pattern] = [
        ArpPattern(7),
        ArpPattern(None, TARGET, SOURCE),
        AdvertisementPattern(TARGET6),
        AdvertisementPattern(SOURCE6),
    ]
    for frame in (arp_frame(REPLY), arp_frame(REPLY, Vlan(7)), na(), na(SOURCE6)):
        assert passes(patterns, frame)
    other = replace(REPLY, sender_ip=SOURCE)
    for frame in (arp_frame(other), arp_frame(REPLY, Vlan(8)), na(bytes(15) + b"\1")):
        assert not passes(patterns, frame)
    assert program(patterns) == program(patterns[::-1])


def test_no_pattern_takes_nothing() -> None:
    for frame in (arp_frame(REPLY), na(), Frame(OURS, THEIRS, ETH_P_IP, bytes(40))):
        assert not passes([], frame)


def mac(number: int) -> bytes:
    return b"\2\0" + number.to_bytes(4)
