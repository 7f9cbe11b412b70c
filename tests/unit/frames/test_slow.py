"""Which frames are for one cable only."""

from __future__ import annotations

import pytest

from pyteam.frames.ethernet import Frame, Vlan
from pyteam.frames.slow import is_link_local, is_slow

SOURCE = bytes.fromhex("02000000000a")
LACP = bytes.fromhex("0180c2000002")


@pytest.mark.parametrize(
    ("mac", "expected"),
    [
        ("0180c2000000", True),
        ("0180c200000e", True),
        ("0180c200000f", True),
        ("0180c2000010", False),
        ("0180c2000100", False),
        ("0080c2000002", False),
        ("ffffffffffff", False),
        ("0180c20000", False),
        ("", False),
    ],
)
def test_link_local(mac: str, expected: bool) -> None:
    assert is_link_local(bytes.fromhex(mac)) is expected


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (Frame(LACP, SOURCE, 0x8809, b"\1"), True),
        (Frame(LACP, SOURCE, 0x88CC, b"\1"), False),
        (Frame(SOURCE, SOURCE, 0x8809, b"\1"), False),
        (Frame(LACP, SOURCE, 0x8809, b"\1", (Vlan(1),)), False),
    ],
)
def test_slow(frame: Frame, expected: bool) -> None:
    assert is_slow(frame) is expected
