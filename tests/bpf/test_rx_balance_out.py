"""What the team's frames look like when they leave a port, under receive balancing."""

from __future__ import annotations

import socket

import pytest

from pyteam.datapath.rxbalance import shared
from pyteam.frames import arp
from pyteam.frames.ethernet import BROADCAST, ETH_P_IP, ETH_P_IPV6
from tests.bpf.balanced import (
    ALL_NODES_MAC,
    GUEST,
    OTHER_PEER,
    OUR_IP,
    OUR_IPV6,
    PEER,
    PEER_IP,
    TEAM,
    Bench,
    arp_frame,
    arp_of,
    bench,
    eth,
    icmp_of,
    mac,
    nd_frame,
)
from tests.bpf.harness import NEXT, REDIRECT

LLDP = bytes.fromhex("0180c200000e") + TEAM + bytes.fromhex("88cc") + bytes(46)
LACP = bytes.fromhex("0180c2000002") + TEAM + bytes.fromhex("8809") + bytes(110)
IGMP = bytes.fromhex("46c00020000040000102") + bytes(22)
MLD = bytes.fromhex("60000000002400 01".replace(" ", "")) + bytes(32) + bytes.fromhex("3a00050200000000")
GROUP = bytes.fromhex("01005e000016")
GROUP6 = bytes.fromhex("333300000016")


def test_the_teams_mac_stays_inside() -> None:
    frame = eth(PEER, TEAM, ETH_P_IP)
    with bench() as ports:
        for at in range(3):
            left = ports.out(at, frame)
            assert left.code == NEXT
            assert left.source == mac(at)
            assert left.frame[12:] == frame[12:]


@pytest.mark.parametrize("frame", [LLDP, LACP])
def test_what_is_between_port_and_port_is_not_touched(frame: bytes) -> None:
    with bench() as ports:
        assert ports.out(1, frame) == (NEXT, frame)


def test_what_the_daemon_sends_by_a_port_is_not_touched() -> None:
    frame = arp_frame(BROADCAST, arp.REQUEST)
    with bench() as ports:
        assert ports.out(1, frame, mark=shared.MARK) == (NEXT, frame)


def test_a_port_may_speak_for_itself() -> None:
    frame = arp_frame(BROADCAST, arp.REQUEST, sender=mac(2))
    with bench() as ports:
        assert ports.out(2, frame) == (NEXT, frame)


@pytest.mark.parametrize("vlan", [None, 10])
@pytest.mark.parametrize("operation", [arp.REQUEST, arp.REPLY])
def test_newcomers_are_told_the_ports_in_turn(operation: int, vlan: int | None) -> None:
    with bench() as ports:
        said = []
        for number in range(6):
            peer = bytes([2, 0, 0, 1, 0, number])
            left = ports.out(0, arp_frame(peer, operation, vlan=vlan))
            message = arp_of(left.frame)
            assert message.sender_mac == left.source
            assert message.sender_ip == OUR_IP
            assert left.code == (NEXT if left.source == mac(0) else REDIRECT)
            said.append(left.source[5] - 1)
        assert said == [0, 1, 2, 0, 1, 2]


def test_a_neighbour_is_told_the_same_by_every_port_and_for_every_address() -> None:
    with bench() as ports:
        for peer in (PEER, OTHER_PEER):
            ports.out(0, arp_frame(peer))
        for at in range(3):
            assert ports.out(at, arp_frame(OTHER_PEER)).source == mac(1)
            assert ports.out(at, nd_frame(OTHER_PEER, 136, 2)).source == mac(1)
        assert ports.told() == {PEER: 0, OTHER_PEER: 1}


def test_the_same_mac_in_another_vlan_is_another_neighbour() -> None:
    with bench() as ports:
        ports.out(0, arp_frame(PEER))
        assert ports.out(0, arp_frame(PEER, vlan=7)).source == mac(1)
        assert {station.vlan for station in ports.programs.neighbours()} == {None, 7}


def test_what_was_told_is_remembered_by_address() -> None:
    with bench() as ports:
        ports.out(0, arp_frame(PEER))
        ports.out(0, nd_frame(PEER, 136, 2, flags=0x80000000))
        roles = {told.address: role for told, role in ports.programs.told().items()}
        assert roles[OUR_IP] == shared.ROLE_HOST
        assert sorted(roles.values()) == [shared.ROLE_HOST, shared.ROLE_ROUTER]


def test_without_the_daemon_a_dead_ports_neighbour_is_told_another() -> None:
    with bench() as ports:
        assert ports.out(1, arp_frame(PEER)).source == mac(0)
        ports.cut(0)
        assert ports.out(1, arp_frame(PEER)).source == mac(1)
        assert ports.told() == {PEER: 1}


def test_a_broadcast_question_teaches_nobody() -> None:
    with bench() as ports:
        left = ports.out(1, arp_frame(BROADCAST, arp.REQUEST))
        message = arp_of(left.frame)
        assert left.code == NEXT
        assert (message.sender_ip, message.sender_mac) == (bytes(4), mac(1))
        assert message.target_ip == PEER_IP
        assert ports.told() == {}


def test_an_announcement_is_said_to_all() -> None:
    with bench() as ports:
        message = arp_of(ports.out(1, arp_frame(BROADCAST, arp.REQUEST, target_ip=OUR_IP)).frame)
        assert (message.sender_ip, message.sender_mac) == (OUR_IP, mac(1))


def test_what_is_said_for_somebody_else_is_left_as_it_is() -> None:
    body = arp.Arp(arp.REPLY, GUEST, OUR_IP, PEER, PEER_IP).build()
    with bench() as ports:
        left = ports.out(1, eth(PEER, TEAM, 0x0806, body))
        assert arp_of(left.frame).sender_mac == GUEST
        assert left.source == mac(1)
        advertisement = nd_frame(PEER, 136, 2).replace(b"\x02\x01" + TEAM, b"\x02\x01" + GUEST)
        assert ports.out(1, advertisement) == (NEXT, advertisement[:6] + mac(1) + advertisement[12:])
        assert not ports.programs.told()


@pytest.mark.parametrize("vlan", [None, 10])
@pytest.mark.parametrize(("kind", "option"), [(135, 1), (136, 2)])
def test_neighbour_discovery_to_one_says_its_port(kind: int, option: int, vlan: int | None) -> None:
    with bench() as ports:
        ports.out(0, arp_frame(OTHER_PEER))
        left = ports.out(0, nd_frame(PEER, kind, option, vlan=vlan))
        assert icmp_of(left.frame)[24:32] == bytes((option, 1)) + left.source
        assert left.source == mac(1)
        assert left.code == REDIRECT


def test_what_says_no_mac_confirms_the_one_that_was_told() -> None:
    """As the kernel answers a solicitation that came to one: who confirms can be told another later."""
    with bench() as ports:
        ports.out(0, arp_frame(OTHER_PEER))
        left = ports.out(0, nd_frame(PEER, 136, 14))
        assert icmp_of(left.frame)[24:32] == bytes((14, 1)) + TEAM
        assert left.source == mac(1)
        assert [told.address for told in ports.programs.told() if told.station.mac == PEER] == [OUR_IPV6]


def test_the_option_is_found_behind_others() -> None:
    with bench() as ports:
        ports.out(0, arp_frame(OTHER_PEER))
        left = ports.out(0, nd_frame(PEER, 135, 1, ahead=bytes((14, 1)) + bytes(6)))
        assert icmp_of(left.frame)[32:40] == b"\x01\x01" + mac(1)


def test_a_solicitation_to_a_group_says_the_same_each_time() -> None:
    with bench() as ports:
        said = set()
        for target in range(30):
            frame = nd_frame(bytes.fromhex("3333ff000002"), 135, 1, target=bytes(15) + bytes([target]))
            sources = {ports.out(at, frame).source for at in range(3)}
            assert len(sources) == 1
            said |= sources
        assert said == {mac(0), mac(1), mac(2)}
        assert ports.told() == {}


@pytest.mark.parametrize("kind", [133, 134])
def test_what_goes_to_all_hosts_or_routers_hides_the_mac(kind: int) -> None:
    """RFC 4861, 4.2: left out, to share the load of what comes in."""
    with bench() as ports:
        left = ports.out(1, nd_frame(ALL_NODES_MAC, kind, 1))
        body = icmp_of(left.frame)
        assert body[8 if kind == 133 else 16] == 253
        assert left.code == NEXT


def test_groups_are_joined_where_groups_are_received() -> None:
    with bench() as ports:
        ports.programs.shared.state.primary = 2
        for frame in (eth(GROUP, TEAM, ETH_P_IP, IGMP), eth(GROUP6, TEAM, ETH_P_IPV6, MLD)):
            assert ports.out(0, frame)[0] == REDIRECT
            assert ports.out(0, frame).source == mac(2)
            assert ports.out(2, frame).code == NEXT


def home(ports: Bench, guest: bytes) -> int:
    """The one port by which a guest's frames leave."""
    codes = [ports.out(at, eth(PEER, guest, ETH_P_IP)).code for at in range(len(ports.ports))]
    assert codes.count(NEXT) == 1
    assert codes.count(REDIRECT) == len(codes) - 1
    return codes.index(NEXT)


def test_guests_are_spread_and_each_stays_on_its_port() -> None:
    with bench() as ports:
        homes = {}
        for number in range(40):
            guest = bytes([2, 0, 0, 2, 0, number])
            homes[guest] = home(ports, guest)
            frame = arp_frame(BROADCAST, arp.REQUEST, sender=guest)
            assert ports.out(homes[guest], frame) == (NEXT, frame)
        assert set(homes.values()) == {0, 1, 2}
        ports.cut(1)
        for guest, before in homes.items():
            codes = [ports.out(at, eth(PEER, guest, ETH_P_IP)).code for at in (0, 2)]
            assert codes.count(NEXT) == 1
            if before != 1:
                assert codes[0 if before == 0 else 1] == NEXT


def test_a_guests_groups_are_joined_where_groups_are_received() -> None:
    """By its own port as it is, and once more at the primary, where its MAC must not show."""
    with bench() as ports:
        at = home(ports, GUEST)
        first = ports.programs.shared.state.primary = (at + 1) % 3
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as tap:
            tap.bind((f"far{first}", ETH_P_IP))
            tap.settimeout(2)
            frame = eth(GROUP, GUEST, ETH_P_IP, IGMP)
            assert ports.out(at, frame) == (NEXT, frame)
            assert tap.recv(100) == GROUP + mac(first) + frame[12:]


def test_short_and_odd_frames_pass() -> None:
    with bench() as ports:
        for frame in (
            eth(PEER, TEAM, 0x88B5)[:15],
            eth(PEER, TEAM, 0x0806)[:20],
            eth(PEER, TEAM, ETH_P_IPV6, bytes.fromhex("6000000000003aff"))[:55],
            nd_frame(PEER, 136, 2)[:80],
            nd_frame(PEER, 136, 2, ahead=bytes((14, 0)) + bytes(6)),
            eth(PEER, TEAM, 0x8100, b"\x00\x0a")[:16],
        ):
            left = ports.out(1, frame)
            assert left.code in (NEXT, REDIRECT)
            assert left.frame[12:] == frame[12:]


def test_who_could_not_be_told_another_is_told_one_that_is_drawn() -> None:
    """No update could be sent behind these tags."""
    with bench() as ports:
        said = set()
        for number in range(20):
            tagged = arp_frame(bytes([2, 0, 0, 1, 0, number]), vlan=5)
            frame = tagged[:12] + b"\x88\xa8" + tagged[14:]
            (source,) = {ports.out(at, frame).source for at in range(3)}
            said.add(source)
        assert len(said) == 3
        assert ports.told() == {}


def test_behind_two_tags_only_the_source_is_ours() -> None:
    inner = arp_frame(PEER, vlan=5)
    with bench() as ports:
        assert ports.out(1, inner[:12] + bytes.fromhex("88a80007") + inner[12:]).source == mac(1)
        assert ports.told() == {}
