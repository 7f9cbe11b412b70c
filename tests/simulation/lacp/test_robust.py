"""Whatever comes over the wire: X1 of docs/lacp-machines.md, forgers, and cables to two partners at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyteam.engine.lacp import LacpPort, LacpSystem, Selected, Settings
from pyteam.frames.ethernet import ETH_P_SLOW
from pyteam.frames.lacp import Info, Lacpdu
from pyteam.frames.slow import SLOW_PROTOCOLS
from tests.simulation.lacp.world import FAST, IN_SYNC, WORKING, A, Alone, B, C, address, pair, settings_of

HEADER = SLOW_PROTOCOLS + address(B, 1) + ETH_P_SLOW.to_bytes(2, "big")
shorts = st.sampled_from([0, 1, 7, 255, 256, 0xFFFF])
infos = st.builds(
    Info, shorts, st.sampled_from([A, B, C, bytes(6)]), shorts, shorts, shorts, st.integers(0, 255)
)
frames = st.one_of(
    st.binary(max_size=160),
    st.binary(max_size=110).map(lambda data: HEADER + data),
    st.binary(max_size=108).map(lambda data: HEADER + b"\1\1" + data),
    st.binary(max_size=108).map(lambda data: HEADER + b"\2\1" + data),
    st.builds(
        lambda actor, partner, retry, count: Lacpdu(actor, partner, 0, count, 3, retry).encode(address(B, 1)),
        infos,
        infos,
        st.booleans(),
        st.integers(0, 255),
    ),
)


#: Of a port, what is not what it is: what it counts, and what it remembers of frames.
LEFT_OUT = {
    *("counters", "familiar", "sent_frame", "last_received", "lag", "remarks", "malformed", "alarm", "shown"),
    "system",
}


def facts(system: LacpSystem) -> Any:
    names = LacpPort.__dataclass_fields__.keys() - LEFT_OUT
    return [
        {name: getattr(port, name) for name in names}
        | {"aggregator": port.aggregator, "why_not": port.why_not}
        for port in system.ports.values()
    ]


@given(st.binary(max_size=160))
def test_x1_what_is_no_lacpdu_changes_nothing(data: bytes) -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    before = facts(alone.system)
    for frame in (data, HEADER + b"\1\1\1\x13" + data, HEADER + b"\3" + data, HEADER + b"\x0b" + data):
        alone.system.receive(alone.now, 1, frame)
    alone.system.receive(alone.now, 77, data)
    assert facts(alone.system) == before
    assert alone.take() == []


@given(st.lists(st.tuples(frames, st.sampled_from([0, 0.001, 0.4, 3, 100])), max_size=12))
@settings(max_examples=50)
def test_x1_nothing_raises_and_what_is_sent_is_bounded(history: list[tuple[bytes, float]]) -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1, 2)
    for frame, pause in history:
        alone.system.receive(alone.now, 1, frame)
        alone.take()
        alone.wait(pause)
        json.dumps(alone.system.save(alone.now))
    assert len(alone.sent) <= 2 * (3 + 3 * alone.now) + 7 * (1 + alone.now)


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2]), frames, st.integers(1, 4), st.sampled_from([0, 0.3, 2, 40])),
        max_size=10,
    )
)
@settings(max_examples=50)
def test_a_familiar_lacpdu_is_what_it_would_be_without_the_shortcut(
    history: list[tuple[int, bytes, int, float]],
) -> None:
    quick, slow = Alone().plug(1, 2), Alone().plug(1, 2)
    for ifindex, frame, times, pause in history:
        echo = Lacpdu(Info(1, B, 1, 1, ifindex, WORKING), quick.port(ifindex).actor).encode(
            address(B, ifindex)
        )
        for data in [frame, *[echo] * times]:
            quick.system.receive(quick.now, ifindex, data)
            slow.port(ifindex).familiar = None
            slow.system.receive(slow.now, ifindex, data)
            assert quick.take() == slow.take()
        quick.wait(pause)
        slow.wait(pause)
        assert facts(quick.system) == facts(slow.system)
        assert quick.port(ifindex).counters == slow.port(ifindex).counters
        assert quick.sent == slow.sent


def test_a_forger_in_our_name_does_not_disturb_a_partner_that_is_there() -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    quiet = len(alone.sent)
    for _ in range(100):
        alone.hear(WORKING, 1, system=A)
        alone.hear(IN_SYNC, 1, system=A, port=2)
    assert alone.port(1).distributing
    assert len(alone.sent) == quiet
    assert alone.port(1).counters.illegal == 200
    assert len(alone.said("loopbacked")) == 1


def test_two_partners_on_one_port_make_no_storm() -> None:
    """A hub: each LACPDU is another partner's. The port stays out, and little is said about it."""
    alone = Alone(Settings(fast_rate=True)).plug(1, 2).join(2)

    def both() -> None:
        alone.hear(IN_SYNC | FAST, 1, system=B, port=9)
        alone.hear(IN_SYNC | FAST, 1, system=C, port=9)

    alone.wait(100, partners={1: both, 2: lambda: alone.hear(WORKING, 2)})
    assert not alone.port(1).collecting
    assert alone.port(2).distributing
    assert len(alone.times(1, since=1)) <= 3 * 101
    assert len(alone.remarks) < 20


def test_a_storm_of_lacpdus_is_answered_thrice_a_second() -> None:
    alone = Alone().plug(1)
    start = len(alone.sent)
    for step in range(5000):
        alone.hear(WORKING, 1, key=step % 7)
        if not step % 50:
            alone.wait(0.01)
    assert len(alone.sent) - start <= 3 * (1 + alone.now) + 1


def test_one_that_is_added_twice_is_refused() -> None:
    alone = Alone().plug(1)
    with pytest.raises(KeyError):
        alone.system.add_port(0, 1, settings_of(A, 1))


def test_a_link_that_bounces_comes_back() -> None:
    world = pair(2)
    world.run(5)
    for _ in range(20):
        world.set_up(world.wires[0], False)
        world.run(0.05)
        world.set_up(world.wires[0], True)
        world.run(0.05)
        assert world.distributing("a") == {2}
    world.run(4)
    assert world.distributing("a") == world.distributing("b") == {1, 2}


def test_one_way_is_no_way() -> None:
    """What only one side hears carries nothing on either: the first one says that it is expired."""
    world = pair(2, Settings(fast_rate=True), Settings(fast_rate=True))
    world.run(5)
    world.wires[0].fate = lambda sender: [0.001] if sender[0] == "a" else []
    world.run(3.1)
    assert world.distributing("a") == world.distributing("b") == {2}
    assert world.systems["a"].ports[1].selected is not Selected.UNSELECTED
    world.run(3)
    assert world.systems["a"].ports[1].state == "defaulted"
    assert world.systems["b"].ports[1].state == "current"
    assert not world.systems["b"].ports[1].collecting
