"""The mux machine: M1 to M5 of docs/lacp-machines.md, and churn, C1."""

from __future__ import annotations

import pytest

from pyteam.engine.lacp import MuxState, Settings
from pyteam.frames.lacp import State
from tests.simulation.lacp.world import FAST, IN_SYNC, WORKING, Alone, pair

OUT = IN_SYNC & ~State.SYNC
INDEPENDENT = Settings(independent=True)


def test_m1_s6_by_waiting_to_attached_to_collecting_and_distributing() -> None:
    alone = Alone().plug(1)
    port = alone.port()
    seen = [alone.mux()]
    alone.hear(OUT)
    seen.append(alone.mux())
    assert not port.actor.state & State.SYNC
    assert port.why_not == "it waits for other ports to join with it"
    alone.wait(1.999)
    assert alone.mux() is MuxState.WAITING
    [told] = alone.wait(0.001)
    seen.append(alone.mux())
    assert told.actor.state == IN_SYNC
    assert not port.distributing
    [told] = alone.hear(IN_SYNC)
    seen.append(alone.mux())
    assert told.actor.state == WORKING
    assert port.why_not == ""
    assert seen == [
        MuxState.DETACHED,
        MuxState.WAITING,
        MuxState.ATTACHED,
        MuxState.COLLECTING_DISTRIBUTING,
    ]


def test_m2_not_before_the_partner_is_in_sync() -> None:
    alone = Alone().plug(1)
    alone.wait(100, partners={1: lambda: alone.hear(OUT)})
    port = alone.port()
    assert alone.mux() is MuxState.ATTACHED
    assert port.why_not == "the partner 02:00:00:00:00:0b is not in sync: it has not chosen this port"
    alone.hear(IN_SYNC)
    assert port.distributing


@pytest.mark.parametrize("settings", [Settings(), INDEPENDENT])
def test_m3_a_partner_out_of_sync_stops_it_at_once(settings: Settings) -> None:
    alone = Alone(settings).plug(1).join()
    assert alone.port().distributing
    alone.wait(5)
    told = alone.hear(OUT)
    port = alone.port()
    assert alone.mux() is MuxState.ATTACHED
    assert (port.collecting, port.distributing) == (False, False)
    assert told[-1].actor.state == IN_SYNC
    # And is in again at once, without waiting.
    alone.hear(WORKING)
    assert port.distributing


def test_m3_so_does_its_silence() -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1).join()
    alone.wait(3)
    port = alone.port()
    assert port.state == "expired"
    assert alone.mux() is MuxState.ATTACHED, "it stays in its aggregator for now"
    assert port.why_not == "the partner 02:00:00:00:00:0b has fallen silent"
    alone.wait(3)
    assert alone.mux() is MuxState.DETACHED


def test_m4_independent_control_collects_first() -> None:
    alone = Alone(INDEPENDENT).plug(1)
    alone.hear(IN_SYNC)
    alone.wait(2)
    port = alone.port()
    assert alone.mux() is MuxState.COLLECTING
    assert (port.collecting, port.distributing) == (True, False)
    assert port.why_not == "the partner 02:00:00:00:00:0b does not collect yet"
    [told] = alone.hear(IN_SYNC | State.COLLECTING)
    assert told.actor.state == WORKING
    assert alone.mux() is MuxState.DISTRIBUTING
    alone.wait(1)
    [told] = alone.hear(IN_SYNC)
    assert told.actor.state == IN_SYNC | State.COLLECTING
    assert alone.mux() is MuxState.COLLECTING


@pytest.mark.parametrize("a", [Settings(), INDEPENDENT])
@pytest.mark.parametrize("b", [Settings(), INDEPENDENT])
def test_m4_both_kinds_of_control_understand_each_other(a: Settings, b: Settings) -> None:
    world = pair(2, a, b)
    world.run(4)
    assert world.distributing("a") == world.distributing("b") == {1, 2}


def test_m4_the_control_changes_without_a_gap() -> None:
    alone = Alone().plug(1).join()
    for settings in (INDEPENDENT, Settings()):
        alone.system.changed  # noqa: B018 (asking clears it)
        alone.system.configure(alone.now, settings)
        alone.take()
        assert alone.port().distributing
        assert not alone.system.changed


def test_m5_every_change_is_told_at_once() -> None:
    world = pair(1)
    before: dict[str, int] = {}

    def watch() -> None:
        for name, system in world.systems.items():
            bits = system.ports[1].actor.state & (State.SYNC | State.COLLECTING | State.DISTRIBUTING)
            if before.setdefault(name, 0) != bits:
                before[name] = bits
                assert world.sent[-1][0] == world.now
                assert world.last_state(name, 1) == system.ports[1].actor.state

    world.watch = watch
    world.run(10)
    assert set(before.values()) == {State.SYNC | State.COLLECTING | State.DISTRIBUTING}


def test_ready_one_that_comes_later_keeps_the_first_waiting_as_the_standard_says() -> None:
    alone = Alone().plug(1, 2)
    alone.hear(ifindex=1)
    alone.wait(1.5)
    alone.hear(ifindex=2)
    alone.wait(1.999)
    assert [alone.mux(index) for index in (1, 2)] == [MuxState.WAITING] * 2
    alone.wait(0.001)
    assert [alone.port(index).distributing for index in (1, 2)] == [True, True]


def test_s6_ready_one_that_joins_a_working_aggregator_waits_and_disturbs_nobody() -> None:
    alone = Alone().plug(1, 2).join(1)
    alone.hear(ifindex=2)
    alone.wait(1.999)
    assert (alone.port(1).distributing, alone.mux(2)) == (True, MuxState.WAITING)
    alone.wait(0.001)
    assert alone.port(2).distributing


@pytest.mark.parametrize("goes", ["down", "removed", "another partner"])
def test_ready_one_that_goes_is_not_waited_for(goes: str) -> None:
    alone = Alone().plug(1, 2)
    alone.hear(ifindex=1)
    alone.wait(1.5)
    alone.hear(ifindex=2)
    alone.wait(1)
    assert alone.mux(1) is MuxState.WAITING
    if goes == "down":
        alone.see(2, False)
    elif goes == "removed":
        alone.system.remove_port(alone.now, 2)
    else:
        alone.hear(ifindex=2, key=99, priority=0xFFFF)
    assert alone.port(1).distributing


def test_c1_a_minute_out_of_sync_is_churn() -> None:
    alone = Alone().plug(1)
    port = alone.port()
    alone.wait(59.9)
    assert (port.actor_churn, port.partner_churn) == (False, False)
    alone.wait(0.1)
    assert (port.actor_churn, port.partner_churn) == (True, True)
    why = port.why_not
    assert alone.said("60 s") == [
        f"{who} not in sync for 60 s: {why}." for who in ("We are", "The partner is")
    ]
    alone.hear(OUT | FAST)
    alone.wait(2)
    assert (port.actor_churn, port.partner_churn) == (False, True)
    alone.hear(IN_SYNC | FAST)
    assert (port.actor_churn, port.partner_churn) == (False, False)


def test_c1_a_partner_that_goes_out_of_sync_has_a_minute() -> None:
    alone = Alone().plug(1).join()
    alone.hear(OUT)
    alone.wait(50)
    alone.hear(IN_SYNC)
    alone.hear(OUT)
    alone.wait(59)
    assert not alone.port().partner_churn
    alone.wait(1)
    assert alone.port().partner_churn
    assert not alone.port().actor_churn


def test_c1_a_port_that_is_down_does_not_churn() -> None:
    alone = Alone().plug(1)
    alone.see(1, False)
    alone.wait(100)
    assert not alone.port().actor_churn
    assert alone.said("60 s") == []
