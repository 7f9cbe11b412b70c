"""The messages of the kernel's ``team`` family, bytes <-> values. Pure.

Owns include/uapi/linux/if_team.h. Must not know a socket, or what an option does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pyteam.netlink import genl
from pyteam.netlink import message as nl
from pyteam.options import OptionKey, OptionValue, Type

FAMILY: Final = "team"
VERSION: Final = 1
CHANGE_GROUP: Final = "change_event"

TEAM_CMD_NOOP: Final = 0
TEAM_CMD_OPTIONS_SET: Final = 1
TEAM_CMD_OPTIONS_GET: Final = 2
TEAM_CMD_PORT_LIST_GET: Final = 3

TEAM_ATTR_TEAM_IFINDEX: Final = 1
TEAM_ATTR_LIST_OPTION: Final = 2
TEAM_ATTR_LIST_PORT: Final = 3

TEAM_ATTR_ITEM_OPTION: Final = 1
TEAM_ATTR_OPTION_NAME: Final = 1
TEAM_ATTR_OPTION_CHANGED: Final = 2
TEAM_ATTR_OPTION_TYPE: Final = 3
TEAM_ATTR_OPTION_DATA: Final = 4
TEAM_ATTR_OPTION_REMOVED: Final = 5
TEAM_ATTR_OPTION_PORT_IFINDEX: Final = 6
TEAM_ATTR_OPTION_ARRAY_INDEX: Final = 7

TEAM_ATTR_ITEM_PORT: Final = 1
TEAM_ATTR_PORT_IFINDEX: Final = 1
TEAM_ATTR_PORT_CHANGED: Final = 2
TEAM_ATTR_PORT_LINKUP: Final = 3
TEAM_ATTR_PORT_SPEED: Final = 4
TEAM_ATTR_PORT_DUPLEX: Final = 5
TEAM_ATTR_PORT_REMOVED: Final = 6

#: Longest option name in bytes (TEAM_STRING_MAX_LEN, less its NUL).
NAME_MAX: Final = 31


class _Coding(NamedTuple):
    #: NLA_* of the kernel's include/net/netlink.h, as TEAM_ATTR_OPTION_TYPE carries it.
    number: int
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], OptionValue]


#: A true flag is an attribute without content, a false one is none: see `_encode_value`.
_CODINGS: Final[dict[Type, _Coding]] = {
    Type.U32: _Coding(3, nl.from_u32, nl.to_u32),
    Type.STRING: _Coding(5, nl.from_text, nl.to_text),
    Type.BOOL: _Coding(6, lambda value: b"", lambda value: True),
    Type.BINARY: _Coding(11, bytes, bytes),
    Type.S32: _Coding(14, nl.from_s32, nl.to_s32),
}
_TYPES: Final = {coding.number: type_ for type_, coding in _CODINGS.items()}
_PYTHON: Final = {Type.U32: int, Type.STRING: str, Type.BOOL: bool, Type.BINARY: bytes, Type.S32: int}


class OptionState(NamedTuple):
    """One instance of an option. ``array``: it is one of many, and ``key.array_index`` says which.

    ``changed``: since somebody, whoever it was, last asked for the list. ``removed``: it goes away.
    """

    key: OptionKey
    type: Type
    value: OptionValue
    array: bool = False
    changed: bool = False
    removed: bool = False


class PortState(NamedTuple):
    """A port as the driver sees it; ``changed`` and ``removed`` as of `OptionState`.

    ``speed`` in Mb/s and ``duplex`` as of `pyteam.link.Link`; both 0 while the link is down.
    """

    ifindex: int
    link_up: bool = False
    speed: int = 0
    duplex: int = 0
    changed: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Lists:
    """One message: an answer or event. A long list comes in several; an event has only what changed."""

    ifindex: int
    options: tuple[OptionState, ...] = ()
    ports: tuple[PortState, ...] = ()


def encode_get(command: int, ifindex: int) -> bytes:
    """The request for the options or ports of a team device."""
    return genl.pack(command, VERSION, nl.attribute(TEAM_ATTR_TEAM_IFINDEX, nl.from_u32(ifindex)))


def encode_set(ifindex: int, options: Iterable[OptionState]) -> bytes:
    """Set options of a team device; the kernel stops at the first that it refuses.

    Raises `NetlinkFormatError` for a value that is not of its option's type.
    """
    return genl.pack(
        TEAM_CMD_OPTIONS_SET,
        VERSION,
        nl.attribute(TEAM_ATTR_TEAM_IFINDEX, nl.from_u32(ifindex)),
        nl.nested(TEAM_ATTR_LIST_OPTION, *(_encode_option(*option[:4]) for option in options)),
    )


@lru_cache(typed=True)
def _encode_option(key: OptionKey, type_: Type, value: OptionValue, array: bool) -> bytes:
    # Kept, since ports take turns: the same few options are set again in each cut, and traffic waits.
    name = nl.from_text(key.name)
    if len(name) > NAME_MAX + 1:
        raise nl.NetlinkFormatError(f"option name {key.name!r}: longer than {NAME_MAX} bytes")
    parts = [
        nl.attribute(TEAM_ATTR_OPTION_NAME, name),
        nl.attribute(TEAM_ATTR_OPTION_TYPE, nl.from_u8(_CODINGS[type_].number)),
        _encode_value(key.name, type_, value),
    ]
    if key.port:
        parts.append(nl.attribute(TEAM_ATTR_OPTION_PORT_IFINDEX, nl.from_u32(key.port)))
    if array:
        parts.append(nl.attribute(TEAM_ATTR_OPTION_ARRAY_INDEX, nl.from_u32(key.array_index)))
    return nl.nested(TEAM_ATTR_ITEM_OPTION, *parts)


def _encode_value(name: str, type_: Type, value: OptionValue) -> bytes:
    if type(value) is not _PYTHON[type_]:
        raise nl.NetlinkFormatError(f"option {name!r}: {value!r} is no {type_}")
    if type_ is Type.BOOL and not value:
        return b""
    return nl.attribute(TEAM_ATTR_OPTION_DATA, _CODINGS[type_].encode(value))


def decode(payload: bytes, *, marks: bool = True) -> Lists:
    """The payload of a message of the family. Raises `NetlinkFormatError`.

    An option of a type that this version does not know is passed over. ``marks`` False: no ``changed``.
    """
    _, attributes = genl.unpack(payload)
    found = nl.attributes(attributes)
    ifindex = found.get(TEAM_ATTR_TEAM_IFINDEX)
    return Lists(
        0 if ifindex is None else nl.to_u32(ifindex),
        tuple(
            option for item in _items(found, TEAM_ATTR_LIST_OPTION) if (option := _decode_option(item, marks))
        ),
        tuple(_decode_port(item, marks) for item in _items(found, TEAM_ATTR_LIST_PORT)),
    )


def _items(found: Mapping[int, bytes], kind: int) -> list[dict[int, bytes]]:
    """The attributes of each item of a list."""
    there = found.get(kind)
    return [nl.attributes(item) for _, item in nl.walk(there)] if there else []


def _decode_option(item: dict[int, bytes], marks: bool) -> OptionState | None:
    number = nl.to_u8(item.get(TEAM_ATTR_OPTION_TYPE, b""))
    type_ = _TYPES.get(number)
    if type_ is None:
        return None
    data = item.get(TEAM_ATTR_OPTION_DATA)
    port = item.get(TEAM_ATTR_OPTION_PORT_IFINDEX)
    index = item.get(TEAM_ATTR_OPTION_ARRAY_INDEX)
    key = OptionKey(
        name=nl.to_text(item.get(TEAM_ATTR_OPTION_NAME, b"")),
        port=0 if port is None else nl.to_u32(port),
        array_index=0 if index is None else nl.to_u32(index),
    )
    removed = TEAM_ATTR_OPTION_REMOVED in item
    if data is None and type_ is not Type.BOOL and not removed:
        raise nl.NetlinkFormatError(f"option {key.name!r} comes without a value")
    return OptionState(
        key=key,
        type=type_,
        value=_PYTHON[type_]() if data is None else _CODINGS[type_].decode(data),
        array=index is not None,
        changed=marks and TEAM_ATTR_OPTION_CHANGED in item,
        removed=removed,
    )


def _decode_port(item: dict[int, bytes], marks: bool) -> PortState:
    speed = item.get(TEAM_ATTR_PORT_SPEED)
    duplex = item.get(TEAM_ATTR_PORT_DUPLEX)
    return PortState(
        ifindex=nl.to_u32(item.get(TEAM_ATTR_PORT_IFINDEX, b"")),
        link_up=TEAM_ATTR_PORT_LINKUP in item,
        speed=0 if speed is None else nl.to_u32(speed),
        duplex=0 if duplex is None else nl.to_u8(duplex),
        changed=marks and TEAM_ATTR_PORT_CHANGED in item,
        removed=TEAM_ATTR_PORT_REMOVED in item,
    )
