"""Selection: S1 to S7 of docs/lacp-machines.md, the policies, and the limit of active ports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyteam.engine.lacp import MuxState, Selected, Settings
from pyteam.frames.lacp import State
from tests.simulation.lacp.world import IN_SYNC, WORKING, A, Alone, B, C, World, pair, settings_of

OUT = IN_SYNC & ~State.SYNC


def states(alone: Alone) -> dict[int, Selected]:
    return {ifindex: port.selected for ifindex, port in alone.system.ports.items()}


def test_s1_the_same_partner_and_keys_aggregate() -> None:
    alone = Alone().plug(1, 2, 3).join(1, 2, 3)
    assert {port.aggregator for port in alone.system.ports.values()} == {1}
    assert all(port.distributing for port in alone.system.ports.values())
    assert alone.system.selected_aggregator == 1


@pytest.mark.parametrize("change", [{"system": C}, {"priority": 9}, {"key": 9}])
def test_s1_s5_another_partner_or_key_is_another_aggregator_and_only_one_works(
    change: dict[str, int],
) -> None:
    alone = Alone().plug(1, 2, 3)
    alone.hear(WORKING, 1)
    alone.hear(WORKING, 2, **change)  # type: ignore[arg-type]
    alone.hear(WORKING, 3)
    told = alone.wait(30)
    used, other = ([2], [1, 3]) if "priority" in change else ([1, 3], [2])
    assert [alone.port(index).distributing for index in used] == [True] * len(used)
    assert [alone.port(index).selected for index in other] == [Selected.STANDBY] * len(other)
    assert {alone.port(index).aggregator for index in other} == {other[0]}
    assert not any(pdu.actor.port in other and pdu.actor.state & State.SYNC for pdu in told)
    assert alone.port(other[0]).why_not == "the team uses another aggregator"


def test_s1_another_key_of_ours_is_another_aggregator() -> None:
    alone = Alone().plug(1).plug(2, key=5).join(1, 2)
    assert [alone.port(index).aggregator for index in (1, 2)] == [1, 2]
    assert [alone.port(index).distributing for index in (1, 2)] == [True, False]


def test_s2_an_individual_link_is_alone() -> None:
    alone = Alone().plug(1, 2).join(1, 2, state=IN_SYNC & ~State.AGGREGATION)
    assert [alone.port(index).aggregator for index in (1, 2)] == [1, 2]
    assert [alone.port(index).distributing for index in (1, 2)] == [True, False]


def test_s3_a_loop_is_kept_out_and_named_once() -> None:
    world = World()
    world.add("a", A)
    world.cable(("a", 1), ("a", 2))
    world.run(200)
    assert world.distributing("a") == set()
    for port in world.systems["a"].ports.values():
        assert (port.selected, port.aggregator) == (Selected.UNSELECTED, 0)
        assert port.why_not == "it hears this very system: the cable is a loop, or somebody uses our MAC"
    lines = [text for _, (_, _, text) in world.remarks if "loopbacked" in text]
    assert lines == ["Port seems to be loopbacked to the same team device."] * 2


def test_s3_a_loop_that_is_mended_forms() -> None:
    alone = Alone().plug(1)
    alone.hear(WORKING, system=A)
    assert alone.port().aggregator == 0
    alone.join()
    assert alone.port().distributing


def test_s4_another_key_looks_for_another_aggregator() -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    alone.system.configure_port(alone.now, 2, settings_of(A, 2, key=5))
    [told] = alone.take()
    assert (told.actor.key, told.actor.state & State.SYNC) == (5, 0)
    assert [alone.port(index).aggregator for index in (1, 2)] == [1, 2]
    assert [alone.port(index).distributing for index in (1, 2)] == [True, False]
    alone.system.configure_port(alone.now, 2, settings_of(A, 2))
    alone.take()
    alone.hear(WORKING, 2)
    alone.wait(2)
    alone.hear(WORKING, 2)
    assert alone.port(2).distributing


def test_s4_another_priority_moves_nothing_and_is_told() -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    alone.system.configure_port(alone.now, 2, settings_of(A, 2, priority=1))
    [told] = alone.take()
    assert (told.actor.port_priority, told.actor.state) == (1, WORKING)
    assert alone.port(2).distributing


def test_s4_an_expired_port_with_another_key_has_no_place_until_it_is_heard() -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1).join()
    alone.wait(3.5)
    assert (alone.port().state, alone.port().aggregator) == ("expired", 1)
    alone.system.configure_port(alone.now, 1, settings_of(A, 1, key=5))
    assert (alone.port().aggregator, alone.mux()) == (0, MuxState.DETACHED)
    alone.join()
    assert alone.port().distributing


def test_s5_only_one_partner_of_two_is_served_and_the_other_takes_over() -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1, 2, 3, 4)
    two: dict[int, Callable[[], object]] = {
        3: lambda: alone.hear(WORKING, 3, system=C),
        4: lambda: alone.hear(WORKING, 4, system=C),
    }
    one: dict[int, Callable[[], object]] = {
        1: lambda: alone.hear(WORKING, 1),
        2: lambda: alone.hear(WORKING, 2),
    }
    for hear in (*one.values(), *two.values()):
        hear()
    alone.wait(10, partners=one | two)
    assert [alone.port(index).distributing for index in (1, 2, 3, 4)] == [True, True, False, False]
    start = alone.now
    alone.wait(2.5, partners=two)
    assert alone.port(1).distributing
    alone.wait(1, partners=two)
    # It has waited already: it is in sync at the moment when the first partner is given up.
    assert [alone.port(index).distributing for index in (1, 2, 3, 4)] == [False, False, True, True]
    assert alone.now - start < 4


def test_s7_half_duplex_never_unknown_does() -> None:
    alone = Alone().plug(1, 2)
    alone.see(1, True, 0, None)
    alone.see(2, True, 100, False)
    alone.join(1)
    alone.hear(WORKING, 2)
    assert [alone.port(index).distributing for index in (1, 2)] == [True, False]


def test_s7_unequal_speeds_do_not_mix_and_an_unknown_one_fits_any() -> None:
    alone = Alone(Settings(select_policy="bandwidth")).plug(1, speed=1000).plug(2, speed=10000)
    alone.plug(3, speed=0).join(2, 3, 1)
    assert [alone.port(index).aggregator for index in (1, 2, 3)] == [1, 2, 2]
    assert [alone.port(index).distributing for index in (1, 2, 3)] == [False, True, True]


def test_s7_one_that_becomes_slower_leaves_the_others() -> None:
    alone = Alone().plug(1, 2, 3).join(1, 2, 3)
    alone.see(2, True, 100)
    assert [alone.port(index).distributing for index in (1, 2, 3)] == [True, False, True]
    alone.see(2, True, 1000)
    alone.wait(2)
    assert alone.port(2).distributing


def test_s7_all_that_become_faster_end_up_together() -> None:
    alone = Alone().plug(1, 2).join(1, 2)
    for index in (1, 2):
        alone.see(index, True, 10000)
    alone.wait(2)
    assert {port.aggregator for port in alone.system.ports.values()} == {1}
    assert all(port.distributing for port in alone.system.ports.values())


def test_s7_a_speed_that_becomes_known_moves_nothing() -> None:
    alone = Alone().plug(1, 2, speed=0).join(1, 2)
    alone.see(1, True, 1000)
    assert all(port.distributing for port in alone.system.ports.values())


# Policies. Port 1 speaks to B; 2 and 3 to C, which is the better system for being the better one here.


def team(policy: str, **settings: object) -> Alone:
    return Alone(Settings(select_policy=policy, system_priority=1, **settings))  # type: ignore[arg-type]


def speak(alone: Alone, *ifindexes: int) -> None:
    for ifindex in ifindexes:
        alone.hear(WORKING, ifindex, system=B if ifindex == 1 else C)


@pytest.mark.parametrize(
    ("policy", "speeds", "used"),
    [
        ("lacp_prio", (1000, 1000, 1000), 1),
        ("lacp_prio_stable", (1000, 1000, 1000), 1),
        ("port_config", (1000, 1000, 1000), 1),
        ("bandwidth", (1000, 1000, 1000), 2),
        ("bandwidth", (10000, 1000, 1000), 1),
        ("bandwidth", (0, 0, 0), 1),
        ("count", (10000, 100, 100), 2),
    ],
)
def test_policies(policy: str, speeds: tuple[int, ...], used: int) -> None:
    alone = team(policy)
    for ifindex, speed in enumerate(speeds, 1):
        alone.plug(ifindex, speed=speed)
    speak(alone, 1, 2, 3)
    assert alone.system.selected_aggregator == used


@pytest.mark.parametrize(("low", "high"), [(255, 256), (0x1FF, 0x200), (1, 0xFFFF)])
def test_priorities_are_numbers(low: int, high: int) -> None:
    alone = team("lacp_prio").plug(1, priority=high).plug(2, priority=low)
    speak(alone, 1, 2)
    assert alone.system.selected_aggregator == 2


def test_the_better_systems_priorities_count() -> None:
    alone = Alone().plug(1, priority=1).plug(2, priority=2)
    alone.hear(WORKING, 1, priority=1, key=1, port_priority=20)
    alone.hear(WORKING, 2, priority=1, key=2, port_priority=10)
    assert alone.system.selected_aggregator == 2


def test_the_best_port_leads_its_aggregator() -> None:
    alone = team("lacp_prio").plug(1, priority=9).plug(2, priority=5).plug(3, priority=7)
    for ifindex in (1, 2, 3):
        alone.hear(WORKING, ifindex)
    assert {port.aggregator for port in alone.system.ports.values()} == {2}
    alone.see(2, False)
    assert {alone.port(index).aggregator for index in (1, 3)} == {3}
    alone.system.configure_port(alone.now, 1, settings_of(A, 1, priority=1))
    assert alone.system.selected_aggregator == 1


@pytest.mark.parametrize(("policy", "used"), [("lacp_prio", 1), ("lacp_prio_stable", 2)])
def test_stable_keeps_what_it_has(policy: str, used: int) -> None:
    alone = team(policy).plug(1, 2, 3)
    speak(alone, 2, 3)
    speak(alone, 1)
    assert alone.system.selected_aggregator == used
    alone.see(2, False)
    alone.see(3, False)
    assert alone.system.selected_aggregator == 1


@pytest.mark.parametrize(("sticky", "used"), [(False, 1), (True, 2)])
def test_port_config_prefers_prio_and_sticks(sticky: bool, used: int) -> None:
    alone = team("port_config").plug(1, prio=10).plug(2, prio=5, sticky=sticky).plug(3)
    speak(alone, 2, 3)
    speak(alone, 1)
    assert alone.system.selected_aggregator == used


def test_port_config_is_read_anew() -> None:
    alone = team("port_config").plug(1, 2)
    speak(alone, 1, 2)
    assert alone.system.selected_aggregator == 1
    alone.system.configure_port(alone.now, 2, settings_of(A, 2, prio=1))
    assert alone.system.selected_aggregator == 2


def test_bandwidth_follows_a_change_of_speed() -> None:
    alone = team("bandwidth").plug(1, 2)
    speak(alone, 1, 2)
    assert alone.system.selected_aggregator == 1
    alone.see(2, True, 10000)
    assert alone.system.selected_aggregator == 2
    # Of equal ones the one in use stays.
    alone.see(1, True, 10000)
    assert alone.system.selected_aggregator == 2


def test_another_policy_at_run_time() -> None:
    alone = team("lacp_prio").plug(1, 2, 3)
    speak(alone, 1, 2, 3)
    assert alone.system.selected_aggregator == 1
    alone.system.configure(alone.now, Settings(select_policy="count", system_priority=1))
    assert alone.system.selected_aggregator == 2


def test_one_that_nobody_uses_is_not_preferred() -> None:
    """A suspended port, which stays out of sync at its switch, must not take the team down."""
    alone = Alone().plug(1, 2)
    alone.hear(OUT, 1, priority=1, key=1)
    alone.hear(IN_SYNC, 2, priority=1, key=2)
    assert alone.system.selected_aggregator == 2
    # But as soon as it is used there.
    alone.hear(IN_SYNC, 1, priority=1, key=1)
    assert alone.system.selected_aggregator == 1


def test_a_partner_that_will_not_is_left_for_one_that_does() -> None:
    """We are the better system and choose; the one that we chose has a minute to follow."""
    alone = team("lacp_prio").plug(1, 2)
    both: dict[int, Callable[[], object]] = {
        1: lambda: alone.hear(OUT, 1),
        2: lambda: alone.hear(WORKING, 2, system=C),
    }
    alone.hear(OUT, 1)
    alone.hear(OUT, 2, system=C)
    alone.wait(61.9, partners=both | {2: lambda: alone.hear(OUT, 2, system=C)})
    assert alone.system.selected_aggregator == 1
    alone.wait(200, partners=both)
    assert alone.system.selected_aggregator == 2
    assert alone.port(2).distributing
    speak(alone, 1)
    assert alone.system.selected_aggregator == 1
    assert alone.port(1).distributing


def test_who_stands_by_for_long_is_preferred_as_soon_as_it_is_better() -> None:
    alone = team("bandwidth").plug(1, 2)
    standing: dict[int, Callable[[], object]] = {
        1: lambda: speak(alone, 1),
        2: lambda: alone.hear(OUT, 2, system=C),
    }
    for hear in standing.values():
        hear()
    alone.wait(200, partners=standing)
    assert alone.system.selected_aggregator == 1
    alone.see(2, True, 10000)
    assert alone.system.selected_aggregator == 2


def test_the_choice_of_a_user_lasts_until_something_changes() -> None:
    alone = team("lacp_prio").plug(1, 2, 3)
    speak(alone, 1, 2)
    assert not alone.system.choose(alone.now, 3), "no aggregator"
    assert alone.system.choose(alone.now, 2)
    assert alone.system.selected_aggregator == 2
    alone.wait(20, partners={1: lambda: speak(alone, 1), 2: lambda: speak(alone, 2)})
    assert alone.system.selected_aggregator == 2
    assert [alone.port(index).distributing for index in (1, 2)] == [False, True]
    alone.see(1, True, 100)
    assert alone.system.selected_aggregator == 2, "no fact of this policy"
    speak(alone, 3)
    assert alone.system.selected_aggregator == 2
    alone.system.configure_port(alone.now, 1, settings_of(A, 1, priority=1))
    assert alone.system.selected_aggregator == 1


# The limit.


def test_limit_the_rest_stands_by_in_order_and_takes_over() -> None:
    alone = team("lacp_prio", max_active_ports=2).plug(1, 2, 3).plug(4, priority=1)
    told = alone.join(1, 2, 3, 4).wait(10)
    assert [alone.port(index).distributing for index in (1, 2, 3, 4)] == [True, False, False, True]
    assert alone.port(2).selected is Selected.STANDBY
    assert not any(pdu.actor.port in (2, 3) and pdu.actor.state & State.SYNC for pdu in told)
    assert alone.port(2).why_not == "it stands by: 2 ports may be active at once, others come first"
    alone.see(4, False)
    alone.hear(WORKING, 2)
    assert [alone.port(index).distributing for index in (1, 2, 3)] == [True, True, False]
    alone.see(4, True)
    alone.hear(WORKING, 4)
    assert [port.selected for port in alone.system.ports.values()].count(Selected.SELECTED) == 2
    assert alone.port(2).selected is Selected.STANDBY


def test_limit_changes_at_run_time() -> None:
    alone = Alone().plug(1, 2, 3).join(1, 2, 3)
    alone.system.configure(alone.now, Settings(max_active_ports=1))
    assert [port.distributing for port in alone.system.ports.values()] == [True, False, False]
    alone.system.configure(alone.now, Settings())
    alone.take()
    alone.wait(3)
    assert [port.distributing for port in alone.system.ports.values()] == [True, True, True]


@pytest.mark.parametrize(("a", "b"), [(1, 0), (2, 3), (3, 1), (1, 1)])
def test_limits_of_both_sides_go_together(a: int, b: int) -> None:
    world = pair(4, Settings(max_active_ports=a), Settings(max_active_ports=b))
    world.run(5)
    limit = min(limit for limit in (a, b) if limit)
    assert world.distributing("a") == world.distributing("b") == set(range(1, limit + 1))


def test_an_expired_port_gives_its_place_away() -> None:
    alone = team("lacp_prio", max_active_ports=1, fast_rate=True).plug(1, 2).join(1, 2)
    assert alone.port(1).distributing
    alone.wait(4, partners={2: lambda: alone.hear(WORKING, 2)})
    assert [alone.port(index).distributing for index in (1, 2)] == [False, True]
    assert alone.port(1).mux_state is MuxState.WAITING
