"""Lines of teamnl, as the original printed them."""

from __future__ import annotations

import pytest

from pyteam.cli import teamnl_text as text
from pyteam.libteam import LinkInfo, OptionKey, OptionState, Port, Type

NAMES = {4: "v0"}


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
