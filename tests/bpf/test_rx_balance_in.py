"""Whether a frame that comes in by a port is the team's, and what the team sees of it."""

from __future__ import annotations

import pytest

from pyteam.frames.ethernet import BROADCAST, ETH_P_IP
from tests.bpf.balanced import (
    GUEST,
    OUR_IPV6,
    PEER,
    PEER_IPV6,
    TEAM,
    Bench,
    arp_frame,
    bench,
    eth,
    mac,
    nd_frame,
)
from tests.bpf.harness import NEXT, SHOT

GROUP = bytes.fromhex("01005e000001")
STRANGER = bytes.fromhex("020000000c01")


def takers(ports: Bench, frame: bytes) -> list[int]:
    """The ports that let it in."""
    found = []
    for at in range(len(ports.ports)):
        verdict = ports.enter(at, frame)
        assert verdict.code in (NEXT, SHOT)
        if verdict.code == NEXT:
            found.append(at)
    return found


@pytest.mark.parametrize("vlan", [None, 10])
def test_frames_to_a_ports_mac_are_the_teams(vlan: int | None) -> None:
    with bench() as ports:
        for at in range(3):
            frame = eth(mac(at), PEER, ETH_P_IP, vlan=vlan)
            verdict = ports.enter(at, frame)
            assert verdict.code == NEXT
            assert verdict.frame == TEAM + frame[6:]
            assert ports.uses() == {PEER: at}


def test_a_flooded_frame_comes_in_once() -> None:
    """A switch that has forgotten a MAC sends to all."""
    with bench() as ports:
        ports.programs.shared.state.primary = 1
        for at in range(3):
            assert takers(ports, eth(mac(at), PEER, ETH_P_IP)) == [at]
        assert takers(ports, eth(BROADCAST, PEER, ETH_P_IP)) == [1]
        assert takers(ports, eth(GROUP, PEER, ETH_P_IP)) == [1]
        assert len(takers(ports, eth(STRANGER, PEER, ETH_P_IP))) == 1


def test_a_dead_ports_frames_come_in_by_the_primary_at_once() -> None:
    with bench() as ports:
        ports.programs.shared.state.primary = 2
        ports.cut(1)
        verdicts = [ports.enter(at, eth(mac(1), PEER, ETH_P_IP)) for at in (0, 2)]
        assert [verdict.code for verdict in verdicts] == [SHOT, NEXT]
        assert verdicts[1].destination == TEAM
        assert ports.uses() == {PEER: 1}


def test_when_the_primary_dies_another_stands_in() -> None:
    with bench() as ports:
        ports.cut(0)
        for frame in (eth(BROADCAST, PEER, ETH_P_IP), eth(mac(0), PEER, ETH_P_IP)):
            assert [ports.enter(at, frame).code for at in (1, 2)] == [NEXT, SHOT]


def test_a_port_that_the_daemon_does_not_trust_is_stood_in_for() -> None:
    """Its link is up, and a link watch says that nothing comes through."""
    with bench() as ports:
        ports.programs.shared.state.port[1].live = 0
        assert takers(ports, eth(mac(1), PEER, ETH_P_IP)) == [0, 1]


def test_a_returned_port_is_stood_in_for_until_its_first_frame() -> None:
    frame = eth(mac(1), PEER, ETH_P_IP)
    with bench() as ports:
        ports.cut(1)
        assert ports.enter(0, frame).code == NEXT
        ports.mend(1)
        assert ports.enter(0, frame).code == NEXT
        assert ports.enter(2, frame).code == SHOT
        assert ports.enter(1, frame).code == NEXT
        assert ports.enter(0, frame).code == SHOT


def test_the_teams_own_frames_flooded_back_are_dropped() -> None:
    with bench() as ports:
        for at in range(3):
            for destination in (BROADCAST, GROUP, STRANGER):
                assert takers(ports, eth(destination, mac(at), ETH_P_IP)) == []


def test_a_mac_that_no_port_has_any_more_is_still_the_teams() -> None:
    with bench() as ports:
        ports.programs.shared.state.port[0].ifindex = 0
        assert ports.enter(1, eth(TEAM, PEER, ETH_P_IP)).code == NEXT
        assert ports.enter(2, eth(TEAM, PEER, ETH_P_IP)).code == SHOT


@pytest.mark.parametrize(
    "frame",
    [
        bytes.fromhex("0180c2000002") + PEER + bytes.fromhex("8809") + bytes(110),
        bytes.fromhex("0180c200000e") + PEER + bytes.fromhex("88cc") + bytes(46),
    ],
    ids=["LACP", "LLDP"],
)
def test_what_is_between_port_and_port_is_not_touched(frame: bytes) -> None:
    with bench() as ports:
        for at in range(3):
            assert ports.enter(at, frame) == (NEXT, frame)


def test_a_guests_frames_come_in_by_its_own_port_untouched() -> None:
    with bench() as ports:
        for number in range(20):
            guest = bytes([2, 0, 0, 2, 0, number])
            left = [ports.out(at, eth(PEER, guest, ETH_P_IP)).code for at in range(3)]
            frame = eth(guest, PEER, ETH_P_IP)
            assert takers(ports, frame) == [left.index(NEXT)]
            assert ports.enter(left.index(NEXT), frame).frame == frame


def test_a_guests_own_frames_flooded_back_are_dropped() -> None:
    """Else the bridge would believe that its guest is out there."""
    with bench() as ports:
        codes = [ports.out(at, eth(BROADCAST, GUEST, ETH_P_IP)).code for at in range(3)]
        others = [at for at in range(3) if at != codes.index(NEXT)]
        for destination in (BROADCAST, GROUP, STRANGER):
            frame = eth(destination, GUEST, ETH_P_IP)
            assert [ports.enter(at, frame).code for at in others] == [SHOT, SHOT]


def test_a_guest_that_moved_to_another_host_is_heard_again() -> None:
    with bench() as ports:
        ports.out(0, eth(BROADCAST, GUEST, ETH_P_IP))
        assert len(takers(ports, eth(BROADCAST, GUEST, ETH_P_IP))) >= 1
        ports.programs.shared.state.primary = 1
        assert takers(ports, eth(GROUP, GUEST, ETH_P_IP)) == [1]


def test_bytes_are_counted_by_neighbour() -> None:
    with bench() as ports:
        frame = eth(mac(1), PEER, ETH_P_IP)
        for _ in range(5):
            ports.enter(1, frame)
        (use,) = ports.programs.neighbours().values()
        assert use.bytes == 5 * len(frame)
        assert ports.programs.shared.state.port[1].neighbours == 1


def test_answers_to_questions_say_nothing_of_what_was_learned() -> None:
    """A port may have asked for itself: a link watch."""
    advertisement = nd_frame(mac(1), 136, 2, to=OUR_IPV6, target=PEER_IPV6)
    with bench() as ports:
        ports.enter(2, eth(mac(2), PEER, ETH_P_IP))
        for answer in (arp_frame(mac(1)), advertisement):
            assert ports.enter(1, mac(1) + PEER + answer[12:]).destination == TEAM
        assert ports.uses() == {PEER: 2}


def test_an_interface_that_is_no_port_is_left_alone() -> None:
    with bench() as ports:
        ports.programs.shared.state.port[1].ifindex = 0
        frame = eth(BROADCAST, mac(0), ETH_P_IP)
        assert ports.enter(1, frame) == (NEXT, frame)
