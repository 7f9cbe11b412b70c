"""Generic netlink: the header that its families share, and the controller that knows their numbers.

Owns linux/genetlink.h. Must not know a family's commands or attributes.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyteam.netlink import message as nl
from pyteam.netlink.transport import NetlinkError, Transport

NETLINK_GENERIC: Final = 16
GENL_ID_CTRL: Final = 16
CTRL_VERSION: Final = 2

CTRL_CMD_GETFAMILY: Final = 3

CTRL_ATTR_FAMILY_ID: Final = 1
CTRL_ATTR_FAMILY_NAME: Final = 2
CTRL_ATTR_VERSION: Final = 3
CTRL_ATTR_MCAST_GROUPS: Final = 7

CTRL_ATTR_MCAST_GRP_NAME: Final = 1
CTRL_ATTR_MCAST_GRP_ID: Final = 2

#: struct genlmsghdr: command, version, reserved.
_HEADER: Final = struct.Struct("=BBH")


@dataclass(frozen=True, slots=True)
class Family:
    """``number`` is the message type of its requests; ``groups`` are its multicast groups by name."""

    number: int
    version: int
    groups: Mapping[str, int]


def pack(command: int, version: int, *attributes: bytes) -> bytes:
    """The payload of a message: header and packed attributes."""
    return _HEADER.pack(command, version, 0) + b"".join(attributes)


def unpack(payload: bytes) -> tuple[int, bytes]:
    """Command, and the attributes behind the header. Raises `NetlinkFormatError`."""
    if len(payload) < _HEADER.size:
        raise nl.NetlinkFormatError(f"generic netlink message of {len(payload)} bytes, 4 are needed")
    command, _, _ = _HEADER.unpack_from(payload)
    return command, payload[_HEADER.size :]


def decode_family(payload: bytes) -> Family:
    """What the controller tells of a family. Raises `NetlinkFormatError`."""
    _, attributes = unpack(payload)
    found = nl.attributes(attributes)
    number = found.get(CTRL_ATTR_FAMILY_ID, b"")
    if len(number) != 2:
        raise nl.NetlinkFormatError("a generic netlink family without its number")
    groups = {}
    for _, group in nl.walk(found.get(CTRL_ATTR_MCAST_GROUPS, b"")):
        row = nl.attributes(group)
        name = nl.to_text(row.get(CTRL_ATTR_MCAST_GRP_NAME, b""))
        groups[name] = nl.to_u32(row.get(CTRL_ATTR_MCAST_GRP_ID, b""))
    version = found.get(CTRL_ATTR_VERSION)
    return Family(
        number=struct.unpack("=H", number)[0],
        version=1 if version is None else nl.to_u32(version),
        groups=groups,
    )


def find_family(transport: Transport, name: str) -> Family:
    """Ask the controller; the kernel loads a module that announces the name, if it can.

    ENOENT: there is no such family.
    """
    what = f"cannot find the generic netlink family {name!r}"
    request = pack(CTRL_CMD_GETFAMILY, CTRL_VERSION, nl.attribute(CTRL_ATTR_FAMILY_NAME, nl.from_text(name)))
    for message in transport.request(GENL_ID_CTRL, request, what=what):
        if message.kind == GENL_ID_CTRL:
            return decode_family(message.payload)
    raise NetlinkError(errno.ENOENT, what)
