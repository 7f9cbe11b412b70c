"""Which port a packet leaves by, in every mode, with ports that can and that cannot send."""

from __future__ import annotations

import pytest

from pyteam.netlink.rtnl import Rtnl
from tests.bpf.harness import NEXT, REDIRECT, SHOT, UNICAST, programs
from tests.netns.anonymous import inside, namespace
from tests.netns.ticks import next_tick

MODES = ("activebackup", "roundrobin", "random", "broadcast", "loadbalance")


@pytest.mark.parametrize("mode", MODES)
def test_without_ports_everything_is_dropped(mode: str) -> None:
    with programs(mode, ports=0) as bench:
        assert bench.transmit() == SHOT


@pytest.mark.parametrize("mode", MODES)
def test_a_tap_sees_what_cannot_be_sent(mode: str) -> None:
    with programs(mode, ports=0) as bench, bench.tap():
        assert bench.transmit() == NEXT
        assert bench.transmit_at_other_end() == SHOT


@pytest.mark.parametrize("mode", MODES)
def test_a_port_that_may_not_send_does_not(mode: str) -> None:
    with programs(mode) as bench:
        bench.hooks.shared.set_order(bench.ports[1:])
        assert bench.transmit(times=20) == REDIRECT
        assert bench.sent() == [0, 20]


def test_activebackup_sends_by_the_first() -> None:
    with programs("activebackup", ports=3) as bench:
        assert bench.transmit(times=10) == REDIRECT
        assert bench.sent() == [10, 0, 0]


def test_activebackup_diverts_in_the_order_given_and_comes_back() -> None:
    with programs("activebackup", ports=3) as bench:
        first, second, third = bench.ports
        bench.hooks.shared.set_order([first, third, second])
        bench.cut(first)
        bench.transmit()
        assert bench.sent() == [0, 0, 1]
        bench.cut(third)
        bench.transmit()
        assert bench.sent() == [0, 1, 1]
        bench.cut(second)
        assert bench.transmit() == SHOT
        bench.mend(first)
        bench.transmit()
        assert bench.sent() == [1, 1, 1]


def test_roundrobin_takes_turns() -> None:
    with programs("roundrobin", ports=3) as bench:
        bench.transmit(times=30)
        # The turn is each CPU's own, and a run may change its CPU.
        assert all(abs(count - 10) <= 2 for count in bench.sent()), bench.sent()


def test_random_uses_all() -> None:
    with programs("random", ports=4) as bench:
        bench.transmit(times=400)
        assert sum(bench.sent()) == 400
        # Fewer than 50 of 400 by chance: once in 10^10.
        assert all(count > 50 for count in bench.sent()), bench.sent()


@pytest.mark.parametrize("mode", ["roundrobin", "random"])
def test_spreading_passes_over_dead_ports(mode: str) -> None:
    with programs(mode, ports=4) as bench:
        bench.cut(bench.ports[1])
        bench.cut(bench.ports[2])
        assert bench.transmit(times=200) == REDIRECT
        first, *dead, last = bench.sent()
        assert dead == [0, 0]
        assert first + last == 200
        assert min(first, last) > 20


def test_broadcast_sends_by_all_that_can() -> None:
    with programs("broadcast", ports=4) as bench:
        assert bench.transmit(times=5) == REDIRECT
        assert bench.sent() == [5, 5, 5, 5]
        bench.cut(bench.ports[3])
        bench.cut(bench.ports[0])
        assert bench.transmit() == REDIRECT
        assert bench.sent() == [5, 6, 6, 5]


@pytest.mark.parametrize("mode", MODES)
def test_all_dead(mode: str) -> None:
    with programs(mode) as bench:
        for port in bench.ports:
            bench.cut(port)
        assert bench.transmit() == SHOT
        assert bench.sent() == [0, 0]


@pytest.mark.parametrize("mode", MODES)
def test_a_dead_port_is_told_of_once_until_it_works_again(mode: str) -> None:
    with programs(mode) as bench:
        dead = bench.ports[0]
        bench.cut(dead)
        bench.transmit(times=50)
        assert bench.told() == [dead]
        bench.transmit(times=50)
        assert bench.told() == []
        bench.mend(dead)
        bench.hooks.shared.listen_again(dead)
        bench.transmit(times=50)
        assert bench.told() == []
        bench.cut(dead)
        bench.transmit(times=50)
        assert bench.told() == [dead]


def test_a_port_that_is_down_is_dead() -> None:
    with programs("activebackup") as bench:
        bench.rtnl.set_link(bench.ports[0], up=False)
        bench.transmit()
        assert bench.sent() == [0, 1]


def test_a_deleted_port_is_passed_over() -> None:
    with programs("activebackup") as bench:
        bench.transmit()
        bench.rtnl.delete_link(bench.ports[0])
        assert bench.transmit() == REDIRECT
        assert bench.sent() == [1, 1]


def test_a_port_moved_to_another_namespace_is_passed_over_though_it_works_there() -> None:
    """Its index may stay the same there, and its memory the same: only the namespace tells."""
    with programs("activebackup") as bench, namespace() as elsewhere:
        moved = bench.ports[0]
        bench.transmit()
        bench.rtnl.set_link(moved, namespace=elsewhere)
        with inside(elsewhere), Rtnl() as there:
            there.set_link(there.link_by_name("p0").ifindex, up=True)
        next_tick()
        assert bench.transmit() == REDIRECT
        assert bench.sent() == [1, 1]


def test_many_ports_of_which_only_the_last_works() -> None:
    with programs("activebackup", ports=64) as bench:
        for port in bench.ports[:-1]:
            bench.cut(port)
        assert bench.transmit() == REDIRECT
        assert bench.sent()[-1] == 1


def test_packets_are_counted_as_the_stack_sends_them_however_they_are_segmented_below() -> None:
    frame = UNICAST + bytes(1000)
    with programs("activebackup") as bench:
        bench.transmit(frame, segments=3)
        assert bench.counters(bench.ports[0])["tx_packets"] == 1
        assert bench.counters(bench.ports[0])["tx_bytes"] == len(frame)


@pytest.mark.parametrize("mode", MODES)
def test_for_a_tap_packets_go_the_long_way_and_are_sent_once(mode: str) -> None:
    with programs(mode) as bench:
        bench.transmit(times=10)
        before = bench.sent()
        with bench.tap():
            assert bench.transmit(times=10) == NEXT
            assert bench.sent() == before
            assert bench.transmit_at_other_end(times=10) == REDIRECT
            # What was looked at there says nothing of a tap.
            assert bench.transmit() == NEXT
        next_tick()
        assert bench.transmit() == REDIRECT


def test_roundrobin_takes_one_turn_for_a_packet_that_is_seen_twice() -> None:
    with programs("roundrobin") as bench, bench.tap():
        for _ in range(20):
            bench.transmit()
            bench.transmit_at_other_end()
        # The turn is each CPU's own, and the test may change its CPU.
        assert all(abs(count - 10) <= 2 for count in bench.sent()), bench.sent()


def test_a_first_port_that_a_dying_owner_left_behind_is_put_right() -> None:
    """The order and the copy of its first are two stores."""
    with programs("activebackup", ports=3) as bench:
        first, second, third = bench.ports
        bench.hooks.shared.state.first.ifindex = third
        bench.hooks.shared.set_order([first, second, third])
        bench.transmit()
        assert bench.sent() == [1, 0, 0]


def test_a_new_order_is_in_force_at_once() -> None:
    with programs("activebackup", ports=3) as bench:
        for order in ([2, 0, 1], [1, 2], [0]):
            chosen = [bench.ports[at] for at in order]
            before = bench.sent()
            bench.hooks.shared.set_order(chosen)
            assert bench.hooks.shared.order() == chosen
            bench.transmit()
            after = bench.sent()
            assert [at for at in range(3) if after[at] != before[at]] == [order[0]]
