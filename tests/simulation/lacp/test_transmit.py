"""What is sent: F8, F9, T1, T2, K1 of docs/lacp-machines.md, goodbye and the counters."""

from __future__ import annotations

import pytest

from pyteam.engine.lacp import Settings
from pyteam.frames.ethernet import ETH_P_SLOW
from pyteam.frames.lacp import Marker, State, parse
from tests.simulation.lacp.world import FAST, IN_SYNC, WORKING, A, Alone, B, address, lacpdu, settings_of

OUT = IN_SYNC & ~State.SYNC


def most_in_a_second(times: list[float]) -> int:
    return max(sum(start <= now < start + 1 - 1e-9 for now in times) for start in times)


def marker(response: bool = False, transaction: int = 1) -> bytes:
    body = bytes.fromhex("0201") + bytes((2 if response else 1, 16)) + (7).to_bytes(2, "big") + B
    body = (body + transaction.to_bytes(4, "big")).ljust(110, b"\xa5")
    return bytes.fromhex("0180c2000002") + address(B, 1) + ETH_P_SLOW.to_bytes(2, "big") + body


def test_f8_from_the_ports_own_mac() -> None:
    alone = Alone().plug(1, 2)
    assert {(ifindex, frame[6:12]) for _, ifindex, frame in alone.sent} == {
        (1, address(A, 1)),
        (2, address(A, 2)),
    }
    assert all(lacpdu(frame).actor.system == A for _, _, frame in alone.sent)


def test_f9_never_more_than_three_in_a_second() -> None:
    alone = Alone().plug(1)
    for step in range(400):
        # Each of these has to be answered.
        alone.hear(WORKING, key=step)
        alone.wait(0.01)
    times = alone.times()
    assert len(times) >= 10
    assert most_in_a_second(times) == 3


def test_t1_t2_what_had_to_wait_is_told_later_as_it_is_then() -> None:
    alone = Alone().plug(1)
    for key in (1, 2, 3):
        alone.hear(WORKING, key=key)
    assert alone.now == 0
    assert len(alone.times()) == 3
    alone.hear(WORKING, key=4)
    alone.system.configure_port(0.5, 1, settings_of(A, 1, priority=77))
    assert alone.take() == []
    [told] = alone.wait(1)
    assert alone.times()[-1] == 1
    assert (told.partner.key, told.actor.port_priority) == (4, 77)


def test_a_change_of_who_we_are_is_told_at_once() -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    alone.wait(10)
    alone.system.set_system(alone.now, B[:5] + b"\x99")
    told = alone.take()
    assert [pdu.actor.system for pdu in told] == [B[:5] + b"\x99"] * 2
    assert all(pdu.actor.state == WORKING for pdu in told), "nothing moves because of it"
    for settings in (Settings(system_priority=5), Settings(fast_rate=True), Settings(active=False)):
        alone.wait(10)
        alone.system.configure(alone.now, settings)
        assert len(alone.take()) == 2
        assert alone.port().distributing
    alone.system.configure(alone.now, Settings(active=False))
    assert alone.take() == [], "what is no change is not told"


def test_k1_a_marker_is_answered_at_once_with_the_same_body() -> None:
    alone = Alone().plug(1)
    question = marker(transaction=77)
    alone.system.receive(0, 1, question)
    [(ifindex, frame)] = alone.system.take_frames()
    assert ifindex == 1
    assert frame == question[:6] + address(A, 1) + question[12:16] + b"\2" + question[17:]
    answer = parse(frame)
    assert isinstance(answer, Marker)
    assert (answer.response, answer.transaction) == (True, 77)


def test_k1_an_answer_is_not_answered() -> None:
    alone = Alone().plug(1)
    alone.system.receive(0, 1, marker(response=True))
    assert alone.system.take_frames() == []
    assert alone.port().counters.marker_responses_received == 1


def test_f9_k1_no_more_than_ten_slow_frames_in_a_second() -> None:
    alone = Alone().plug(1)
    moments = [now for now, _, _ in alone.sent]
    for step in range(300):
        now = alone.now = step / 50
        alone.system.receive(now, 1, marker(transaction=step))
        alone.hear(WORKING, key=step)
        moments += [now] * (len(alone.sent) - len(moments))
    assert len(moments) > 50
    assert most_in_a_second(moments) == 10


@pytest.mark.parametrize("whole", [False, True])
def test_goodbye_is_out_of_sync(whole: bool) -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    if whole:
        alone.system.goodbye(alone.now)
    else:
        alone.system.remove_port(alone.now, 1)
        alone.system.remove_port(alone.now, 2)
    told = alone.take()
    assert [pdu.actor.state for pdu in told] == [State.ACTIVITY | State.AGGREGATION] * 2
    assert [pdu.partner.system for pdu in told] == [B, B]
    assert alone.system.changed
    # And nothing more.
    assert alone.system.deadline is None
    if whole:
        assert alone.hear(WORKING) == []
        assert alone.see(1, True, 10) == []
        alone.system.expire(1000)
        alone.system.goodbye(1000)
        assert alone.take() == []
        assert not any(port.collecting or port.distributing for port in alone.system.ports.values())


def test_goodbye_only_from_who_ever_spoke_and_can() -> None:
    alone = Alone(Settings(active=False)).plug(1, 2)
    alone.hear(WORKING, 2)
    alone.see(2, False)
    alone.system.goodbye(0)
    assert alone.take() == []


def test_counters_and_ages() -> None:
    alone = Alone().plug(1)
    port = alone.port()
    assert (port.last_received, port.last_sent) == (None, 0)
    alone.now = 5
    alone.hear()
    alone.system.receive(6, 1, marker())
    for bad in (b"", b"\0" * 60, marker()[:-1]):
        alone.system.receive(6, 1, bad)
    alone.system.receive(6, 1, marker()[:14] + b"\x0a" + marker()[15:])
    counters = port.counters
    assert (counters.lacpdus_received, counters.lacpdus_sent) == (1, 2)
    assert (counters.markers_received, counters.marker_responses_sent) == (1, 1)
    assert (counters.illegal, counters.unknown, counters.state_changes) == (3, 1, 2)
    assert (port.last_received, port.last_sent) == (5, 5)
    # The same twice is counted, too.
    alone.now = 7
    alone.hear(IN_SYNC | FAST)
    alone.hear(IN_SYNC | FAST)
    assert (port.counters.lacpdus_received, port.last_received) == (3, 7)
    alone.system.clear_counters()
    assert port.counters.lacpdus_received == 0
    alone.system.clear_counters(1)
    alone.take()
    assert len(alone.said("malformed LACP PDU came.")) == 1, "once, until one can be read"
