"""The kernel's lists of joined groups."""

from __future__ import annotations

import socket
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pyteam.netlink.multicast import parse_igmp, parse_igmp6

IGMP = b"""\
Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
3\tlonger-name-12:     3      V2
\t\t\t\t040201EF     1 1:0000017C\t\t1
\t\t\t\t030201EF     1 0:00000000\t\t0
\t\t\t\t010000E0     1 0:00000000\t\t0
4\t\xff\xe2\x80\xa8      :     0      V1
"""

IGMP6 = b"""\
1    lo              ff020000000000000000000000000001     1 0000000C 0
1    lo              ff010000000000000000000000000001     1 00000008 0
   3 longer-name-12  ff150000000000000000000000001235     1 00000007 4
12345 longer-name-123 ff0200000000000000000001ff00000a     1 00000004 0
"""


def packed(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


@pytest.mark.skipif(sys.byteorder != "little", reason="the sample is of a little-endian machine")
def test_igmp() -> None:
    assert parse_igmp(IGMP) == {
        1: (3, (packed("224.0.0.1"),)),
        3: (2, (packed("239.1.2.4"), packed("239.1.2.3"), packed("224.0.0.1"))),
        4: (1, ()),
    }


def test_igmp6() -> None:
    assert parse_igmp6(IGMP6) == {
        1: ("lo", (packed("ff02::1"), packed("ff01::1"))),
        3: ("longer-name-12", (packed("ff15::1235"),)),
        12345: ("longer-name-123", (packed("ff02::1:ff00:a"),)),
    }


@given(st.binary(max_size=200))
@example(b"\t\t\t\t010000E0     1 0:00000000\t\t0\n")
@example(IGMP6)
def test_other_text_is_passed_over(text: bytes) -> None:
    for _, groups in parse_igmp(text).values():
        assert all(len(group) == 4 for group in groups)
    for _, groups in parse_igmp6(text).values():
        assert all(len(group) == 16 for group in groups)
