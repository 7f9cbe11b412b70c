"""The framing of netlink: round trips, pyroute2 as a second opinion, and bytes from nowhere."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyroute2.netlink import nlmsg

from pyteam.netlink import message as nl

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


@given(st.lists(st.tuples(u16, u16, u32, u32, st.binary(max_size=40))))
def test_messages_come_back(rows: list[tuple[int, int, int, int, bytes]]) -> None:
    data = b""
    for kind, flags, sequence, port, payload in rows:
        packed = nl.pack(kind, flags, sequence, payload, port)
        data += packed + bytes(-len(packed) % 4)
    assert [
        (found.kind, found.flags, found.sequence, found.port, found.payload) for found in nl.messages(data)
    ] == rows


@given(st.lists(st.tuples(st.integers(0, nl.NLA_TYPE_MASK), st.binary(max_size=40))))
def test_attributes_come_back(rows: list[tuple[int, bytes]]) -> None:
    data = b"header" + b"".join(nl.attribute(kind, value) for kind, value in rows)
    assert list(nl.walk(data, 6)) == rows
    assert nl.attributes(data, 6) == dict(rows)


def test_pyroute2_reads_our_header() -> None:
    theirs = nlmsg(nl.pack(16, nl.NLM_F_REQUEST | nl.NLM_F_ACK, 7, b"", port=9))
    theirs.decode()
    assert theirs["header"]["type"] == 16
    assert theirs["header"]["flags"] == 5
    assert theirs["header"]["sequence_number"] == 7
    assert theirs["header"]["pid"] == 9
    assert theirs["header"]["length"] == 16


def test_nested_attributes_are_marked_and_aligned() -> None:
    data = nl.nested(18, nl.attribute(1, b"veth\0"), nl.attribute(2, b""))
    assert data == bytes.fromhex("14001280 09000100 7665746800000000 04000200".replace(" ", ""))
    ((kind, inner),) = nl.walk(data)
    assert kind == 18
    assert nl.attributes(inner) == {1: b"veth\0", 2: b""}


def exhaust(data: bytes, depth: int = 0) -> None:
    """Everything a reader can do with bytes; nested as deep as they look."""
    for _, value in nl.walk(data):
        nl.to_text(value)
        for convert in (nl.to_u8, nl.to_u32, nl.to_s32):
            with suppress(nl.NetlinkFormatError):
                convert(value)
        if depth < 8:
            with suppress(nl.NetlinkFormatError):
                exhaust(value, depth + 1)


@given(st.binary(max_size=200))
@example(b"\0" * 16)
@example(struct.pack("=IHHII", 0xFFFFFFFF, 2, 0x200, 0, 0))
@example(struct.pack("=HH", 3, 1))
@example(struct.pack("=HH", 0, 1) * 2)
def test_garbage_is_refused_with_our_error_only(data: bytes) -> None:
    for read in (exhaust, lambda raw: [nl.answer(found) for found in nl.messages(raw)]):
        with suppress(nl.NetlinkFormatError):
            read(data)


@given(st.binary(max_size=60))
def test_attributes_are_what_a_walk_finds(data: bytes) -> None:
    def outcome(read: Callable[[bytes], dict[int, bytes]]) -> object:
        try:
            return read(data)
        except nl.NetlinkFormatError as error:
            return str(error)

    assert outcome(nl.attributes) == outcome(lambda raw: dict(nl.walk(raw)))


@given(st.sampled_from([nl.NLMSG_ERROR, nl.NLMSG_DONE]), u16, st.binary(max_size=80))
def test_garbage_in_an_answer(kind: int, flags: int, payload: bytes) -> None:
    try:
        answer = nl.answer(nl.Message(kind, flags, 1, 0, payload))
    except nl.NetlinkFormatError:
        return
    assert answer.errno >= 0


@pytest.mark.parametrize("cut", range(1, 24))
def test_cut_short(cut: int) -> None:
    packed = nl.pack(16, 0, 1, nl.attribute(3, b"eth0"))
    assert len(packed) == 24
    with pytest.raises(nl.NetlinkFormatError, match=r"short|left"):
        list(nl.messages(packed[:-cut]))


def request(payload: bytes) -> bytes:
    return nl.pack(19, nl.NLM_F_REQUEST, 1, payload)


@pytest.mark.parametrize(
    ("flags", "middle"),
    [(nl.NLM_F_ACK_TLVS | nl.NLM_F_CAPPED, request(b"")), (nl.NLM_F_ACK_TLVS, request(b"payload!"))],
)
def test_refusal_with_the_kernels_text(flags: int, middle: bytes) -> None:
    payload = struct.pack("=i", -errno.EBUSY) + middle
    text = nl.attribute(nl.NLMSGERR_ATTR_MSG, b"Device is up\0")
    message = nl.Message(nl.NLMSG_ERROR, flags, 1, 0, payload + text)
    assert nl.answer(message) == nl.Answer(errno.EBUSY, "Device is up")


def test_acknowledgement_and_end_of_dump() -> None:
    assert nl.answer(nl.Message(nl.NLMSG_ERROR, 0x100, 1, 0, bytes(4) + request(b""))) == nl.Answer(0)
    assert nl.answer(nl.Message(nl.NLMSG_DONE, 2, 1, 0, b"")) == nl.Answer(0)
    assert nl.answer(nl.Message(nl.NLMSG_DONE, 2, 1, 0, struct.pack("=i", 3))) == nl.Answer(0)
    done = struct.pack("=i", -errno.EINVAL)
    assert nl.answer(nl.Message(nl.NLMSG_DONE, 2, 1, 0, done)) == nl.Answer(errno.EINVAL)


def test_values_that_do_not_fit() -> None:
    calls: list[Callable[[], bytes]] = [
        lambda: nl.from_u32(-1),
        lambda: nl.from_u32(1 << 32),
        lambda: nl.from_s32(1 << 31),
        lambda: nl.from_u8(256),
        lambda: nl.from_text("a\0b"),
        lambda: nl.attribute(1, bytes(65532)),
    ]
    for call in calls:
        with pytest.raises(nl.NetlinkFormatError):
            call()


@given(st.binary().filter(lambda raw: b"\0" not in raw))
def test_names_are_bytes(raw: bytes) -> None:
    assert nl.from_text(nl.to_text(raw)) == raw + b"\0"


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_numbers_come_back(value: int) -> None:
    assert nl.to_s32(nl.from_s32(value)) == value
    assert nl.to_u32(nl.from_u32(value & 0xFFFFFFFF)) == value & 0xFFFFFFFF
    assert nl.to_u8(nl.from_u8(value & 0xFF)) == value & 0xFF
