"""LACPDUs and markers (IEEE 802.1AX-2014, 6.4.2 and 6.5.3): bytes <-> values. Pure.

Must not know what a PDU means to anybody. What is sent has 124 bytes: an Ethernet header and 110 octets.

Received PDUs are read as 6.4.2.3 wants it: versions above 1 as version 1, types and reserved octets unseen.
The lengths of the first three TLVs are looked at, since what stands behind them is found by place.
Version 0xf1 is nobody's standard: version 1 with two more TLVs, that say how many PDUs may stay away.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag
from typing import Final, NamedTuple

from pyteam.frames.ethernet import ETH_P_SLOW, MAC_SIZE, FrameError, sized
from pyteam.frames.slow import SLOW_PROTOCOLS

SIZE: Final = 124
VERSION: Final = 1
#: The version of PDUs that carry retry counts.
RETRY_VERSION: Final = 0xF1
#: PDUs that may stay away before the partner is taken for gone, where nobody says otherwise.
RETRY_COUNT: Final = 3

_LACP: Final = 1
_MARKER: Final = 2
_LAST_SUBTYPE: Final = 10
_MARKER_TYPE_AT: Final = 16

_PDU: Final = struct.Struct("!6s6sH BB BB H6sHHHB3x BB H6sHHHB3x BB H12x")
_RETRY: Final = struct.Struct("!BBBx BBBx")
_MARK: Final = struct.Struct("!6s6sH BB BB H6sI")
_LENGTHS: Final = 20, 20, 16


class State(IntFlag):
    """One side's state octet (6.4.2.3 m)."""

    ACTIVITY = 0x01
    TIMEOUT = 0x02
    AGGREGATION = 0x04
    SYNC = 0x08
    COLLECTING = 0x10
    DISTRIBUTING = 0x20
    DEFAULTED = 0x40
    EXPIRED = 0x80


class Info(NamedTuple):
    """What a PDU says of one of its two sides. All but ``state`` (bits of `State`) say who it is."""

    system_priority: int
    system: bytes
    key: int
    port_priority: int
    port: int
    state: int


@dataclass(frozen=True, slots=True)
class Lacpdu:
    """``collector_max_delay`` in tens of microseconds. ``retry``: in the form that carries the counts."""

    actor: Info
    partner: Info
    collector_max_delay: int = 0
    actor_retry_count: int = RETRY_COUNT
    partner_retry_count: int = RETRY_COUNT
    retry: bool = False

    def encode(self, source: bytes) -> bytes:
        """The frame, from this MAC. Raises `FrameError`."""
        try:
            data = _PDU.pack(
                *(SLOW_PROTOCOLS, sized(source, MAC_SIZE, "source MAC"), ETH_P_SLOW),
                *(_LACP, RETRY_VERSION if self.retry else VERSION),
                *(1, 20, *self.actor),
                *(2, 20, *self.partner),
                *(3, 16, self.collector_max_delay),
            )
            if self.retry:
                data += _RETRY.pack(0x80, 4, self.actor_retry_count, 0x81, 4, self.partner_retry_count)
        except struct.error as error:
            raise FrameError(f"no LACPDU can hold {self}: {error}") from None
        return data.ljust(SIZE, b"\0")


@dataclass(frozen=True, slots=True)
class Marker:
    """A question whether all has arrived that was sent before it, or the answer (``response``).

    ``body``: the 110 octets as they came.
    """

    response: bool
    port: int
    system: bytes
    transaction: int
    body: bytes

    def answer(self, source: bytes) -> bytes:
        """The frame that answers it: the same octets but for the type (6.5.4.2)."""
        header = SLOW_PROTOCOLS + sized(source, MAC_SIZE, "source MAC") + ETH_P_SLOW.to_bytes(2, "big")
        at = _MARKER_TYPE_AT - len(header)
        return header + self.body[:at] + b"\2" + self.body[at + 1 :]


def parse(frame: bytes) -> Lacpdu | Marker | None:
    """None: another slow protocol. Raises `FrameError` for what no slow protocol would send."""
    if len(frame) < 15:
        raise FrameError(f"slow protocol cut short: {len(frame)} bytes")
    if frame[:MAC_SIZE] != SLOW_PROTOCOLS or int.from_bytes(frame[12:14], "big") != ETH_P_SLOW:
        raise FrameError(f"no slow protocol: to {frame[:MAC_SIZE].hex(':')}, type {frame[12:14].hex()}")
    subtype = frame[14]
    if not 0 < subtype <= _LAST_SUBTYPE:
        raise FrameError(f"slow protocol of subtype {subtype}: 1 to {_LAST_SUBTYPE} are possible")
    if subtype not in (_LACP, _MARKER):
        return None
    if len(frame) < SIZE:
        raise FrameError(
            f"{'LACPDU' if subtype == _LACP else 'marker'} of {len(frame)} bytes, {SIZE} are needed"
        )
    return _parse_lacpdu(frame) if subtype == _LACP else _parse_marker(frame)


def _parse_lacpdu(frame: bytes) -> Lacpdu:
    values = _PDU.unpack_from(frame)
    version = values[4]
    lengths = values[6], values[14], values[22]
    if lengths != _LENGTHS:
        raise FrameError(f"LACPDU with information of {lengths} octets, {_LENGTHS} are needed")
    actor, partner, delay = Info(*values[7:13]), Info(*values[15:21]), values[23]
    if version == RETRY_VERSION:
        mine, size, actor_count, theirs, other, partner_count = _RETRY.unpack_from(frame, _PDU.size)
        if (mine, size, theirs, other) == (0x80, 4, 0x81, 4):
            return Lacpdu(actor, partner, delay, actor_count, partner_count, retry=True)
    return Lacpdu(actor, partner, delay)


def _parse_marker(frame: bytes) -> Marker:
    _, _, _, _, _, kind, length, port, system, transaction = _MARK.unpack_from(frame)
    if kind not in (1, 2) or length != 16:
        raise FrameError(f"marker of type {kind}, length {length}: 1 or 2, and 16, are possible")
    return Marker(kind == 2, port, system, transaction, frame[14:SIZE])
