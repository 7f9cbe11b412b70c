"""Whether a frame that comes in on a port is the team's."""

from __future__ import annotations

import pytest

from tests.bpf.harness import NEXT, REDIRECT, SHOT, UNICAST, programs
from tests.netns.anonymous import inside, namespace

SOURCE = bytes.fromhex("020000000002")
LACP = bytes.fromhex("0180c2000002") + SOURCE + bytes.fromhex("8809") + bytes(110)
LLDP = bytes.fromhex("0180c200000e") + SOURCE + bytes.fromhex("88cc") + bytes(46)
TAGGED_SLOW = bytes.fromhex("020000000001") + SOURCE + bytes.fromhex("8100000a8809") + bytes(46)
MULTICAST = bytes.fromhex("01005e000001") + SOURCE + bytes.fromhex("0800") + bytes(46)
NOT_QUITE_LINK_LOCAL = bytes.fromhex("0180c2000010") + SOURCE + bytes.fromhex("0800") + bytes(46)
TIPC = UNICAST[:12] + bytes.fromhex("88ca") + bytes(46)
TIPC_BROADCAST = bytes(6 * [255]) + SOURCE + bytes.fromhex("88ca") + bytes(46)
BARE = UNICAST[:12] + bytes.fromhex("88b500")

#: Frame, verdict on a port that receives, verdict on one that does not.
TABLE = {
    "unicast": (UNICAST, REDIRECT, SHOT),
    "multicast": (MULTICAST, REDIRECT, SHOT),
    "hardly more than a header": (BARE, REDIRECT, SHOT),
    "slow protocol": (LACP, NEXT, NEXT),
    "slow protocol behind a tag": (TAGGED_SLOW, REDIRECT, SHOT),
    "link-local group": (LLDP, NEXT, NEXT),
    "TIPC, of which no bearer is on the port": (TIPC, REDIRECT, SHOT),
    "its broadcast": (TIPC_BROADCAST, REDIRECT, SHOT),
    "next to the link-local groups": (NOT_QUITE_LINK_LOCAL, REDIRECT, SHOT),
}


@pytest.mark.parametrize("kind", TABLE)
def test_verdicts(kind: str) -> None:
    frame, on_receiving, on_other = TABLE[kind]
    with programs("activebackup") as bench:
        receiving, other = bench.ports
        bench.hooks.shared.receive_on({receiving}, spare=True)
        assert bench.receive(receiving, frame) == on_receiving
        assert bench.receive(other, frame) == on_other


def test_only_what_the_team_takes_is_counted() -> None:
    with programs("activebackup") as bench:
        receiving, other = bench.ports
        bench.hooks.shared.receive_on({receiving}, spare=True)
        bench.receive(receiving, times=3)
        bench.receive(other, times=5)
        bench.receive(receiving, LACP)
        assert bench.received() == [3, 0]
        assert bench.counters(receiving)["rx_bytes"] == 3 * len(UNICAST)


def test_while_the_active_port_is_dead_any_port_receives() -> None:
    """We divert, so the other side may have, too: what it sends by another port is for us."""
    with programs("activebackup", ports=3) as bench:
        active, *others = bench.ports
        bench.hooks.shared.receive_on({active}, spare=True)
        bench.cut(active)
        assert [bench.receive(port) for port in others] == [REDIRECT, REDIRECT]
        assert bench.told() == [active]
        bench.mend(active)
        assert [bench.receive(port) for port in others] == [SHOT, SHOT]


def test_in_other_modes_a_port_that_does_not_receive_never_does() -> None:
    with programs("roundrobin") as bench:
        first, second = bench.ports
        bench.hooks.shared.receive_on({first}, spare=False)
        bench.cut(first)
        assert bench.receive(second) == SHOT


def test_an_interface_that_is_no_port_is_left_alone() -> None:
    with programs("activebackup") as bench:
        stranger = bench.far[bench.ports[0]]
        assert bench.receive(stranger) == NEXT


def test_a_released_port_is_left_alone() -> None:
    with programs("activebackup") as bench:
        released = bench.ports[1]
        bench.hooks.shared.receive_on(set(bench.ports), spare=True)
        bench.hooks.shared.free_slot(released)
        assert bench.receive(released) == NEXT


@pytest.mark.needs("ip")
def test_ports_whose_indexes_are_equal_modulo_256() -> None:
    """High interface indexes are normal on a machine with many containers: the hint may be wrong."""
    with programs("roundrobin", ports=1) as bench:
        first = bench.ports[0]
        twin = bench.plug(ifindex=first + 512)
        bench.hooks.shared.receive_on({first, twin}, spare=False)
        assert bench.receive(first) == REDIRECT
        assert bench.receive(twin) == REDIRECT
        assert bench.received() == [1, 1]


@pytest.mark.needs("ip")
def test_a_port_that_ceases_to_receive_is_not_held_for_one_whose_index_is_alike() -> None:
    with programs("roundrobin", ports=1) as bench:
        first = bench.ports[0]
        twin = bench.plug(ifindex=first + 256)
        for receiving, other in ((first, twin), (twin, first), (first, twin)):
            bench.hooks.shared.receive_on({receiving}, spare=False)
            assert bench.receive(receiving) == REDIRECT
            assert bench.receive(other) == SHOT
        assert bench.received() == [2, 1]


def test_a_port_that_a_dying_owner_half_switched_off_is_put_right() -> None:
    with programs("roundrobin") as bench:
        first, second = bench.ports
        bench.hooks.shared.receive_on({first, second}, spare=False)
        slots = bench.hooks.shared.slots()
        bench.hooks.shared.state.slot[slots[second]].rx = 0
        bench.hooks.shared.receive_on({first}, spare=False)
        assert bench.receive(second) == SHOT


def test_a_port_that_moved_to_another_namespace_is_left_alone_there() -> None:
    """Its programs move with it: there they must not take its frames for ours."""
    with programs("activebackup") as bench, namespace() as elsewhere:
        moved = bench.ports[0]
        bench.hooks.shared.receive_on({moved}, spare=True)
        bench.transmit()
        assert bench.receive(moved) == REDIRECT
        bench.rtnl.set_link(moved, namespace=elsewhere)
        with inside(elsewhere):
            assert bench.receive(moved) == NEXT
