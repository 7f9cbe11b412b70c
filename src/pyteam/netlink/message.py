"""Netlink on the wire: message headers and attributes, bytes <-> values. Pure.

Owns the framing that every netlink family shares (linux/netlink.h). Must not know a family, a
socket or the meaning of an attribute. Whatever bytes come in, the only exception that comes out is
`NetlinkFormatError`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from pyteam.errors import PyteamError

NLMSG_NOOP: Final = 1
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3

NLM_F_REQUEST: Final = 0x01
NLM_F_MULTI: Final = 0x02
NLM_F_ACK: Final = 0x04
NLM_F_DUMP_INTR: Final = 0x10
#: NLM_F_ROOT | NLM_F_MATCH
NLM_F_DUMP: Final = 0x300
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
#: On an NLMSG_ERROR: the request is not repeated in full / attributes follow.
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200

NLMSGERR_ATTR_MSG: Final = 1

NLA_F_NESTED: Final = 0x8000
NLA_TYPE_MASK: Final = 0x3FFF

_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
HEADER_SIZE: Final = _HEADER.size
ATTRIBUTE_SIZE: Final = _ATTRIBUTE.size


class NetlinkFormatError(PyteamError, ValueError):
    """Bytes that are no netlink, or a value that does not fit into it."""


class Message(NamedTuple):
    """One message; ``payload`` starts behind the header and has no trailing padding."""

    kind: int
    flags: int
    sequence: int
    port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What NLMSG_ERROR and NLMSG_DONE say: ``errno`` 0 is success; ``text`` is the kernel's own."""

    errno: int
    text: str = ""


# --- values to bytes --------------------------------------------------------------------------


def pack(kind: int, flags: int, sequence: int, payload: bytes, port: int = 0) -> bytes:
    """One message, ready to be sent."""
    return _HEADER.pack(HEADER_SIZE + len(payload), kind, flags, sequence, port) + payload


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded. Raises `NetlinkFormatError` for a value of more than 65531 bytes."""
    length = _ATTRIBUTE.size + len(value)
    if length > 0xFFFF:
        raise NetlinkFormatError(f"netlink attribute {kind}: {len(value)} bytes are too long (at most 65531)")
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds packed attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def from_u8(value: int) -> bytes:
    return _integer(value, 1)


def from_u32(value: int) -> bytes:
    return _integer(value, 4)


def from_s32(value: int) -> bytes:
    return _integer(value, 4, signed=True)


def from_text(value: str) -> bytes:
    """A NUL-terminated string. Interface names are bytes to the kernel: undecodable ones survive."""
    raw = value.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise NetlinkFormatError(f"{value!r}: a NUL character cannot be part of a name")
    return raw + b"\0"


# --- bytes to values --------------------------------------------------------------------------


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram, in order."""
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < HEADER_SIZE:
            raise NetlinkFormatError(f"netlink message header cut short: {end - offset} of 16 bytes")
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        if not HEADER_SIZE <= length <= end - offset:
            raise NetlinkFormatError(f"netlink message {kind}: length {length}, {end - offset} bytes left")
        yield Message(kind, flags, sequence, port, data[offset + HEADER_SIZE : offset + length])
        offset += length + (-length % 4)


def walk(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The attributes from ``offset`` on, as type (without its flag bits) and value, in order."""
    end = len(data)
    while offset < end:
        length, kind = _attribute_at(data, offset, end)
        yield kind & NLA_TYPE_MASK, data[offset + ATTRIBUTE_SIZE : offset + length]
        offset += length + (-length % 4)


def attributes(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes from ``offset`` on by type; of a repeated one the last, as the kernel reads."""
    # `walk` in one loop, without its checks where they hold: a message about a link has 40 attributes, and
    # while a cut cable waits this is a third of the time.
    found = {}
    end = len(data)
    unpack = _ATTRIBUTE.unpack_from
    while end - offset >= ATTRIBUTE_SIZE:
        length, kind = unpack(data, offset)
        stop = offset + length
        if length < ATTRIBUTE_SIZE or stop > end:
            break
        found[kind & NLA_TYPE_MASK] = data[offset + ATTRIBUTE_SIZE : stop]
        offset = stop + (-length % 4)
    if offset < end:
        _attribute_at(data, offset, end)
    return found


def _attribute_at(data: bytes, offset: int, end: int) -> tuple[int, int]:
    """Length and type of the attribute there."""
    if end - offset < ATTRIBUTE_SIZE:
        raise NetlinkFormatError(f"netlink attribute header cut short: {end - offset} of 4 bytes")
    length, kind = _ATTRIBUTE.unpack_from(data, offset)
    if not ATTRIBUTE_SIZE <= length <= end - offset:
        raise NetlinkFormatError(f"netlink attribute {kind}: length {length}, {end - offset} bytes left")
    return length, kind


def to_u8(value: bytes) -> int:
    return _sized(value, 1)[0]


def to_u32(value: bytes) -> int:
    return int.from_bytes(value if len(value) == 4 else _sized(value, 4), sys.byteorder)


def to_s32(value: bytes) -> int:
    return int.from_bytes(_sized(value, 4), sys.byteorder, signed=True)


def to_text(value: bytes) -> str:
    """The string up to its first NUL, or all of it."""
    return value.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def answer(message: Message) -> Answer:
    """Decode NLMSG_ERROR (the acknowledgement, too) or NLMSG_DONE."""
    payload = message.payload
    if message.kind == NLMSG_DONE and not payload:
        return Answer(0)
    if len(payload) < 4:
        raise NetlinkFormatError(f"netlink answer of {len(payload)} bytes has no error code")
    errno = -to_s32(payload[:4])
    if errno < 0:
        # A dump may end with a count; only negative codes are errors.
        errno = 0
    return Answer(errno, _text_of(message) if message.flags & NLM_F_ACK_TLVS else "")


def _text_of(message: Message) -> str:
    payload = message.payload
    offset = 4
    if message.kind == NLMSG_ERROR:
        if len(payload) < 4 + HEADER_SIZE:
            raise NetlinkFormatError(f"netlink error of {len(payload)} bytes does not name its request")
        offset += HEADER_SIZE
        if not message.flags & NLM_F_CAPPED:
            length = to_u32(payload[4:8])
            offset = 4 + max(HEADER_SIZE, length + (-length % 4))
    return to_text(attributes(payload, offset).get(NLMSGERR_ATTR_MSG, b""))


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise NetlinkFormatError(f"netlink attribute of {len(value)} bytes where {size} are expected")
    return value


def _integer(value: int, size: int, *, signed: bool = False) -> bytes:
    try:
        return value.to_bytes(size, sys.byteorder, signed=signed)
    except OverflowError as error:
        raise NetlinkFormatError(f"{value} does not fit into {size} bytes of a netlink message") from error
