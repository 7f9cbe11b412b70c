"""LACPDUs and markers: the original's on the wire, scapy as the second opinion, and what is no PDU at all.

Numbers are those of docs/lacp-machines.md.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib.lacp import LACP, MarkerProtocol
from scapy.contrib.slowprot import SlowProtocol
from scapy.layers.l2 import Ether

from pyteam.frames import lacp
from pyteam.frames.ethernet import FrameError
from pyteam.frames.lacp import Info, Lacpdu, Marker, State

SLOW = bytes.fromhex("0180c2000002")
MAC = bytes.fromhex("0200000000a0")
OTHER = bytes.fromhex("0200000000b0")
OURS = Info(0xFFFF, MAC, 0, 255, 24, 0x85)
THEIRS = Info(0x8000, OTHER, 15, 0x7F00, 0x0102, 0x3F)
NOBODY = Info(0, bytes(6), 0, 0, 0, 2)

shorts = st.integers(0, 0xFFFF)
octets = st.integers(0, 0xFF)
infos = st.builds(Info, shorts, st.binary(min_size=6, max_size=6), shorts, shorts, shorts, octets)
pdus = st.builds(Lacpdu, infos, infos, shorts)
counted = st.builds(Lacpdu, infos, infos, shorts, octets, octets, st.just(True))


def changed(frame: bytes, at: int, *values: int) -> bytes:
    return frame[:at] + bytes(values) + frame[at + len(values) :]


def marker(kind: int = 1) -> bytes:
    return bytes(
        Ether(dst=SLOW.hex(":"), src=OTHER.hex(":"), type=0x8809)
        / SlowProtocol(subtype=2)
        / MarkerProtocol(
            marker_type=kind,
            requester_port=0x0102,
            requester_system=OTHER.hex(":"),
            requester_transaction_id=0xDEADBEEF,
            marker_reserved=b"ab",
            reserved=b"z" * 90,
        )
    )


def test_f1_f2_as_the_original_sends_it() -> None:
    # Captured from teamd 1.31: no partner, slow rate, expired.
    captured = (
        "0180c20000020200000000a088090101 0114ffff0200000000a0000000ff001885000000"
        "02140000000000000000000000000000 02000000 03100000" + "00" * 12 + "0000" + "00" * 50
    )
    data = Lacpdu(OURS, NOBODY).encode(MAC)
    assert data == bytes.fromhex(captured)
    assert len(data) == lacp.SIZE == 124


@pytest.mark.parametrize("state", [0x05, 0x07, 0x3D, 0x3F, 0x45, 0x47])
def test_f2_states_of_the_original(state: int) -> None:
    data = Lacpdu(OURS._replace(state=state), THEIRS).encode(MAC)
    assert data[32] == state
    assert data[38:53] == bytes.fromhex("8000 0200000000b0 000f 7f00 0102 3f".replace(" ", ""))


@given(pdus, st.binary(min_size=6, max_size=6))
def test_f2_scapy_builds_the_same(pdu: Lacpdu, source: bytes) -> None:
    def side(name: str, info: Info) -> dict[str, Any]:
        return {
            f"{name}_system_priority": info.system_priority,
            f"{name}_system": info.system.hex(":"),
            f"{name}_key": info.key,
            f"{name}_port_priority": info.port_priority,
            f"{name}_port_number": info.port,
            f"{name}_state": info.state,
            f"{name}_reserved": bytes(3),
        }

    theirs = (
        Ether(dst=SLOW.hex(":"), src=source.hex(":"), type=0x8809)
        / SlowProtocol(subtype=1)
        / LACP(
            **side("actor", pdu.actor),
            **side("partner", pdu.partner),
            collector_max_delay=pdu.collector_max_delay,
            collector_reserved=bytes(12),
            reserved=bytes(50),
        )
    )
    assert pdu.encode(source) == bytes(theirs)
    assert lacp.parse(bytes(theirs)) == pdu


@given(pdus | counted, st.binary(max_size=30))
def test_f3_comes_back_from_behind_padding(pdu: Lacpdu, padding: bytes) -> None:
    assert lacp.parse(pdu.encode(MAC) + padding) == pdu


@pytest.mark.parametrize("version", [0, 2, 3, 0x7F, 0xF0, 0xFF])
def test_f4_any_version_is_read_as_the_first(version: int) -> None:
    pdu = Lacpdu(OURS, THEIRS)
    assert lacp.parse(changed(pdu.encode(MAC), 15, version)) == pdu


@pytest.mark.parametrize("at", [16, 33, 35, 36, 53, 56, 60, 71, 72, 73, 74, 123])
def test_f5_types_and_reserved_octets_are_not_looked_at(at: int) -> None:
    pdu = Lacpdu(OURS, THEIRS)
    assert lacp.parse(changed(pdu.encode(MAC), at, 0xA5)) == pdu


@pytest.mark.parametrize("at", [17, 37, 57])
def test_f5_lengths_are(at: int) -> None:
    with pytest.raises(FrameError, match="information of"):
        lacp.parse(changed(Lacpdu(OURS, THEIRS).encode(MAC), at, 21))


@pytest.mark.parametrize("frame", [Lacpdu(OURS, THEIRS).encode(MAC), marker()])
def test_f6_cut_short(frame: bytes) -> None:
    for size in range(lacp.SIZE):
        with pytest.raises(FrameError):
            lacp.parse(frame[:size])


@pytest.mark.parametrize("subtype", range(3, 11))
def test_f7_other_slow_protocols_are_others(subtype: int) -> None:
    assert lacp.parse(changed(Lacpdu(OURS, THEIRS).encode(MAC), 14, subtype)) is None
    assert lacp.parse(SLOW + MAC + b"\x88\x09" + bytes((subtype,))) is None


@pytest.mark.parametrize(
    ("at", "values", "text"),
    [
        (14, (0,), "subtype 0"),
        (14, (11,), "subtype 11"),
        (0, (1, 0x80, 0xC2, 0, 0, 0x0E), "01:80:c2:00:00:0e"),
        (12, (0x88, 0xCC), "type 88cc"),
        (12, (0x81, 0x00), "type 8100"),
    ],
)
def test_f7_no_slow_protocol(at: int, values: tuple[int, ...], text: str) -> None:
    with pytest.raises(FrameError, match=text):
        lacp.parse(changed(Lacpdu(OURS, THEIRS).encode(MAC), at, *values))


def test_retry_counts_stand_behind_the_collector() -> None:
    data = Lacpdu(OURS, THEIRS, 0, 5, 3, retry=True).encode(MAC)
    assert (len(data), data[15], data[72:82].hex()) == (124, 0xF1, "80040500810403000000")
    # Version 0xf1 alone does not make them.
    assert lacp.parse(changed(data, 72, 0x82)) == Lacpdu(OURS, THEIRS)


@pytest.mark.parametrize(
    "pdu",
    [
        Lacpdu(OURS._replace(port=0x10000), THEIRS),
        Lacpdu(OURS, THEIRS._replace(state=256)),
        Lacpdu(OURS, THEIRS, -1),
        Lacpdu(OURS, THEIRS, 0, 256, 3, retry=True),
    ],
)
def test_what_no_pdu_can_hold(pdu: Lacpdu) -> None:
    with pytest.raises(FrameError, match="no LACPDU can hold"):
        pdu.encode(MAC)


def test_k1_marker_and_its_answer() -> None:
    question = lacp.parse(marker())
    assert isinstance(question, Marker)
    assert (question.response, question.port, question.system) == (False, 0x0102, OTHER)
    assert question.transaction == 0xDEADBEEF
    # Scapy's own, with our MAC.
    assert question.answer(MAC) == changed(marker(kind=2), 6, *MAC)
    answer = lacp.parse(question.answer(MAC))
    assert isinstance(answer, Marker)
    assert answer.response


@pytest.mark.parametrize(("at", "value"), [(16, 0), (16, 3), (17, 15)])
def test_no_marker(at: int, value: int) -> None:
    with pytest.raises(FrameError, match="marker of type"):
        lacp.parse(changed(marker(), at, value))


def test_state_in_words() -> None:
    assert State(0x3D) == (
        State.ACTIVITY | State.AGGREGATION | State.SYNC | State.COLLECTING | State.DISTRIBUTING
    )


@given(st.binary(max_size=140))
def test_x1_whatever_comes(data: bytes) -> None:
    for frame in (
        data,
        SLOW + MAC + b"\x88\x09" + data,
        changed(Lacpdu(OURS, THEIRS).encode(MAC), 14, *data),
    ):
        with suppress(FrameError):
            lacp.parse(frame)
