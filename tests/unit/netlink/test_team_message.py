"""The messages of the team family: the kernel's own, pyroute2 as a second opinion, bytes from nowhere."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import genlmsg, nla

from pyteam.netlink import message as nl
from pyteam.netlink import team_message as team
from pyteam.netlink.team_message import Lists, OptionState, PortState
from pyteam.options import OptionKey, OptionValue, Type
from tests.unit.netlink import team_recorded as recorded

FAMILY = 26
VALUES: list[tuple[Type, OptionValue]] = [
    (Type.U32, 0),
    (Type.U32, 2**32 - 1),
    (Type.S32, -(2**31)),
    (Type.S32, 7),
    (Type.STRING, "activebackup"),
    (Type.STRING, ""),
    (Type.BOOL, True),
    (Type.BOOL, False),
    (Type.BINARY, b""),
    (Type.BINARY, bytes(range(200))),
]


def lists(datagrams: list[bytes]) -> list[Lists]:
    messages = (message for datagram in datagrams for message in nl.messages(datagram))
    return [team.decode(message.payload) for message in messages if message.kind == FAMILY]


def values(*found: Lists) -> dict[OptionKey, OptionValue]:
    return {option.key: option.value for one in found for option in one.options}


def test_the_options_of_a_team() -> None:
    (found,) = lists(recorded.OPTIONS)
    assert found.ifindex == 2
    assert values(found) == {
        OptionKey("mode"): "activebackup",
        OptionKey("notify_peers_count"): 0,
        OptionKey("notify_peers_interval"): 0,
        OptionKey("mcast_rejoin_count"): 0,
        OptionKey("mcast_rejoin_interval"): 0,
        OptionKey("activeport"): 4,
        OptionKey("enabled", 4): True,
        OptionKey("user_linkup", 4): False,
        OptionKey("user_linkup_enabled", 4): False,
        OptionKey("priority", 4): -7,
        OptionKey("queue_id", 4): 0,
    }


def test_the_ports_of_a_team() -> None:
    assert lists(recorded.PORTS) == [Lists(2, ports=(PortState(4, link_up=True, speed=10000, duplex=1),))]


def test_events_tell_what_changed_and_what_went() -> None:
    assert values(*lists(recorded.EVENT_MODE)) == {
        OptionKey("activeport"): 0,
        OptionKey("mode"): "activebackup",
    }
    assert values(*lists(recorded.EVENT_BINARY)) == {OptionKey("bpf_hash_func"): bytes([6, *bytes(7)])}
    first, options, last = lists(recorded.EVENT_PORT_ADDED)
    assert [port.link_up for port in (*first.ports, *last.ports)] == [False, True]
    assert {option.key.port for option in options.options} == {4}
    gone, port = lists(recorded.EVENT_PORT_REMOVED)
    assert [option.key.name for option in gone.options if not option.removed] == ["activeport"]
    assert port.ports == (PortState(4, changed=True, removed=True),)


class TeamMessage(genlmsg):  # type: ignore[misc]
    """The family as pyroute2 lets one describe it, from the kernel's header."""

    prefix = "TEAM_ATTR_"
    nla_map = (("U", "none"), ("TEAM_IFINDEX", "uint32"), ("LIST_OPTION", "list_option"))

    class list_option(nla):  # type: ignore[misc]
        nla_map = (("U", "none"), ("ITEM_OPTION", "option"))

        class option(nla):  # type: ignore[misc]
            nla_map = (
                ("U", "none"),
                ("NAME", "asciiz"),
                ("CHANGED", "flag"),
                ("TYPE", "uint8"),
                ("DATA", "cdata"),
                ("REMOVED", "flag"),
                ("PORT_IFINDEX", "uint32"),
                ("ARRAY_INDEX", "uint32"),
            )


RAW: dict[Type, Any] = {
    Type.U32: lambda value: value.to_bytes(4, "little"),
    Type.S32: lambda value: value.to_bytes(4, "little", signed=True),
    Type.STRING: lambda value: value.encode() + b"\0",
    Type.BINARY: bytes,
    Type.BOOL: lambda value: b"",
}
NUMBERS = {Type.U32: 3, Type.STRING: 5, Type.BOOL: 6, Type.BINARY: 11, Type.S32: 14}


@pytest.mark.parametrize(("type_", "value"), VALUES)
@pytest.mark.parametrize(("port", "index"), [(0, None), (7, None), (0, 0), (0, 255)])
def test_pyroute2_encodes_the_same(type_: Type, value: OptionValue, port: int, index: int | None) -> None:
    option = OptionState(OptionKey("name", port, index or 0), type_, value, array=index is not None)
    attributes: list[tuple[str, Any]] = [("NAME", "name"), ("TYPE", NUMBERS[type_])]
    if value is not False:
        attributes.append(("DATA", RAW[type_](value)))
    if port:
        attributes.append(("PORT_IFINDEX", port))
    if index is not None:
        attributes.append(("ARRAY_INDEX", index))
    theirs = TeamMessage()
    theirs["cmd"], theirs["version"] = 1, 1
    theirs["attrs"] = [
        ("TEAM_IFINDEX", 2),
        ("LIST_OPTION", {"attrs": [("ITEM_OPTION", {"attrs": attributes})]}),
    ]
    theirs.encode()
    ours = team.encode_set(2, [option])
    assert plain(ours) == plain(bytes(theirs.data[nl.HEADER_SIZE :]))
    assert team.decode(ours) == Lists(2, (option,))


def plain(data: bytes) -> list[Any]:
    """Attributes with nests opened and their flag bits gone, which pyroute2 does not set."""
    header, (ifindex, (kind, options)) = data[:4], list(nl.walk(data, 4))
    return [header, ifindex, kind, [list(nl.walk(item)) for _, item in nl.walk(options)]]


@pytest.mark.parametrize(
    "option",
    [
        OptionState(OptionKey("priority"), Type.S32, 2**31),
        OptionState(OptionKey("count"), Type.U32, -1),
        OptionState(OptionKey("count"), Type.U32, True),
        OptionState(OptionKey("count"), Type.U32, "1"),
        OptionState(OptionKey("enabled"), Type.BOOL, 1),
        OptionState(OptionKey("mode"), Type.STRING, b"random"),
        OptionState(OptionKey("mode"), Type.STRING, "ran\0dom"),
        OptionState(OptionKey("x" * 32), Type.U32, 1),
        OptionState(OptionKey("bpf_hash_func"), Type.BINARY, bytes(65536)),
    ],
)
def test_what_netlink_cannot_carry(option: OptionState) -> None:
    with pytest.raises(nl.NetlinkFormatError):
        team.encode_set(2, [option])


def test_what_was_sent_before_is_no_excuse() -> None:
    key = OptionKey("count")
    team.encode_set(2, [OptionState(key, Type.U32, 1)])
    with pytest.raises(nl.NetlinkFormatError):
        team.encode_set(2, [OptionState(key, Type.U32, True)])


def item(*attributes: bytes) -> bytes:
    lists = nl.nested(2, nl.nested(1, *attributes))
    return team.encode_get(2, 5) + lists


def test_types_of_a_newer_kernel_are_passed_over() -> None:
    unknown = item(nl.attribute(1, b"new\0"), nl.attribute(3, b"\x04"), nl.attribute(4, bytes(8)))
    assert team.decode(unknown) == Lists(5)


@pytest.mark.parametrize(
    "attributes",
    [
        (nl.attribute(1, b"a\0"),),
        (nl.attribute(1, b"a\0"), nl.attribute(3, b"\x03")),
        (nl.attribute(1, b"a\0"), nl.attribute(3, b"\x03"), nl.attribute(4, b"xyz")),
        (nl.attribute(1, b"a\0"), nl.attribute(3, b"\x06"), nl.attribute(6, b"")),
    ],
)
def test_what_is_no_option(attributes: tuple[bytes, ...]) -> None:
    with pytest.raises(nl.NetlinkFormatError):
        team.decode(item(*attributes))


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(garbage: bytes) -> None:
    with suppress(nl.NetlinkFormatError):
        team.decode(garbage)


MUTATED = [message.payload for datagram in recorded.OPTIONS for message in nl.messages(datagram)]


@given(st.sampled_from(MUTATED), st.integers(0, 600), st.binary(min_size=1, max_size=4), st.integers(0, 600))
def test_a_damaged_message_is_read_or_refused(payload: bytes, at: int, damage: bytes, end: int) -> None:
    with suppress(nl.NetlinkFormatError):
        team.decode((payload[:at] + damage + payload[at + len(damage) :])[:end])
