"""The guard's programs: what is diverted, and what keeps its way. A bridge stands for the team.

Where a redirect goes is shown in the lab, by the driver's own ports.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pyteam.datapath.kernel.guard import IN, MAX_PORTS, OUT, Programs
from pyteam.netlink.rtnl import Rtnl
from tests.bpf.harness import NEXT, REDIRECT, UNICAST, run_program
from tests.netns.anonymous import inside, namespace

SLOW = bytes.fromhex("0180c2000002 020000000002 8809") + bytes(46)
LLDP = bytes.fromhex("0180c200000e 020000000002 88cc") + bytes(46)
GROUP = bytes.fromhex("01005e000001 020000000002 0800") + bytes(46)


class Bench:
    """Three ports, the first of them active, all in the order."""

    def __init__(self, rtnl: Rtnl) -> None:
        self.rtnl = rtnl
        self.master = rtnl.add_link("master", "bridge").ifindex
        made = [rtnl.add_veth(f"p{number}", f"far{number}", up=True, peer_up=True) for number in range(3)]
        self.ports = [link.ifindex for link in made]
        self.far = [link.link for link in made]
        for port in self.ports:
            rtnl.set_link(port, master=self.master)
        self.programs = Programs.load(self.master)
        self.order([0, 1, 2])
        self.programs.state.active = self.ports[0]

    def order(self, numbers: list[int]) -> None:
        order = self.programs.state.order[0]
        for at, number in enumerate(numbers):
            order.port[at] = self.ports[number]
        order.count = len(numbers)

    def cut(self, number: int) -> None:
        self.rtnl.set_link(self.far[number], up=False)

    def run(self, name: str, number: int, frame: bytes = UNICAST) -> int:
        return run_program(self.programs.fd(name), frame, self.ports[number])


@pytest.fixture
def bench() -> Iterator[Bench]:
    with namespace() as made, inside(made), Rtnl() as rtnl:
        bench = Bench(rtnl)
        yield bench
        bench.programs.close()


@pytest.mark.parametrize(
    ("cut", "verdict"),
    [
        ([], NEXT),
        ([1, 2], NEXT),
        ([0], REDIRECT),
        ([0, 1], REDIRECT),
        ([0, 2], REDIRECT),
        ([0, 1, 2], NEXT),
    ],
)
def test_what_the_active_port_sends(bench: Bench, cut: list[int], verdict: int) -> None:
    for number in cut:
        bench.cut(number)
    assert bench.run(OUT, 0) == bench.run(OUT, 0, GROUP) == verdict
    assert bench.run(OUT, 0, SLOW) == bench.run(OUT, 0, LLDP) == NEXT


def test_what_another_port_sends_is_its_own(bench: Bench) -> None:
    bench.cut(1)
    assert bench.run(OUT, 1) == NEXT


@pytest.mark.parametrize("order", [[], [0]])
def test_nothing_goes_by_ports_that_are_not_in_the_order(bench: Bench, order: list[int]) -> None:
    bench.order(order)
    bench.cut(0)
    assert bench.run(OUT, 0) == NEXT


def test_an_order_as_long_as_can_be(bench: Bench) -> None:
    bench.order([0] * (MAX_PORTS - 1) + [2])
    bench.cut(0)
    assert bench.run(OUT, 0) == REDIRECT
    bench.cut(2)
    assert bench.run(OUT, 0) == NEXT


def test_nothing_goes_by_what_is_no_port_any_more(bench: Bench) -> None:
    bench.cut(0)
    bench.rtnl.set_link(bench.ports[1], master=0)
    assert bench.run(OUT, 0) == REDIRECT
    bench.rtnl.delete_link(bench.ports[2])
    assert bench.run(OUT, 0) == NEXT


def test_an_active_port_that_was_released_sends_for_itself(bench: Bench) -> None:
    bench.cut(0)
    assert bench.run(OUT, 0) == REDIRECT
    bench.rtnl.set_link(bench.ports[0], master=0)
    assert bench.run(OUT, 0) == NEXT
    assert bench.run(IN, 1) == NEXT


def test_what_comes_in_is_ours_while_the_active_port_is_dead(bench: Bench) -> None:
    assert bench.run(IN, 1) == NEXT
    bench.cut(0)
    assert bench.run(IN, 1) == bench.run(IN, 2, GROUP) == REDIRECT
    assert bench.run(IN, 1, SLOW) == bench.run(IN, 1, LLDP) == NEXT
    assert bench.run(IN, 0) == NEXT


def test_without_an_active_port_nothing_is(bench: Bench) -> None:
    bench.cut(0)
    bench.programs.state.active = 0
    assert bench.run(IN, 1) == bench.run(OUT, 0) == NEXT


def test_nor_when_it_is_gone(bench: Bench) -> None:
    bench.rtnl.delete_link(bench.ports[0])
    assert bench.run(IN, 1) == NEXT


def test_nor_at_what_was_released(bench: Bench) -> None:
    bench.cut(0)
    bench.rtnl.set_link(bench.ports[1], master=0)
    assert bench.run(IN, 1) == NEXT
