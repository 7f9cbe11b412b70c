"""Ethernet frames with their VLAN tags: bytes <-> values. Pure.

Owns the header, and the error of this package. Must not know a payload.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pyteam.errors import PyteamError

MAC_SIZE: Final = 6
BROADCAST: Final = b"\xff" * MAC_SIZE

ETH_P_IP: Final = 0x0800
ETH_P_ARP: Final = 0x0806
ETH_P_8021Q: Final = 0x8100
ETH_P_IPV6: Final = 0x86DD
ETH_P_SLOW: Final = 0x8809
ETH_P_8021AD: Final = 0x88A8

_U16: Final = struct.Struct("!H")
_TAG: Final = struct.Struct("!HH")


class FrameError(PyteamError, ValueError):
    """Bytes that are not the frame they should be, or a value that no such frame can hold."""


@dataclass(frozen=True, slots=True)
class Vlan:
    """One tag. ``priority`` is the PCP (0-7); ``protocol`` is ETH_P_8021Q or ETH_P_8021AD."""

    identifier: int
    priority: int = 0
    drop_eligible: bool = False
    protocol: int = ETH_P_8021Q


@dataclass(frozen=True, slots=True)
class Frame:
    """``tags`` are outermost first; ``payload`` keeps what padding it arrived with."""

    destination: bytes
    source: bytes
    ethertype: int
    payload: bytes
    tags: tuple[Vlan, ...] = ()

    def build(self) -> bytes:
        """Not padded to the 60 bytes of a wire: drivers do that."""
        return b"".join(
            (
                sized(self.destination, MAC_SIZE, "destination MAC"),
                sized(self.source, MAC_SIZE, "source MAC"),
                *(_build_tag(tag) for tag in self.tags),
                _U16.pack(ranged(self.ethertype, 0xFFFF, "ethertype")),
                self.payload,
            )
        )

    def behind(self, tag: Vlan) -> Frame:
        """The frame as it was before somebody took its outermost tag off."""
        return replace(self, tags=(tag, *self.tags))


def parse(data: bytes) -> Frame:
    """Header and every VLAN tag behind it. Raises `FrameError`."""
    tags: list[Vlan] = []
    offset = 2 * MAC_SIZE
    while True:
        if len(data) < offset + 2:
            raise FrameError(f"Ethernet header cut short: {len(data)} bytes, {offset + 2} are needed")
        (ethertype,) = _U16.unpack_from(data, offset)
        if ethertype not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        if len(data) < offset + 4:
            raise FrameError(f"VLAN tag cut short: {len(data)} bytes, {offset + 4} are needed")
        protocol, control = _TAG.unpack_from(data, offset)
        tags.append(Vlan(control & 0xFFF, control >> 13, bool(control & 0x1000), protocol))
        offset += 4
    return Frame(data[:6], data[6:12], ethertype, data[offset + 2 :], tuple(tags))


def in_vlan(tags: Sequence[Vlan], vlan: int | None) -> bool:
    """Whether a frame with these tags is in the VLAN; None: in none, as one that has only a priority is."""
    if vlan is None:
        return not tags or (len(tags) == 1 and not tags[0].identifier)
    return len(tags) == 1 and tags[0].protocol == ETH_P_8021Q and tags[0].identifier == vlan


def sized(value: bytes, size: int, what: str) -> bytes:
    """``value``, if it has ``size`` bytes. Raises `FrameError`."""
    if len(value) != size:
        raise FrameError(f"{what} of {len(value)} bytes, {size} are needed")
    return value


def ranged(value: int, maximum: int, what: str) -> int:
    """``value``, if it is in 0...maximum. Raises `FrameError`."""
    if not 0 <= value <= maximum:
        raise FrameError(f"{what} {value}: 0 to {maximum} are possible")
    return value


def _build_tag(tag: Vlan) -> bytes:
    control = (
        ranged(tag.priority, 7, "VLAN priority") << 13
        | tag.drop_eligible << 12
        | ranged(tag.identifier, 0xFFF, "VLAN identifier")
    )
    return _TAG.pack(ranged(tag.protocol, 0xFFFF, "VLAN protocol"), control)
