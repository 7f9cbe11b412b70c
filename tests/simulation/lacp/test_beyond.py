"""What operators run beyond the standard: fallback, retry counts, warm restart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyteam.engine.lacp import LacpSystem, Selected, Settings, numbers
from pyteam.frames.lacp import State
from tests.simulation.lacp.world import (
    FAST,
    IN_SYNC,
    WORKING,
    A,
    Alone,
    B,
    C,
    World,
    lacpdu,
    pair,
    settings_of,
)

FALLBACK = Settings(fallback=True)


def carrying(alone: Alone) -> list[int]:
    return [ifindex for ifindex, port in alone.system.ports.items() if port.distributing]


# Fallback.


def test_fallback_one_port_forwards_while_nobody_speaks() -> None:
    alone = Alone(FALLBACK).plug(1).plug(2, priority=10).plug(3, priority=10)
    alone.wait(2.9)
    assert carrying(alone) == []
    alone.wait(2.1)
    assert carrying(alone) == [2]
    port = alone.port(2)
    assert (port.fallback, port.state, port.why_not) == (True, "defaulted", "")
    alone.see(2, False)
    assert (carrying(alone), alone.port(3).fallback) == ([], True)
    alone.wait(2)
    assert carrying(alone) == [3]


@pytest.mark.parametrize("where", [1, 2])
def test_fallback_ends_with_the_first_lacpdu_on_any_port(where: int) -> None:
    alone = Alone(FALLBACK).plug(1, 2)
    alone.wait(10)
    assert carrying(alone) == [1]
    alone.hear(IN_SYNC, where)
    assert carrying(alone) == []
    assert not any(port.fallback for port in alone.system.ports.values())
    alone.wait(2)
    alone.hear(WORKING, where)
    assert carrying(alone) == [where]


def test_fallback_is_not_disturbed_by_a_link_that_comes() -> None:
    alone = Alone(FALLBACK).plug(1)
    alone.wait(10)
    alone.plug(2)
    assert carrying(alone) == [1]
    alone.plug(3, priority=1)
    alone.wait(3)
    assert alone.port(3).fallback, "the order decides, not who came first"


def test_fallback_comes_back_when_the_partner_is_gone() -> None:
    alone = Alone(Settings(fallback=True, fast_rate=True)).plug(1, 2).join(1, 2)
    alone.wait(5.9)
    assert carrying(alone) == []
    alone.wait(2.1)
    assert carrying(alone) == [1]


def test_fallback_is_switched_at_run_time() -> None:
    alone = Alone().plug(1)
    alone.wait(10)
    assert carrying(alone) == []
    alone.system.configure(alone.now, FALLBACK)
    alone.wait(2)
    assert carrying(alone) == [1]
    alone.system.configure(alone.now, Settings())
    assert carrying(alone) == []


# Retry counts.


def test_retry_plain_while_both_are_three() -> None:
    world = pair(1)
    world.run(100)
    assert {frame[15] for _, _, _, frame in world.sent} == {1}


def test_retry_the_partner_waits_as_long_as_it_is_told() -> None:
    world = pair(1, Settings(fast_rate=True), Settings(fast_rate=True))
    world.run(5)
    a, b = (world.systems[name] for name in "ab")
    a.configure(world.now, Settings(fast_rate=True, retry_count=5))
    world.collect()
    world.run(0.1)
    assert (b.ports[1].partner_retry_count, a.ports[1].partner_retry_count) == (5, 3)
    told = lacpdu(world.sent[-1][3])
    assert world.sent[-1][3][15] == 0xF1
    assert (told.actor_retry_count, told.partner_retry_count) == (3, 5), "b says that it knows"
    world.run(2)
    del world.systems["a"]
    world.wires[0].up = False
    heard = b.ports[1].last_received
    assert heard is not None
    world.run(heard + 4.9 - world.now)
    assert b.ports[1].state == "current"
    world.run(0.2)
    assert b.ports[1].state == "expired"


def test_retry_a_changed_count_falls_back_after_its_time() -> None:
    world = pair(1)
    world.run(5)
    world.systems["a"].configure(world.now, Settings(retry_count=4))
    world.collect()
    world.run(4 * 180 - 1)
    assert world.systems["b"].ports[1].partner_retry_count == 4
    world.run(2)
    assert (
        world.systems["b"].ports[1].partner_retry_count == 3 or world.systems["a"].ports[1].retry_count == 3
    )
    world.run(120)
    assert world.systems["b"].ports[1].partner_retry_count == 3
    assert world.sent[-1][3][15] == 1


def test_retry_one_from_the_beginning_stays() -> None:
    world = pair(1, Settings(retry_count=10))
    world.run(3000)
    assert world.systems["b"].ports[1].partner_retry_count == 10


def test_retry_plain_lacpdus_reset_it_only_after_a_minute() -> None:
    alone = Alone().plug(1)
    alone.hear(WORKING, retries=7)
    port = alone.port()
    assert port.partner_retry_count == 7
    alone.wait(59)
    alone.hear(WORKING)
    assert port.partner_retry_count == 7
    alone.wait(1)
    alone.hear(WORKING)
    assert port.partner_retry_count == 3
    alone.wait(89.9)
    assert port.state == "current"
    alone.wait(0.1)
    assert port.state == "expired"


@pytest.mark.parametrize(("told", "count"), [(0, 3), (1, 3), (3, 3), (255, 255)])
def test_retry_fewer_than_three_are_three(told: int, count: int) -> None:
    alone = Alone().plug(1)
    alone.hear(WORKING, retries=told)
    assert alone.port().partner_retry_count == count


def test_retry_not_where_it_is_switched_off() -> None:
    alone = Alone(Settings(enable_retry_count=False, retry_count=9)).plug(1)
    alone.hear(WORKING, retries=9)
    assert alone.port().partner_retry_count == 3
    assert {frame[15] for _, _, frame in alone.sent} == {1}


def test_retry_switched_off_at_run_time() -> None:
    alone = Alone().plug(1)
    alone.hear(WORKING, retries=9)
    alone.system.configure(0, Settings(enable_retry_count=False))
    assert alone.port().partner_retry_count == 3
    alone.take()
    alone.hear(WORKING)
    alone.wait(90)
    assert alone.port().state == "expired"


# Warm restart.


def restart(
    world: World, name: str, system: bytes, settings: Settings | None = None, *, late: bool = False
) -> LacpSystem:
    """Another system takes over; ``late``: its ports are added after it was told what was saved."""
    before = world.systems[name]
    saved = json.loads(json.dumps(before.save(world.now)))
    after = world.systems[name] = LacpSystem(settings or Settings(), system)
    if late:
        after.restore(world.now, saved)
    for ifindex, port in before.ports.items():
        assert numbers(saved)[ifindex] == port.settings.number
        after.add_port(world.now, ifindex, port.settings)
        after.see(world.now, ifindex, port.enabled, port.speed, port.full_duplex)
    if not late:
        after.restore(world.now, saved)
    return after


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("independent", [False, True])
def test_warm_the_partner_sees_no_change_at_all(late: bool, fast: bool, independent: bool) -> None:
    settings = Settings(fast_rate=fast, independent=independent)
    world = pair(3, settings, settings)
    world.run(20.4)
    start = len(world.sent)
    carried: list[set[int]] = []
    world.watch = lambda: carried.extend((world.distributing("a"), world.distributing("b")))
    world.systems["a"].take_frames()
    restart(world, "a", A, settings, late=late)
    world.collect()
    world.run(100)
    assert all(found == {1, 2, 3} for found in carried)
    states = {lacpdu(frame).actor.state for _, name, _, frame in world.sent[start:] if name == "a"}
    assert states == {WORKING | (FAST if fast else 0)}
    assert all(port.counters.state_changes == 0 for port in world.systems["b"].ports.values()) or all(
        port.counters.state_changes == 2 for port in world.systems["b"].ports.values()
    )


def test_warm_listens_first_but_not_longer_than_a_second() -> None:
    world = pair(1)
    world.run(20.4)
    restart(world, "a", A)
    at, start = world.now, len(world.sent)
    world.collect()
    world.wires[0].fate = lambda sender: []
    world.run(3)
    assert [now for now, name, _, _ in world.sent[start:] if name == "a"] == [at + 1]


def test_warm_who_is_asked_answers_at_once() -> None:
    alone = Alone().plug(1).join()
    saved = alone.system.save(alone.now)
    again = Alone().plug(1)
    again.system.restore(0, saved)
    assert again.take() == []
    again.now = 0.2
    assert [pdu.actor.state for pdu in again.hear(WORKING, view=alone.port().actor)] == [WORKING]


def test_warm_two_aggregators_are_what_they_were() -> None:
    alone = Alone(Settings(select_policy="lacp_prio_stable")).plug(1, 2, 3)
    alone.hear(WORKING, 2, system=C)
    alone.hear(WORKING, 3, system=C)
    alone.wait(2)
    alone.hear(WORKING, 1)
    alone.wait(2)
    assert carrying(alone) == [2, 3]
    saved = json.loads(json.dumps(alone.system.save(alone.now)))
    for late in (False, True):
        again = Alone(Settings(select_policy="lacp_prio_stable"))
        if late:
            again.system.restore(0, saved)
        again.plug(1, 2, 3)
        if not late:
            again.system.restore(0, saved)
        again.take()
        assert carrying(again) == [2, 3]
        assert again.port(1).selected is Selected.STANDBY
        assert [again.port(index).aggregator for index in (1, 2, 3)] == [1, 2, 2]


def test_warm_a_port_that_stays_away_is_not_waited_for_long() -> None:
    alone = Alone().plug(1, 2)
    alone.hear(WORKING, 1)
    alone.hear(WORKING, 2, system=C)
    alone.wait(2)
    assert carrying(alone) == [1]
    saved = alone.system.save(alone.now)
    again = Alone()
    again.system.restore(0, saved)
    again.plug(2)
    assert carrying(again) == []
    again.hear(WORKING, 2, system=C, view=again.port(2).actor)
    again.wait(3)
    assert carrying(again) == [2]


def test_warm_fallback_goes_on() -> None:
    alone = Alone(FALLBACK).plug(1, 2)
    alone.wait(10)
    again = Alone(FALLBACK).plug(1, 2)
    again.system.restore(0, alone.system.save(alone.now))
    assert carrying(again) == [1]
    assert again.take() == []


@pytest.mark.parametrize(
    "other", [settings_of(A, 1, key=5), settings_of(A, 2), settings_of(A, 1, priority=9)]
)
def test_warm_one_that_is_somebody_else_begins_anew(other: Any) -> None:
    alone = Alone().plug(1).join()
    again = LacpSystem(Settings(), A)
    again.add_port(0, 1, other)
    again.restore(0, alone.system.save(alone.now))
    assert not again.ports[1].distributing


def test_warm_a_partner_that_left_meanwhile_is_noticed() -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1).join()
    again = Alone(Settings(fast_rate=True)).plug(1)
    again.system.restore(0, alone.system.save(alone.now))
    again.wait(2.9)
    assert carrying(again) == [1]
    again.wait(0.1)
    assert carrying(again) == []


@pytest.mark.parametrize(
    "saved",
    [
        None,
        [],
        {},
        {"ports": 3},
        {"ports": {"x": {}, "1": 7}},
        {"ports": {"1": {"actor": [1], "partner": None}}},
        {"ports": {"1": {"actor": [0xFFFF, "zz", 0, 255, 1, 5], "partner": [0, "", 0, 0, 0, 0]}}},
    ],
)
def test_warm_what_is_no_memory_is_none(saved: Any) -> None:
    alone = Alone().plug(1)
    alone.system.restore(0, saved)
    alone.wait(3)
    assert alone.port().state == "defaulted"
    assert numbers(saved) == {}


def test_independent_links_of_a_system_with_a_new_name_come_back() -> None:
    """A new MAC is another system to the partner: it takes no longer than a new cable."""
    world = pair(2)
    world.run(10)
    world.systems["a"].set_system(world.now, B[:5] + b"\x77")
    world.collect()
    world.run(3)
    assert world.distributing("a") == world.distributing("b") == {1, 2}
    assert {port.partner.system for port in world.systems["b"].ports.values()} == {B[:5] + b"\x77"}
    assert not any(lacpdu(frame).actor.state & State.EXPIRED for now, _, _, frame in world.sent if now > 10)
