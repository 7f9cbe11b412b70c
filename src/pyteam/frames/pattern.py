"""Which frames somebody wants to hear, and the classic BPF program with which the kernel picks them. Pure.

A packet socket that is bound to a port hears every frame of it, so what does not matter must wake nobody:
data is refused after three instructions, a storm of what nobody asked for after a few more. The program
sees frames as a `SOCK_RAW` socket does; the kernel has taken the outermost VLAN tag off and keeps it aside.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pyteam.frames.arp import REPLY, REQUEST
from pyteam.frames.ethernet import ETH_P_8021Q, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ETH_P_SLOW
from pyteam.frames.icmpv6 import HOP_LIMIT, NEIGHBOR_ADVERTISEMENT
from pyteam.frames.ip import IPPROTO_ICMPV6
from pyteam.frames.slow import SLOW_PROTOCOLS


@dataclass(frozen=True, slots=True)
class ArpPattern:
    """ARP of IPv4 on Ethernet. ``sender`` and ``target``: only replies of the one IP to the other.

    ``vlan`` as in `pyteam.frames.ethernet.in_vlan`. No MAC in ``not_from`` has sent it.
    """

    vlan: int | None = None
    sender: bytes | None = None
    target: bytes | None = None
    not_from: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class AdvertisementPattern:
    """Neighbour advertisements for one address. Checksum and options are left to who reads them."""

    target: bytes
    vlan: int | None = None
    not_from: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class SlowPattern:
    """Slow protocols (IEEE 802.3, annex 57A), untagged, as `pyteam.frames.slow.is_slow` has them."""


Pattern = ArpPattern | AdvertisementPattern | SlowPattern

# BPF_LD | BPF_ABS, BPF_ALU | BPF_AND, BPF_JMP | BPF_JEQ, BPF_JMP | BPF_JA, BPF_RET (linux/bpf_common.h).
_LOAD: Final = {4: 0x20, 2: 0x28, 1: 0x30}
_AND: Final = 0x54
_EQUAL: Final = 0x15
_JUMP: Final = 0x05
_RETURN: Final = 0x06

#: What the kernel knows beside the bytes: SKF_AD_OFF + SKF_AD_* (linux/filter.h).
_AD: Final = 0x100000000 - 0x1000
_PROTOCOL: Final = _AD
_PACKET_TYPE: Final = _AD + 4
_TAG: Final = _AD + 44
_TAG_PRESENT: Final = _AD + 48
_TAG_PROTOCOL: Final = _AD + 60

_OUTGOING: Final = 4  # PACKET_OUTGOING, linux/if_packet.h
_VID: Final = 0xFFF
_WHOLE: Final = 0x40000

#: Offsets in a frame.
_SOURCE: Final = 6
_PAYLOAD: Final = 14
_ICMPV6: Final = _PAYLOAD + 40

#: One `struct sock_filter`: code, steps ahead if true and if false, operand.
Instruction = tuple[int, int, int, int]
_SOCK_FILTER: Final = struct.Struct("=HBBI")
#: Stands for a jump to the end of the alternative that it is in.
_FAIL: Final[Instruction] = (_JUMP, 0, 0, 0)


def program(patterns: Iterable[Pattern]) -> bytes:
    """Lets pass what fits one of the patterns and came in; the same patterns are the same program."""
    known = sorted(patterns, key=repr)
    arp = [code for pattern in known if isinstance(pattern, ArpPattern) for code in _arp(pattern)]
    ipv6 = [code for pattern in known if isinstance(pattern, AdvertisementPattern) for code in _na(pattern)]
    slow = [code for pattern in known if isinstance(pattern, SlowPattern) for code in _slow()]
    found = [(_LOAD[4], 0, 0, _PROTOCOL)]
    for protocol, code in ((ETH_P_ARP, arp), (ETH_P_IPV6, ipv6), (ETH_P_SLOW, slow)):
        if not code:
            # Each costs every data frame two steps.
            continue
        found += [(_EQUAL, 1, 0, protocol), (_JUMP, 0, 0, len(code)), *code]
    found.append((_RETURN, 0, 0, 0))
    return b"".join(_SOCK_FILTER.pack(*instruction) for instruction in found)


def _arp(pattern: ArpPattern) -> list[Instruction]:
    test = [
        *_came_in(pattern.vlan),
        *_is(_PAYLOAD, 4, 0x00010000 | ETH_P_IP),  # ARPHRD_ETHER
        *_is(_PAYLOAD + 4, 2, 0x0604),  # sizes of the addresses
        *_is(_PAYLOAD + 6, 2, REPLY, *(() if pattern.sender else (REQUEST,))),
    ]
    if pattern.sender is not None:
        test += _are(_PAYLOAD + 14, pattern.sender)
    if pattern.target is not None:
        test += _are(_PAYLOAD + 24, pattern.target)
    return _alternative(
        [*test, *_is_none(_SOURCE, pattern.not_from), *_is_none(_PAYLOAD + 8, pattern.not_from)]
    )


def _na(pattern: AdvertisementPattern) -> list[Instruction]:
    return _alternative(
        [
            *_is(_PAYLOAD + 6, 2, IPPROTO_ICMPV6 << 8 | HOP_LIMIT),
            *_came_in(pattern.vlan),
            *_is(_ICMPV6, 2, NEIGHBOR_ADVERTISEMENT << 8),
            *_are(_ICMPV6 + 8, pattern.target),
            *_is_none(_SOURCE, pattern.not_from),
        ]
    )


def _slow() -> list[Instruction]:
    group = [*_are(0, SLOW_PROTOCOLS[:4]), *_is(4, 2, int.from_bytes(SLOW_PROTOCOLS[4:]))]
    return _alternative([*_came_in(None), *group, *_is(12, 2, ETH_P_SLOW)])


def _alternative(test: list[Instruction]) -> list[Instruction]:
    """Accepts what passes the test; everything else goes on behind it."""
    code = [*test, (_RETURN, 0, 0, _WHOLE)]
    return [(_JUMP, 0, 0, len(code) - at - 1) if step is _FAIL else step for at, step in enumerate(code)]


def _is(offset: int, size: int, *values: int) -> Iterator[Instruction]:
    """The field has one of the values."""
    yield _LOAD[size], 0, 0, offset
    for left, value in zip(range(len(values), 0, -1), values, strict=True):
        yield _EQUAL, left, 0, value
    yield _FAIL


def _are(offset: int, value: bytes) -> Iterator[Instruction]:
    """There are these bytes, a multiple of four."""
    for at in range(0, len(value), 4):
        yield from _is(offset + at, 4, int.from_bytes(value[at : at + 4]))


def _is_none(offset: int, macs: Iterable[bytes]) -> Iterator[Instruction]:
    """The MAC is none of these."""
    for mac in sorted(macs):
        yield _LOAD[4], 0, 0, offset
        yield _EQUAL, 0, 3, int.from_bytes(mac[:4])
        yield _LOAD[2], 0, 0, offset + 4
        yield _EQUAL, 0, 1, int.from_bytes(mac[4:])
        yield _FAIL


def _came_in(vlan: int | None) -> Iterator[Instruction]:
    """In this VLAN; a frame that goes out is shown to sockets, too."""
    yield _LOAD[4], 0, 0, _PACKET_TYPE
    yield _EQUAL, 0, 1, _OUTGOING
    yield _FAIL
    yield _LOAD[4], 0, 0, _TAG_PRESENT
    if vlan is None:
        # No tag is as good as one that is only a priority.
        yield _EQUAL, 4, 0, 0
    else:
        yield _EQUAL, 1, 0, 1
        yield _FAIL
        yield from _is(_TAG_PROTOCOL, 4, ETH_P_8021Q)
    yield _LOAD[4], 0, 0, _TAG
    yield _AND, 0, 0, _VID
    yield _EQUAL, 1, 0, vlan or 0
    yield _FAIL
