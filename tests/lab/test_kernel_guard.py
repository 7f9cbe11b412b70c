"""The guard of a team on the driver: fail-over while nobody decides, and nothing of it afterwards."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.interface import Datapath
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.datapath.kernel.guard import IN, OUT
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import OptionState, TeamFamily
from pyteam.options import OptionKey, Type
from tests.lab.pair import pair_of_hosts
from tests.lab.sidebyside import TEAM, wait_for
from tests.netns.anonymous import inside, namespace
from tests.netns.cabled import Host, frames, reaches, two_hosts

ACTIVE, ORDER, MODE = OptionKey("activeport"), OptionKey("failover_order"), OptionKey("mode")
SLOW = bytes.fromhex("0180c2000002 020000000001 8809") + bytes(46)
LINK_LOCAL = SLOW[:12] + bytes.fromhex("88cc") + bytes(46)
UNICAST = bytes.fromhex("020000000002 020000000001 88b5") + bytes(46)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Guarded; and from here on nobody looks after them, as if their daemons were stopped."""
    with two_hosts("activebackup", 3, create=partial(KernelDatapath.create, run_dir=tmp_path)) as pair:
        for host in pair:
            look(host)
        yield pair


def look(host: Host) -> None:
    """What a daemon's loop does."""
    with host.here():
        host.team.receive()
        settle(host.team)


def settle(datapath: Datapath) -> None:
    for _ in range(10):
        due = datapath.next_timeout()
        if due is None:
            return
        datapath.handle_timeout(due)
    pytest.fail("there is no end of it")


def guarded(ifindex: int) -> set[str]:
    """The guard's programs at an interface of this namespace."""
    found = set()
    for hook in (libbpf.TCX_EGRESS, libbpf.TCX_INGRESS):
        for program_id in libbpf.attached(ifindex, hook):
            fd = libbpf.program_by_id(program_id)
            found.add(libbpf.program_name(fd))
            libbpf.close(fd)
    return found


def at_ports(host: Host) -> list[set[str]]:
    with host.here():
        return [guarded(port) for port in host.ports]


def both_ways(hosts: tuple[Host, Host]) -> bool:
    return reaches(*hosts) and reaches(*hosts[::-1])


@pytest.mark.parametrize("end", [0, 1])
def test_traffic_goes_on_while_nobody_decides(hosts: tuple[Host, Host], end: int) -> None:
    assert [at_ports(host) for host in hosts] == [[{OUT}, {OUT, IN}, {OUT, IN}]] * 2
    assert both_ways(hosts)
    hosts[end].cut(0)
    assert both_ways(hosts)
    hosts[end].cut(1)
    assert both_ways(hosts)
    hosts[end].mend(0)
    hosts[end].cut(2)
    assert both_ways(hosts)
    hosts[end].cut(0)
    assert not both_ways(hosts)
    for host in hosts:
        with host.here():
            assert host.team.actual().options[ACTIVE] == host.ports[0], "diverted, not decided"


def test_without_a_guard_everything_is_lost(hosts: tuple[Host, Host]) -> None:
    """What the other tests stand on: it is the guard that they see."""
    for host in hosts:
        with host.here():
            for port in host.ports:
                take_off(port)
    hosts[0].cut(0)
    assert not reaches(*hosts)


def take_off(port: int) -> None:
    for hook in (libbpf.TCX_EGRESS, libbpf.TCX_INGRESS):
        for program_id in libbpf.attached(port, hook):
            fd = libbpf.program_by_id(program_id)
            libbpf.detach(fd, port, hook)
            libbpf.close(fd)


def test_an_inactive_port_receives_only_while_the_active_one_is_dead(hosts: tuple[Host, Host]) -> None:
    frame = unicast(*hosts)
    with hosts[1].udp() as inbox:
        inbox.settimeout(0.3)
        hosts[0].inject("eth1", frame)
        with pytest.raises(TimeoutError):
            inbox.recv(100)
        hosts[1].cut(0)
        inbox.settimeout(2)
        hosts[0].inject("eth1", frame)
        assert inbox.recv(100) == b"hello"


def unicast(sender: Host, receiver: Host) -> bytes:
    """A datagram as the one's team would send it."""
    with receiver.udp(), sender.tap("eth0") as tap:
        with sender.udp() as outbox:
            outbox.sendto(b"hello", (receiver.ipv4, 9000))
        while b"hello" not in (frame := tap.recv(2000)):
            pass
        # The sum is left to a card that is not there: 0 stands for none.
        return frame[:40] + bytes(2) + frame[42:]


def test_what_means_a_port_stays_there(hosts: tuple[Host, Host]) -> None:
    """Slow protocols, and what is sent by a port that is not active: a link watch's probes."""
    with hosts[1].tap("eth2") as tap:
        hosts[1].cut(0)
        hosts[1].cut(1)
        hosts[0].inject("eth0", SLOW)
        hosts[0].inject("eth1", UNICAST)
        hosts[0].inject("eth0", LINK_LOCAL)
        assert SLOW[6:12] not in [frame[6:12] for frame in frames(tap, 0.3)]
        hosts[0].inject("eth0", UNICAST)
        assert [frame for frame in frames(tap, 0.3) if frame[6:12] == SLOW[6:12]] == [UNICAST]


def test_the_guard_follows_the_active_port(hosts: tuple[Host, Host]) -> None:
    for host in hosts:
        with host.here():
            host.activate(host.ports[1])
        look(host)
        assert at_ports(host) == [{OUT, IN}, {OUT}, {OUT, IN}]
    hosts[0].cut(1)
    assert both_ways(hosts)
    with hosts[0].here(), TeamFamily() as family:
        family.set(hosts[0].team.ifindex, OptionState(ACTIVE, Type.U32, hosts[0].ports[2]))
    look(hosts[0])
    assert at_ports(hosts[0]) == [{OUT, IN}, {OUT, IN}, {OUT}], "set by others"


def test_a_port_that_leaves_is_guarded_no_more(hosts: tuple[Host, Host]) -> None:
    host = hosts[0]
    with host.here():
        host.team.remove_port(host.ports[2])
        assert guarded(host.ports[2]) == set()
        host.rtnl.set_link(host.ports[1], master=0)
    look(host)
    assert at_ports(host) == [{OUT}, set(), set()]


def test_a_port_that_left_unseen_is_no_way(hosts: tuple[Host, Host]) -> None:
    """Nobody takes the programs off while the daemon is away."""
    host = hosts[0]
    with host.here():
        host.rtnl.set_link(host.ports[1], master=0)
        host.rtnl.set_link(host.ports[1], up=True)
    with hosts[1].udp(), hosts[1].tap("eth1") as tap, hosts[1].tap("eth2") as right:
        host.cut(0)
        with host.udp() as outbox:
            outbox.sendto(b"hello", (hosts[1].ipv4, 9000))
        while b"hello" not in right.recv(2000):
            pass
        assert not [frame for frame in frames(tap, 0.2) if b"hello" in frame]


@pytest.mark.parametrize("end", ["destroy", "close"])
def test_nothing_is_left_at_the_end(hosts: tuple[Host, Host], end: str) -> None:
    with hosts[0].here():
        getattr(hosts[0].team, end)()
    assert at_ports(hosts[0]) == [set(), set(), set()]


def test_what_somebody_took_off_is_put_back(hosts: tuple[Host, Host]) -> None:
    host = hosts[0]
    with host.here():
        assert host.team.repair() == []
        take_off(host.ports[1])
        assert host.team.repair() == [f"guard of interface {host.ports[1]}"]
    assert at_ports(host)[1] == {OUT, IN}


def test_only_activebackup_has_one(tmp_path: Path) -> None:
    with two_hosts("roundrobin", 2, create=partial(KernelDatapath.create, run_dir=tmp_path)) as hosts:
        look(hosts[0])
        assert at_ports(hosts[0]) == [set(), set()]
        with hosts[0].here():
            assert ORDER not in hosts[0].team.actual().options


@contextmanager
def ports() -> Iterator[tuple[Rtnl, list[int]]]:
    with namespace() as own, inside(own), Rtnl() as rtnl:
        yield rtnl, [rtnl.add_veth(f"eth{n}", f"far{n}", peer_up=True).ifindex for n in range(2)]


def die_guarding(run_dir: Path, members: list[int]) -> None:
    datapath = KernelDatapath.create("team0", run_dir)
    datapath.set_option(MODE, "activebackup")
    for port in members:
        datapath.add_port(port)
    datapath.set_option(ACTIVE, members[1])
    datapath.set_option(ORDER, order_of(members[::-1]))
    settle(datapath)
    os.kill(os.getpid(), signal.SIGKILL)


def order_of(members: list[int]) -> bytes:
    return b"".join(port.to_bytes(4, "little") for port in members)


def test_a_successor_finds_the_guard_of_the_dead(tmp_path: Path) -> None:
    with ports() as (rtnl, members):
        process = multiprocessing.get_context("fork").Process(target=die_guarding, args=(tmp_path, members))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        ids = [libbpf.attached(port, libbpf.TCX_EGRESS) for port in members]
        assert all(ids)
        datapath = KernelDatapath.adopt("team0", tmp_path)
        assert datapath.actual().options[ORDER] == order_of(members[::-1])
        settle(datapath)
        assert [libbpf.attached(port, libbpf.TCX_EGRESS) for port in members] == ids, "the very same"
        rtnl.set_link(members[0], master=0)
        datapath.receive()
        settle(datapath)
        assert [guarded(port) for port in members] == [set(), {OUT}]
        datapath.destroy()
        assert [guarded(port) for port in members] == [set(), set()]


def test_another_teams_guard_is_left_to_it(tmp_path: Path) -> None:
    with ports() as (_, members):
        made = []
        for name, port in zip(("team0", "team1"), members, strict=True):
            datapath = KernelDatapath.create(name, tmp_path)
            datapath.set_option(MODE, "activebackup")
            datapath.add_port(port)
            datapath.set_option(ORDER, order_of([port]))
            settle(datapath)
            made.append(datapath)
        made[1].destroy()
        assert [guarded(port) for port in members] == [{OUT, IN}, set()]
        made[0].destroy()
        assert guarded(members[0]) == set()


def test_without_rights_or_library_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pyteam.datapath.ebpf.requirements.OLDEST_KERNEL", (99, 0))
    with ports() as (_, members), caplog.at_level("DEBUG"):
        datapath = KernelDatapath.create("team0", tmp_path)
        datapath.set_option(MODE, "activebackup")
        for port in members:
            datapath.add_port(port)
        assert ORDER not in datapath.actual().options
        assert datapath.next_timeout() is None
        assert datapath.repair() == []
        datapath.destroy()
    assert [record.getMessage()[:26] for record in caplog.records] == ["the ports are not guarded:"]


@pytest.mark.parametrize("while_daemons", [signal.SIGSTOP, signal.SIGKILL])
def test_daemons_that_are_away_lose_nothing(tmp_path: Path, while_daemons: signal.Signals) -> None:
    cables = ("eth0", "eth1")
    config = {"device": TEAM, "runner": {"name": "activebackup"}, "ports": {cable: {} for cable in cables}}
    with pair_of_hosts(tmp_path, "kernel", cables) as pair:
        pair.start({cable: {} for cable in cables})
        pair.ip(f"addr add 10.1.0.%/24 dev {TEAM}")
        ends = (pair.a, pair.b)
        for end in ends:
            end.becomes("runner.active_port", "eth0")
        wait_for(lambda: pair.reaches("10.1.0"), lambda: "a datagram")

        def at(cable: str) -> set[str]:
            with inside(pair.a.netns):
                return guarded(socket.if_nametoindex(cable))

        wait_for(lambda: (at("eth0"), at("eth1")) == ({OUT}, {OUT, IN}), lambda: "the guard")
        for end in ends:
            assert end.daemon
            os.kill(end.daemon.pid, while_daemons)
        pair.b.ip("link set eth0 down")
        assert pair.reaches("10.1.0")
        if while_daemons == signal.SIGSTOP:
            for end in ends:
                assert end.daemon
                os.kill(end.daemon.pid, signal.SIGCONT)
        else:
            for end in ends:
                assert end.daemon
                end.daemon.end(signal.SIGKILL)
                end.start("kernel", config)
        for end in ends:
            end.becomes("runner.active_port", "eth1")
        assert pair.reaches("10.1.0")
        wait_for(lambda: (at("eth0"), at("eth1")) == ({OUT, IN}, {OUT}), lambda: "the guard to follow")
        assert pair.a.daemon
        pair.a.daemon.end(signal.SIGTERM)
        assert (at("eth0"), at("eth1")) == (set(), set())
