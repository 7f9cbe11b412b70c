"""The reconciler's promise, from any state of the simulated datapath to any other.

It gets there, a second pass has nothing to do, and on the way no moment is worse than both ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyteam.datapath.simulated import MODES, SimulatedDatapath
from pyteam.datapath.simulated_world import ONE_ADDRESS, World
from pyteam.engine.desired import Desired
from pyteam.engine.hashtable import KEYS
from pyteam.engine.reconcile import commands
from pyteam.options import OptionKey, OptionValue
from tests.simulation.harness import execute

PORTS = (11, 12, 13, 14)
PORT_VALUES: dict[str, st.SearchStrategy[OptionValue]] = {
    "enabled": st.booleans(),
    "user_linkup": st.booleans(),
    "user_linkup_enabled": st.booleans(),
    "priority": st.integers(-3, 3),
    "queue_id": st.integers(0, 3),
}
ADDRESSES = st.integers(1, 5).map(lambda last: bytes((2, 0, 0, 0, 1, last)))


@st.composite
def desires(draw: st.DrawFn, modes: Iterable[str] = MODES, whole: bool = False) -> Desired:
    """``whole``: nothing is left open, as in what a runner of the mode wants."""
    mode = draw(st.sampled_from(list(modes)))
    members = draw(st.frozensets(st.sampled_from(PORTS), min_size=int(whole)))
    options: dict[OptionKey, OptionValue] = {OptionKey("mode"): mode}
    for port in sorted(members):
        for name, values in PORT_VALUES.items():
            if whole or draw(st.booleans()):
                options[OptionKey(name, port)] = draw(values)
    if draw(st.booleans()):
        options[OptionKey("notify_peers_count")] = draw(st.integers(0, 3))
    if mode == "activebackup" and members and (whole or draw(st.booleans())):
        first = draw(st.sampled_from(sorted(members)))
        options[OptionKey("activeport")] = first
        order = draw(st.permutations(sorted(members)))
        options[OptionKey("failover_order")] = struct.pack(f"={len(order)}I", *order)
        if whole:
            options |= {OptionKey("enabled", port): port == first for port in members}
    carriers = sorted(port for port in members if options.get(OptionKey("enabled", port)))
    if mode == "loadbalance" and carriers:
        for key in KEYS[: draw(st.integers(0, 8))]:
            options[key] = draw(st.sampled_from(carriers))
    places = sorted({1, *members})
    # Where the kernel gives the team's MAC to all ports, nobody wishes for others.
    one = draw(ADDRESSES) if mode in ONE_ADDRESS else None
    addresses = {place: one or draw(ADDRESSES) for place in places if one or draw(st.booleans())}
    return Desired(members, options, addresses, draw(st.sampled_from([None, True, False])))


def device(cut: Iterable[int]) -> tuple[World, SimulatedDatapath]:
    world = World()
    for port in PORTS:
        world.plug(f"eth{port}", ifindex=port, cable=port not in cut)
    return world, SimulatedDatapath.create(world, "team0")


def placed(desired: Desired, datapath: SimulatedDatapath) -> Desired:
    """With the address meant for the team under its index."""
    addresses = {(datapath.ifindex if place == 1 else place): mac for place, mac in desired.addresses.items()}
    return Desired(desired.members, desired.options, addresses, desired.carrier)


def reach(datapath: SimulatedDatapath, desired: Desired) -> list[tuple[frozenset[int], frozenset[int]]]:
    """Every moment of a pass: where packets could leave and arrive."""
    moments = [(datapath.sending(), datapath.listening())]
    for command in commands(datapath.actual(), desired):
        execute(datapath, command)
        moments.append((datapath.sending(), datapath.listening()))
    return moments


def satisfied(datapath: SimulatedDatapath, desired: Desired) -> bool:
    actual = datapath.actual()
    return (
        actual.members == desired.members
        and all(actual.options[key] == value for key, value in desired.options.items())
        and all(actual.addresses[ifindex] == value for ifindex, value in desired.addresses.items())
        and (desired.carrier is None or (actual.carrier_is_set and actual.carrier == desired.carrier))
    )


@given(desires(), desires(), st.frozensets(st.sampled_from(PORTS)))
def test_it_reaches_what_is_desired_and_then_has_nothing_to_do(
    first: Desired, second: Desired, cut: frozenset[int]
) -> None:
    _, datapath = device(cut)
    for desired in (placed(first, datapath), placed(second, datapath)):
        reach(datapath, desired)
        assert satisfied(datapath, desired)
        assert commands(datapath.actual(), desired) == []


# The moments that could be bad are rare.
@settings(max_examples=500)
@given(
    st.sampled_from(MODES).flatmap(
        lambda mode: st.tuples(desires([mode], whole=True), desires([mode], whole=True))
    ),
    st.frozensets(st.sampled_from(PORTS)),
)
def test_it_makes_before_it_breaks(both: tuple[Desired, Desired], cut: frozenset[int]) -> None:
    _, datapath = device(cut)
    first, second = (placed(desired, datapath) for desired in both)
    reach(datapath, first)
    assume(first != second)
    moments = reach(datapath, second)
    for direction in (0, 1):
        usable = [len(moment[direction]) for moment in moments]
        assert min(usable) >= min(usable[0], usable[-1]), usable


@given(desires(["loadbalance"], whole=True), desires(["loadbalance"], whole=True))
def test_an_entry_of_the_table_always_has_a_port(first: Desired, second: Desired) -> None:
    _, datapath = device(())
    first, second = placed(first, datapath), placed(second, datapath)
    reach(datapath, first)
    kept = [key for key in KEYS if key in first.options and key in second.options]
    for command in commands(datapath.actual(), second):
        execute(datapath, command)
        assert all(datapath.actual().options[key] for key in kept), command


@given(desires(), desires())
def test_what_nobody_wishes_is_left_alone(first: Desired, second: Desired) -> None:
    _, datapath = device(())
    first, second = placed(first, datapath), placed(second, datapath)
    reach(datapath, first)
    asked = {*second.options, *second.addresses}
    for command in commands(datapath.actual(), second):
        subject = getattr(command, "key", None) or getattr(command, "ifindex", None)
        assert subject in asked | second.members | first.members | {None}
