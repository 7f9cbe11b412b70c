"""From packet to packet through a core: no input raises, none changes anything by accident."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.control.core import MethodError
from pyteam.control.dispatch import answer, call
from pyteam.control.methods import METHODS
from tests.unit.control.fakecore import FakeCore

#: Methods that change the team.
MUTATING = {
    b"PortConfigUpdate",
    b"PortAdd",
    b"PortRemove",
    b"StateItemValueSet",
    b"ConfigReload",
    b"ConfigReplace",
    b"OptionSet",
}

LINES = st.sampled_from(
    ["REQUEST", "request", "", "p0", "p1", "\\", "\\n", "{}", "[", "runner.active_port", "ports.", *METHODS]
)
PACKETS = st.one_of(
    st.binary(max_size=200),
    st.lists(LINES | st.text(max_size=8), max_size=6).map(
        lambda lines: "\n".join(lines).encode(errors="replace")
    ),
    st.lists(LINES, max_size=4).map(lambda lines: "\n".join(["REQUEST", *lines]).encode()),
)


@given(PACKETS)
def test_any_packet_is_answered_and_only_an_order_changes_anything(packet: bytes) -> None:
    core = FakeCore()
    reply = answer(core, packet)
    assert reply.startswith((b"REPLY_SUCCESS\n", b"REPLY_ERROR\n"))
    if core.changes:
        assert reply == b"REPLY_SUCCESS\n"
        first, method = [line for line in packet.split(b"\n") if line][:2]
        assert first == b"REQUEST"
        assert method in MUTATING


def test_the_strategy_reaches_orders() -> None:
    core = FakeCore()
    answer(core, b"REQUEST\nPortAdd\np1")
    answer(core, b"REQUEST\nStateItemValueSet\nrunner.active_port\np0")
    assert core.changes == [("port_add", "p1"), ("state_item_set", "runner.active_port", "p0")]


@pytest.mark.parametrize(
    ("packet", "reply"),
    [
        (b"REQUEST\nStateItemValueGet\nsetup.runner_name\n", b"REPLY_SUCCESS\nactivebackup"),
        (b"REQUEST\nPortAdd\nnope\n", b"REPLY_ERROR\nNoSuchDev\nNo such device.\n"),
        (b"REQUEST\nPortConfigUpdate\np1\n{}\n", b"REPLY_SUCCESS\n"),
        (
            b"REQUEST\nStateItemValueSet\nsetup.pid\n1\n",
            b"REPLY_ERROR\nOpNotSupp\nOperation not supported.\n",
        ),
    ],
)
def test_recorded_answers(packet: bytes, reply: bytes) -> None:
    assert answer(FakeCore(), packet) == reply


@pytest.mark.parametrize("failure", [ValueError("un\nforeseen"), RecursionError(), OSError(5, "I/O")])
def test_what_nobody_foresaw_is_logged_and_answered(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: FakeCore, port: str) -> None:
        raise failure

    monkeypatch.setattr(FakeCore, "port_add", broken)
    with caplog.at_level(logging.ERROR):
        reply = answer(FakeCore(), b"REQUEST\nPortAdd\np1\n")
    assert reply.startswith(b"REPLY_ERROR\nPortAddFail\nPortAdd: internal error (")
    assert reply.count(b"\n") == 3
    assert caplog.records[0].exc_info is not None


def test_a_wrong_number_of_arguments_does_not_reach_the_core() -> None:
    core = FakeCore()
    for arguments in [], ["p1", "p0"]:
        with pytest.raises(MethodError, match="InvalidArgs"):
            call(core, METHODS["PortAdd"], arguments)
    assert core.changes == []
