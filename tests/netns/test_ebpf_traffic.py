"""What the eBPF datapath does to real packets between two hosts, by itself: no daemon runs here."""

from __future__ import annotations

import ctypes
import hashlib
import os
import socket
import subprocess
import threading

import pytest

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.options import OptionKey
from tests.netns.cabled import TEAM, Host, frames, give_address, learn, reaches, two_hosts

MODES = ("activebackup", "roundrobin", "random", "broadcast")
GROUP_SLOW = bytes.fromhex("0180c2000002")
GROUP_LLDP = bytes.fromhex("0180c200000e")
BROADCAST = bytes.fromhex("ffffffffffff")
SOURCE = bytes.fromhex("02000000beef")
EXPERIMENT = bytes.fromhex("88b5")  # ethertype for local experiments, IEEE 802
ETH_P_SLOW = 0x8809
ETH_P_LLDP = 0x88CC
#: Sent, among other frames, by nobody else.
MARK = b"a frame of this test"


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_carries_both_families_both_ways(mode: str) -> None:
    with two_hosts(mode) as (a, b):
        for ipv6 in (False, True):
            assert reaches(a, b, ipv6=ipv6)
            assert reaches(b, a, ipv6=ipv6)


@pytest.mark.parametrize("mode", MODES)
def test_a_cut_cable_is_survived_without_a_word_to_anybody(mode: str) -> None:
    with two_hosts(mode) as (a, b):
        for cable in (0, 1):
            b.cut(cable)
            for _ in range(4):
                assert reaches(a, b)
                assert reaches(b, a)
            b.mend(cable)


def test_neighbours_are_found_through_the_team() -> None:
    with two_hosts("activebackup") as (a, b):
        give_address(a, TEAM, "10.98.0.1")
        give_address(b, TEAM, "10.98.0.2")
        with b.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
            inbox.bind(("10.98.0.2", 9000))
            inbox.settimeout(2)
            with a.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
                outbox.sendto(b"who has", ("10.98.0.2", 9000))
            assert inbox.recv(100) == b"who has"


def test_a_stream_arrives_whole_over_jumbo_frames_and_a_cut() -> None:
    """Segments of 64 kB go through untouched, and a port that is cut in between loses no byte."""
    sent = bytes(range(256)) * 40_000
    with two_hosts("activebackup") as (a, b):
        for host in (a, b):
            with host.here():
                host.rtnl.set_link(host.team.ifindex, mtu=9000)
                host.team.receive()
                assert [host.team.link(port).mtu for port in host.ports] == [9000, 9000]
        with b.here(), socket.socket() as listener:
            listener.bind((b.ipv4, 9000))
            listener.listen(1)
            listener.settimeout(10)
            with a.here():
                client = socket.create_connection((b.ipv4, 9000), timeout=10)
            server, _ = listener.accept()
            server.settimeout(10)
        with client, server:
            threading.Thread(target=_send_all, args=(client, sent)).start()
            digest, received = hashlib.sha256(), 0
            while chunk := server.recv(1 << 16):
                digest.update(chunk)
                if received < len(sent) // 2 <= received + len(chunk):
                    b.cut(0)
                received += len(chunk)
        assert digest.digest() == hashlib.sha256(sent).digest()
        assert all(host.team.statistics(host.ports[1])["tx_packets"] for host in (a, b))


def _send_all(client: socket.socket, data: bytes) -> None:
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)


def test_a_frame_on_an_inactive_port_is_not_the_teams() -> None:
    """A switch floods: without this, every broadcast would come twice."""
    frame = BROADCAST + SOURCE + EXPERIMENT + MARK.ljust(46)
    with two_hosts("activebackup") as (a, b), b.tap(TEAM) as tap:
        for cable in (0, 1):
            a.inject(f"eth{cable}", frame)
        assert len([found for found in frames(tap) if MARK in found]) == 1


def test_a_tap_on_the_team_sees_both_directions() -> None:
    with two_hosts("activebackup") as (a, b), a.tap(TEAM) as tap:
        assert reaches(a, b)
        assert reaches(b, a)
        seen = [found for found in frames(tap) if b"hello" in found]
        own = a.rtnl.link(a.team.ifindex).address
        assert [found[6:12] == own for found in seen] == [True, False]


@pytest.mark.parametrize("mode", MODES)
def test_traffic_flows_while_a_tap_listens(mode: str) -> None:
    with two_hosts(mode) as (a, b), a.tap(TEAM), b.tap(TEAM):
        a.cut(0)
        for _ in range(4):
            assert reaches(a, b)
            assert reaches(b, a)


def test_slow_protocols_stay_on_the_port() -> None:
    frame = GROUP_SLOW + SOURCE + ETH_P_SLOW.to_bytes(2, "big") + MARK.ljust(46)
    with two_hosts("activebackup") as (a, b), b.tap(TEAM) as above:
        for cable in (0, 1):
            with b.tap(f"eth{cable}", ETH_P_SLOW) as tap:
                a.inject(f"eth{cable}", frame)
                assert [found for found in frames(tap) if MARK in found] == [frame]
        assert not [found for found in frames(above) if MARK in found]


def test_link_local_frames_are_heard_on_every_port_and_by_the_team_on_the_active_one() -> None:
    frame = GROUP_LLDP + SOURCE + ETH_P_LLDP.to_bytes(2, "big") + MARK.ljust(46)
    with two_hosts("activebackup") as (a, b), b.tap(TEAM) as above:
        for cable, times_above in ((0, 1), (1, 0)):
            with b.tap(f"eth{cable}", ETH_P_LLDP) as tap:
                a.inject(f"eth{cable}", frame)
                assert [found for found in frames(tap) if MARK in found] == [frame]
            assert len([found for found in frames(above) if MARK in found]) == times_above


def test_tagged_frames_pass_as_they_are() -> None:
    frame = BROADCAST + SOURCE + bytes.fromhex("8100a064") + EXPERIMENT + MARK.ljust(46)
    with two_hosts("activebackup") as (a, b), b.tap("eth0") as below, b.tap(TEAM) as above:
        a.inject(TEAM, frame)
        # The kernel takes the tag out of the bytes, for a tap as for everybody; it does so on both.
        for tap in (below, above):
            (found,) = [found for found in frames(tap) if MARK in found]
            assert found == frame[:12] + frame[16:]


def test_what_is_stacked_on_the_team_works_with_its_own_addresses() -> None:
    with two_hosts("activebackup") as (a, b):
        for host, address in ((a, "10.97.0.1"), (b, "10.97.0.2")):
            with host.here():
                subprocess.run(f"ip link add upper0 link {TEAM} type macvlan".split(), check=True)
                subprocess.run(["ip", "link", "set", "upper0", "up"], check=True)
            give_address(host, "upper0", address)
        with b.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
            inbox.bind(("10.97.0.2", 9000))
            inbox.settimeout(2)
            with a.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
                outbox.sendto(b"upper", ("10.97.0.2", 9000))
            assert inbox.recv(100) == b"upper"


def test_ports_are_silent_in_ipv6_and_speak_again_when_released() -> None:
    with two_hosts("activebackup") as (a, _), a.here():
        assert [address for port in a.ports for address in a.rtnl.addresses(port)] == []
        before = _ipv6_disabled("eth1")
        a.team.remove_port(a.ports[1])
        assert (before, _ipv6_disabled("eth1")) == ("1", "0")
        link = a.rtnl.link(a.ports[1])
        assert (link.promiscuous, link.allmulticast, link.up) == (False, False, False)


def _ipv6_disabled(name: str) -> str:
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6") as switch:
        return switch.read().strip()


def test_counters_count_what_passed_each_port() -> None:
    with two_hosts("activebackup") as (a, b):
        counted = [
            (a.team.statistics(a_port), b.team.statistics(b_port))
            for a_port, b_port in zip(a.ports, b.ports, strict=True)
        ]
        for _ in range(50):
            assert reaches(a, b)
        frame = 14 + 20 + 8 + len("hello")
        # The kernel has something to say now and then, too (MLD, router solicitations).
        for (sent, received), a_port, b_port, at_least, at_most in zip(
            counted, a.ports, b.ports, (50, 0), (60, 0), strict=True
        ):
            packets = a.team.statistics(a_port)["tx_packets"] - sent["tx_packets"]
            size = a.team.statistics(a_port)["tx_bytes"] - sent["tx_bytes"]
            assert at_least <= packets <= at_most
            assert at_least * frame <= size <= at_most * 150
            arrived = b.team.statistics(b_port)["rx_packets"] - received["rx_packets"]
            assert at_least <= arrived <= at_most


# Announcements. The time is passed in: nobody waits for an interval.


def _announced(a: Host, b: Host, options: dict[str, int]) -> list[list[bytes]]:
    """What comes out of the new active port at each step of 10 ms after a switch to it."""
    with b.tap("eth1") as tap, a.here():
        for name, value in options.items():
            a.team.set_option(OptionKey(name), value)
        frames(tap)
        a.activate(a.ports[1])
        start = a.team.next_timeout()
        assert start is not None
        steps = []
        for step in range(8):
            # A little late, as a daemon is, and so that rounding decides nothing.
            a.team.handle_timeout(start + step * 0.010 + 0.0001)
            steps.append(frames(tap))
        assert a.team.next_timeout() is None
        return steps


def test_peers_are_notified_as_often_as_asked_in_the_interval_asked() -> None:
    with two_hosts("activebackup") as (a, b):
        mac = a.rtnl.link(a.team.ifindex).address
        steps = _announced(a, b, {"notify_peers_count": 3, "notify_peers_interval": 20})
        v4, v6 = socket.inet_aton(a.ipv4), socket.inet_pton(socket.AF_INET6, a.ipv6)
        arps = [[f for f in step if f[12:14] == b"\x08\x06" and f[28:32] == f[38:42] == v4] for step in steps]
        advertisements = [
            [f for f in step if f[12:14] == b"\x86\xdd" and f[54] == 136 and f[62:78] == v6] for step in steps
        ]
        for found in (arps, advertisements):
            assert [len(step) for step in found] == [1, 0, 1, 0, 1, 0, 0, 0]
            assert all(frame[6:12] == mac for step in found for frame in step)


def test_groups_are_joined_again() -> None:
    with two_hosts("activebackup") as (a, b):
        with a.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
            request = socket.inet_aton("239.1.2.3") + socket.inet_aton(a.ipv4)
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
            steps = _announced(a, b, {"mcast_rejoin_count": 2, "mcast_rejoin_interval": 30})
        group = socket.inet_aton("239.1.2.3")
        igmp = [[f for f in step if f[12:14] == b"\x08\x00" and f[23] == 2 and group in f] for step in steps]
        mld = [[f for f in step if f[12:14] == b"\x86\xdd" and f[62] == 143] for step in steps]
        # The kernel reports a new group by itself, too, when it likes.
        for found in (igmp, mld):
            assert found[0]
            assert found[3]


def test_nothing_is_announced_unasked() -> None:
    with two_hosts("activebackup") as (a, _), a.here():
        a.activate(a.ports[1])
        assert a.team.next_timeout() is None


# Neighbours on the hooks, and successors.


def _foreign_program() -> int:
    """Somebody else's program: passes everything (r0 = TCX_NEXT; exit)."""
    instructions = bytes.fromhex("b7000000ffffffff9500000000000000")
    load = ctypes.CDLL("libbpf.so.1").bpf_prog_load
    return int(load(3, b"foreign", b"GPL", instructions, ctypes.c_size_t(2), None))


def test_somebody_elses_program_stays_where_it_is() -> None:
    foreign = _foreign_program()
    with two_hosts("activebackup") as (a, b), a.here():
        team, port = a.team.ifindex, a.ports[1]
        a.team.remove_port(port)
        for ifindex, hook in ((port, libbpf.TCX_INGRESS), (team, libbpf.TCX_EGRESS)):
            libbpf.attach(foreign, ifindex, hook)
        a.team.add_port(port)
        learn(a, b)
        names = _names(port, libbpf.TCX_INGRESS)
        assert names == ["foreign", "team_rx"]
        a.activate(port)
        b.activate(b.ports[1])
        assert reaches(a, b)
        assert reaches(b, a)
        a.team.remove_port(port)
        assert _names(port, libbpf.TCX_INGRESS) == ["foreign"]
    libbpf.close(foreign)


def _names(ifindex: int, hook: int) -> list[str]:
    names = []
    for program_id in libbpf.attached(ifindex, hook):
        fd = libbpf.program_by_id(program_id)
        names.append(libbpf.program_name(fd))
        libbpf.close(fd)
    return names


def test_a_port_of_one_team_is_refused_by_another() -> None:
    with two_hosts("activebackup") as (a, _), a.here():
        other = EbpfDatapath.create("team1")
        try:
            other.set_option(OptionKey("mode"), "roundrobin")
            a.rtnl.set_link(a.ports[1], up=False)
            with pytest.raises(OSError, match=r"eth1 .* another team"):
                other.add_port(a.ports[1])
            assert other.actual().members == frozenset()
        finally:
            other.destroy()


def test_a_successor_with_another_build_of_the_programs_swaps_them_in_place() -> None:
    with two_hosts("activebackup") as (a, b), a.here():
        a.activate(a.ports[1])
        b.activate(b.ports[1])
        a.team._record.build = "another"
        before = libbpf.attached(a.ports[0], libbpf.TCX_INGRESS)
        a.team.close()
        a.team = EbpfDatapath.adopt(TEAM)
        after = libbpf.attached(a.ports[0], libbpf.TCX_INGRESS)
        assert len(before) == len(after) == 1
        assert before != after
        assert reaches(a, b)
        assert reaches(b, a)


def test_no_descriptor_is_lost() -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = opened()
    for _ in range(3):
        with two_hosts("activebackup"):
            pass
    assert opened() == before
