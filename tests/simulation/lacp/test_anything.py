"""Whatever happens to several systems, in whatever order: X2 of docs/lacp-machines.md.

``LACP_EXAMPLES=20`` in the environment draws twenty times as many examples as usual.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import cycle
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pyteam.engine.lacp import LacpPort, LacpSystem, Settings
from pyteam.engine.lacp.policy import POLICIES
from pyteam.frames.lacp import Info, Lacpdu, State, parse
from tests.simulation.lacp.invariants import check_pdu, check_system, what_users_know
from tests.simulation.lacp.world import Wire, World, address, settings_of

MORE: Final = int(os.environ.get("LACP_EXAMPLES", "1"))
NAMES: Final = "abcde"
MACS: Final = {name: bytes((2, 0, 0, 0, 0, number)) for number, name in enumerate(NAMES, 10)}
#: Seconds after which healthy systems agree: the longest silence (five periods of 30 s with a retry count of
#: 5, and 3 s), a minute for a partner that does not follow, and waiting.
BOUND: Final = 5 * 30 + 3 + 60 + 10

everything = st.builds(
    Settings,
    system_priority=st.sampled_from([0xFFFF, 0x8000]),
    active=st.booleans(),
    fast_rate=st.booleans(),
    retry_count=st.sampled_from([3, 3, 5]),
    enable_retry_count=st.booleans(),
    fallback=st.sampled_from([False, False, True]),
    max_active_ports=st.sampled_from([0, 0, 1, 2]),
    select_policy=st.sampled_from(sorted(POLICIES)),
    independent=st.booleans(),
)
#: After which seconds a frame arrives: lost, as usual, late (and so overtaken), twice.
fates = st.lists(st.sampled_from([[], [0.001], [0.001], [0.3], [0.001, 0.7], [2.0]]), min_size=1, max_size=5)


def one_way(sender: tuple[str, int]) -> Callable[[tuple[str, int]], list[float]]:
    return lambda who: [0.001] if who == sender else []


class Anything(RuleBasedStateMachine):
    """Systems that are cabled somehow, and everything that can happen to them."""

    size = 2

    @initialize(data=st.data())
    def build(self, data: st.DataObject) -> None:
        self.world = World()
        for name in NAMES[: self.size]:
            self.world.add(name, MACS[name], data.draw(everything, name))
        self.settings = {name: system._settings for name, system in self.world.systems.items()}
        self.free = 0
        pairs = [(a, b) for a in NAMES[: self.size] for b in NAMES[: self.size] if a < b]
        cables = data.draw(st.lists(st.sampled_from(pairs), min_size=self.size, max_size=3 * self.size))
        for a, b in cables:
            self.free += 1
            self.world.cable((a, self.free), (b, self.free))
        self.seen = len(self.world.sent)
        #: What each system's user knows of it.
        self.known: dict[str, object] = {}
        self.broken = False
        self.world.watch = self.check
        self.look()

    # What happens.

    def wire(self, number: int) -> Wire:
        return self.world.wires[number % len(self.world.wires)]

    def name(self, number: int) -> str:
        return NAMES[number % self.size]

    @rule(seconds=st.sampled_from([0.01, 0.5, 1, 2, 3, 10, 35, 100]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(number=st.integers(0, 14), up=st.booleans())
    def cut_or_mend(self, number: int, up: bool) -> None:
        self.world.set_up(self.wire(number), up)

    @rule(number=st.integers(0, 14), speed=st.sampled_from([0, 1000, 10000]))
    def speed(self, number: int, speed: int) -> None:
        if self.wire(number).up:
            self.world.set_up(self.wire(number), True, speed)

    @rule(number=st.integers(0, 14), end=st.integers(0, 1), duplex=st.sampled_from([True, False, None]))
    def duplex(self, number: int, end: int, duplex: bool | None) -> None:
        name, ifindex = self.wire(number).ends[end]
        self.world.systems[name].see(self.world.now, ifindex, self.wire(number).up, 1000, duplex)
        self.world.collect()

    @rule(number=st.integers(0, 14), pattern=fates)
    def spoil(self, number: int, pattern: list[list[float]]) -> None:
        steps = cycle(pattern)
        self.wire(number).fate = lambda sender: next(steps)

    @rule(number=st.integers(0, 14), end=st.integers(0, 1))
    def break_one_way(self, number: int, end: int) -> None:
        self.wire(number).fate = one_way(self.wire(number).ends[end])

    @rule(number=st.integers(0, 4), settings=everything)
    def configure(self, number: int, settings: Settings) -> None:
        self.settings[self.name(number)] = settings
        self.world.systems[self.name(number)].configure(self.world.now, settings)
        self.world.collect()

    @rule(number=st.integers(0, 14), end=st.integers(0, 1), key=st.integers(0, 1), prio=st.integers(0, 2))
    def configure_port(self, number: int, end: int, key: int, prio: int) -> None:
        name, ifindex = self.wire(number).ends[end]
        settings = settings_of(
            name.encode() * 2, ifindex, key=key, prio=prio, priority=255 - prio, sticky=bool(prio)
        )
        self.world.systems[name].configure_port(self.world.now, ifindex, settings)
        self.world.collect()

    @rule(number=st.integers(0, 14), end=st.integers(0, 1))
    def replug(self, number: int, end: int) -> None:
        name, ifindex = self.wire(number).ends[end]
        system = self.world.systems[name]
        settings = system.ports[ifindex].settings
        system.remove_port(self.world.now, ifindex)
        self.world.collect()
        system.add_port(self.world.now, ifindex, settings)
        system.see(self.world.now, ifindex, self.wire(number).up, 1000, True)
        self.world.collect()

    @rule(
        number=st.integers(0, 4), warm=st.booleans(), polite=st.booleans(), away=st.sampled_from([0, 0.5, 5])
    )
    def restart(self, number: int, warm: bool, polite: bool, away: float) -> None:
        name = self.name(number)
        before = self.world.systems[name]
        saved = json.loads(json.dumps(before.save(self.world.now)))
        if polite and not warm:
            before.goodbye(self.world.now)
            self.world.collect()
        ports = dict(before.ports)
        after = LacpSystem(self.settings[name], MACS[name])
        # While it is away nobody hears what is sent to it.
        self.world.systems[name] = LacpSystem(self.settings[name], MACS[name])
        self.world.run(away)
        self.world.systems[name] = after
        for ifindex, port in ports.items():
            after.add_port(self.world.now, ifindex, port.settings)
            after.see(self.world.now, ifindex, port.enabled, port.speed, port.full_duplex)
        if warm:
            after.restore(self.world.now, saved)
        self.world.collect()

    @rule(number=st.integers(0, 14), end=st.integers(0, 1))
    def choose(self, number: int, end: int) -> None:
        name, ifindex = self.wire(number).ends[end]
        self.world.systems[name].choose(self.world.now, ifindex)
        self.world.collect()

    @rule(
        number=st.integers(0, 14),
        end=st.integers(0, 1),
        system=st.sampled_from([*MACS.values(), bytes(6), b"\xff" * 6]),
        port=st.sampled_from([0, 1, 2, 7, 0xFFFF]),
        key=st.integers(0, 2),
        state=st.integers(0, 255),
        echo=st.booleans(),
    )
    def forge(
        self, number: int, end: int, system: bytes, port: int, key: int, state: int, echo: bool
    ) -> None:
        name, ifindex = self.wire(number).ends[end]
        target = self.world.systems[name]
        view = target.ports[ifindex].actor if echo else Info(0, bytes(6), 0, 0, 0, 0)
        frame = Lacpdu(Info(0x8000, system, key, 255, port, state), view).encode(address(system, port))
        target.receive(self.world.now, ifindex, frame)
        self.world.collect()

    @rule(number=st.integers(0, 14), end=st.integers(0, 1), junk=st.binary(max_size=130))
    def noise(self, number: int, end: int, junk: bytes) -> None:
        name, ifindex = self.wire(number).ends[end]
        self.world.systems[name].receive(self.world.now, ifindex, junk)
        self.world.collect()

    @precondition(lambda self: self.world.now < 200)
    @rule()
    def heal(self) -> None:
        """All links are as links should be; after a while both ends of each agree, and something works."""
        self.make_healthy()
        self.world.run(BOUND if self.size == 2 else 2 * BOUND)
        self.check_agreement()
        self.check_progress()

    def teardown(self) -> None:
        if hasattr(self, "world") and not self.broken:
            self.heal()

    def make_healthy(self) -> None:
        for wire in self.world.wires:
            wire.fate = lambda sender: [0.001]
            self.world.set_up(wire, True)

    # What has to hold.

    @invariant()
    def look(self) -> None:
        """After each step, at all; what was not said to have changed has not."""
        for name, system in getattr(self, "known", {}) and self.world.systems.items():
            self.broken = True
            check_system(system, self.world.now)
            assert self.known.get(name) in (None, what_users_know(system))
            self.broken = False

    def check(self) -> None:
        """After every event, where it may have changed something."""
        self.broken = True
        for name, system in self.world.systems.items():
            deadline = system.deadline
            assert deadline is None or deadline > self.world.now, "no timer is due"
            if system.changed:
                self.known[name] = what_users_know(system)
                check_system(system, self.world.now)
        for now, name, ifindex, frame in self.world.sent[self.seen :]:
            pdu = parse(frame)
            if isinstance(pdu, Lacpdu) and ifindex in self.world.systems[name].ports:
                assert (pdu.actor.state | pdu.partner.state) & State.ACTIVITY, "both are passive"
                check_pdu(pdu)
            assert now == self.world.now
        self.seen = len(self.world.sent)
        self.broken = False

    def ends(self, wire: Wire) -> list[LacpPort]:
        return [self.world.systems[name].ports[ifindex] for name, ifindex in wire.ends]

    def check_agreement(self) -> None:
        for wire in self.world.wires:
            one, two = self.ends(wire)
            if one.fallback or two.fallback:
                continue
            assert one.distributing == two.distributing, (one, two)
            assert bool(one.why_not) is not one.distributing
            if one.distributing:
                assert (one.partner, two.partner) == (two.actor, one.actor)

    def check_progress(self) -> None:
        """Of two systems with a link that both would use, none is idle."""
        if self.size > 2 and {self.settings[name].select_policy for name in self.world.systems} != {
            "lacp_prio"
        }:
            return
        idle = {
            name
            for name, system in self.world.systems.items()
            if not any(port.distributing for port in system.ports.values())
        }
        for wire in self.world.wires:
            (a, _), (b, _) = wire.ends
            speaks = self.settings[a].active or self.settings[b].active
            assert not (speaks and a in idle and b in idle), [
                (name, index, port.why_not)
                for name in sorted(idle)
                for index, port in self.world.systems[name].ports.items()
            ]


@pytest.mark.parametrize(("size", "examples", "steps"), [(2, 40, 30), (3, 25, 30), (5, 12, 30)])
def test_anything(size: int, examples: int, steps: int) -> None:
    machine = type(f"Anything{size}", (Anything,), {"size": size})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * MORE,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
