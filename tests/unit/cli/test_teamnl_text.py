"""Lines and values of teamnl; the lines were printed by the original."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.cli import teamnl_text as text
from pyteam.cli.teamnl_device import Refused
from pyteam.libteam import LinkInfo, OptionKey, OptionState, OptionValue, Port, Type

NAMES = {4: "v0"}


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        (Type.U32, "0", 0),
        (Type.U32, "010", 10),
        (Type.U32, " +7", 7),
        (Type.U32, "4294967295", 2**32 - 1),
        (Type.S32, "-7", -7),
        (Type.BOOL, "true", True),
        (Type.BOOL, "false", False),
        (Type.STRING, "hash", "hash"),
        (Type.BINARY, "", b""),
        (Type.BINARY, r"\06\0a\fF", b"\x06\x0a\xff"),
    ],
)
def test_values_as_users_write_them(type_: Type, written: str, value: OptionValue) -> None:
    assert text.parse(written, type_) == value


@pytest.mark.parametrize(
    ("type_", "written", "code"),
    [
        (Type.U32, "-1", errno.ERANGE),
        (Type.U32, "4294967296", errno.ERANGE),
        (Type.U32, "1x", errno.EINVAL),
        (Type.U32, "", errno.EINVAL),
        (Type.S32, "99999999999", errno.ERANGE),
        (Type.S32, "0x10", errno.EINVAL),
        (Type.BOOL, "True", errno.EINVAL),
        (Type.BOOL, "1", errno.EINVAL),
        (Type.BINARY, r"\01\0", errno.EINVAL),
        (Type.BINARY, "zz", errno.EINVAL),
    ],
)
def test_what_is_no_value(type_: Type, written: str, code: int) -> None:
    with pytest.raises(Refused) as caught:
        text.parse(written, type_)
    assert caught.value.errno == code


@given(st.one_of(st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=40)))
def test_what_is_shown_can_be_set(value: OptionValue) -> None:
    types = {bool: Type.BOOL, int: Type.U32, bytes: Type.BINARY}
    assert text.parse(text.show(value), types[type(value)]) == value


def test_ports() -> None:
    assert text.port_line(Port(4, "v0", True, 10000, 1)) == " 4: v0: up 10000Mbit FD "
    assert text.port_line(Port(6, "v1", False, 0, 0, changed=True)) == "*6: v1: down 0Mbit HD "
    assert (
        text.port_line(Port(6, "v1", True, 2**32 - 1, 255, removed=True)) == "-6: v1: up 4294967295Mbit HD "
    )
    assert text.port_object(Port(6, "v1", True, 10, 255))["duplex"] is None


@pytest.mark.parametrize(
    ("option", "line", "news"),
    [
        (OptionState(OptionKey("mode"), Type.STRING, "random"), " mode random ", " mode random"),
        (
            OptionState(OptionKey("enabled", 4), Type.BOOL, True, changed=True),
            "*enabled (port:v0) true ",
            "*enabled (port:v0) true changed",
        ),
        (
            OptionState(OptionKey("lb_hash_stats", 0, 255), Type.BINARY, bytes(8), array=True),
            r" lb_hash_stats (arridx:255) \00\00\00\00\00\00\00\00 ",
            r" lb_hash_stats (arridx:255) \00\00\00\00\00\00\00\00",
        ),
        (
            OptionState(OptionKey("enabled", 9), Type.BOOL, False, removed=True),
            "-enabled (port:9) false ",
            "-enabled (port:9) false",
        ),
        (OptionState(OptionKey("bpf_hash_func"), Type.BINARY, b""), " bpf_hash_func  ", " bpf_hash_func"),
        (
            OptionState(OptionKey("bpf_hash_func"), Type.BINARY, bytes([6, *bytes(7)] * 5), changed=True),
            "*bpf_hash_func " + r"\06\00\00\00\00\00\00\00" * 4 + r"\06\00\0" + " <trunc>",
            "*bpf_hash_func " + r"\06\00\00\00\00\00\00\00" * 4 + r"\06\00\0" + "... changed",
        ),
    ],
)
def test_options(option: OptionState, line: str, news: str) -> None:
    assert text.option_line(option, NAMES) == line
    assert text.option_news(option, NAMES) == news


def test_interfaces() -> None:
    before = LinkInfo(4, "v0", bytes(6))
    assert text.link_line(before) == " 4: v0: 00:00:00:00:00:00: 0 "
    after = LinkInfo(4, "v0", bytes(6), master=2)
    assert text.link_line(after, before) == "*4: v0: 00:00:00:00:00:00: *2 "
    assert text.link_line(LinkInfo(4, "w", bytes([2, *bytes(5)])), before) == (
        "*4: *w: *02:00:00:00:00:00: 0 "
    )
