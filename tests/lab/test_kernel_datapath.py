"""The kernel datapath where its contract alone does not tell: predecessors, outsiders, losses, crowds."""

from __future__ import annotations

import errno
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.datapath.interface import DatapathError
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.engine.events import Event, LinkSeen, OptionSeen
from pyteam.engine.hashtable import ENTRIES, KEYS
from pyteam.link import Link
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import OptionState, TeamFamily
from pyteam.options import OptionKey, Type
from tests.netns.anonymous import inside, namespace

MODE = OptionKey("mode")


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    with namespace() as own, inside(own), Rtnl() as opened:
        yield opened


@pytest.fixture
def team(rtnl: Rtnl, tmp_path: Path) -> Iterator[KernelDatapath]:
    datapath = KernelDatapath.create("team0", tmp_path)
    yield datapath
    datapath.close()


def cable(rtnl: Rtnl, name: str = "eth1") -> int:
    return rtnl.add_veth(name, f"far{name}", peer_up=True).ifindex


def seen(events: list[Event], ifindex: int) -> Link:
    """As the last event shows it."""
    return [e.link for e in events if isinstance(e, LinkSeen) and e.link.ifindex == ifindex][-1]


def test_the_driver_is_here(rtnl: Rtnl) -> None:
    assert KernelDatapath.available()


def test_a_name_that_is_taken(rtnl: Rtnl, tmp_path: Path) -> None:
    cable(rtnl)
    with pytest.raises(DatapathError, match="File exists") as caught:
        KernelDatapath.create("eth1", tmp_path)
    assert caught.value.errno == errno.EEXIST
    with pytest.raises(DatapathError, match="is not a team device") as caught:
        KernelDatapath.adopt("eth1", tmp_path)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(DatapathError) as caught:
        KernelDatapath.adopt("nobody", tmp_path)
    assert caught.value.errno == errno.ENODEV
    assert list(tmp_path.iterdir()) == []


def test_a_failed_creation_leaves_nothing(
    rtnl: Rtnl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(TeamFamily, "ports", fail)
    with pytest.raises(MemoryError):
        KernelDatapath.create("team0", tmp_path)
    assert [link.name for link in rtnl.links()] == ["lo"]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    KernelDatapath.create("team0", tmp_path).destroy()


def die_owning(run_dir: Path, mode: str) -> None:
    datapath = KernelDatapath.create("team0", run_dir)
    datapath.set_option(MODE, mode)
    with Rtnl() as rtnl:
        datapath.add_port(rtnl.link_by_name("eth1").ifindex)
    datapath.set_carrier(True)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("mode", ["activebackup", "roundrobin"])
def test_a_killed_owner_has_a_successor_who_knows_all(rtnl: Rtnl, tmp_path: Path, mode: str) -> None:
    port, donor = cable(rtnl), cable(rtnl, "eth2")
    own = rtnl.link(port).address
    assert not KernelDatapath.orphaned("team0", tmp_path)
    process = multiprocessing.get_context("fork").Process(target=die_owning, args=(tmp_path, mode))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert KernelDatapath.orphaned("team0", tmp_path)
    assert not KernelDatapath.orphaned("team0", tmp_path / "elsewhere")
    rtnl.set_link(port, address=rtnl.link(donor).address)
    datapath = KernelDatapath.adopt("team0", tmp_path)
    try:
        assert datapath.actual().members == {port}
        assert datapath.actual().carrier_is_set
        assert datapath.link(port).permanent_address == own
        assert datapath.receive() == [], "nothing was done to it"
    finally:
        datapath.close()
    assert not KernelDatapath.orphaned("team0", tmp_path), "the last one left on purpose"


@pytest.mark.parametrize("mode", ["activebackup", "roundrobin"])
def test_a_port_that_others_made_one_keeps_its_own_address(
    rtnl: Rtnl, team: KernelDatapath, mode: str
) -> None:
    team.set_option(MODE, mode)
    port = cable(rtnl)
    own = rtnl.link(port).address
    team.receive()
    rtnl.set_link(port, master=team.ifindex)
    link = seen(team.receive(), port)
    assert (link.member, link.permanent_address) == (True, own)
    rtnl.set_link(port, master=0)
    assert not seen(team.receive(), port).member
    assert team.actual().members == frozenset()


def test_options_set_by_others_are_seen(rtnl: Rtnl, team: KernelDatapath) -> None:
    team.set_option(MODE, "activebackup")
    port = cable(rtnl)
    team.add_port(port)
    team.receive()
    key = OptionKey("priority", port)
    with TeamFamily() as family:
        for value in (3, 4, -5):
            family.set(team.ifindex, OptionState(key, Type.S32, value))
    assert [event for event in team.receive() if isinstance(event, OptionSeen)] == [OptionSeen(key, -5)]


def test_old_news_do_not_undo_what_was_set_last(rtnl: Rtnl, team: KernelDatapath) -> None:
    """Every entry is told by a message of its own, and no batch has room for all of them."""
    team.set_option(MODE, "loadbalance")
    a, b = cable(rtnl), cable(rtnl, "eth2")
    for port in (a, b):
        team.add_port(port)
    team.receive()
    for port in (a, b, a, b):
        team.set_entries(port, range(ENTRIES))
    while select.select(team.files(), [], [], 0)[0]:
        told = {
            event.value for event in team.receive() if isinstance(event, OptionSeen) and event.key in KEYS
        }
        assert told <= {b}
        assert {team.actual().options[key] for key in KEYS} == {b}


def test_speed_comes_with_the_link(rtnl: Rtnl, team: KernelDatapath) -> None:
    team.set_option(MODE, "activebackup")
    port = cable(rtnl)
    team.add_port(port)
    link = seen(team.receive(), port)
    assert (link.usable, link.speed, link.duplex) == (True, 10000, 1)
    rtnl.set_link(rtnl.link(port).link, up=False)
    deadline = time.monotonic() + 5
    while seen([LinkSeen(team.link(port)), *team.receive()], port).speed:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_old_news_do_not_release_a_port(
    rtnl: Rtnl, team: KernelDatapath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said before a port was added may be heard after it, and its correction only later."""
    team.set_option(MODE, "activebackup")
    port = cable(rtnl)
    monkeypatch.setattr("pyteam.netlink.listener.BATCH", 1)
    rtnl.set_link(port, mtu=1400)
    team.add_port(port)
    while select.select(team.files(), [], [], 0)[0]:
        events = team.receive()
        assert all(e.link.member for e in events if isinstance(e, LinkSeen) and e.link.ifindex == port)
    team.set_option(OptionKey("priority", port), 5)


def test_old_news_do_not_change_an_address(
    rtnl: Rtnl, team: KernelDatapath, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it is set again, and somebody is blamed for it."""
    team.set_option(MODE, "activebackup")
    port = cable(rtnl)
    team.add_port(port)
    while team.receive():
        pass
    monkeypatch.setattr("pyteam.netlink.listener.BATCH", 1)
    for number, ifindex in enumerate((team.ifindex, port), start=1):
        address = bytes([2, 0, 0, 0, 1, number])
        rtnl.set_link(ifindex, mtu=1400)
        team.set_address(ifindex, address)
        while select.select(team.files(), [], [], 0)[0]:
            team.receive()
            assert team.actual().addresses[ifindex] == address


def test_a_port_of_another_team_is_left_to_it(rtnl: Rtnl, team: KernelDatapath, tmp_path: Path) -> None:
    team.set_option(MODE, "roundrobin")
    other = rtnl.add_link("team1", "team")
    port = cable(rtnl)
    rtnl.set_link(port, master=other.ifindex)
    with pytest.raises(DatapathError) as caught:
        team.add_port(port)
    assert caught.value.errno == errno.EBUSY
    assert "as a port of team1: release it there first" in str(caught.value)
    assert rtnl.link(port).master == other.ifindex


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (OptionKey("mode"), "roundrobin", errno.EBUSY),
        (OptionKey("notify_peers_count"), -1, errno.EINVAL),
        (OptionKey("notify_peers_count"), "many", errno.EINVAL),
        (OptionKey("failover_order"), b"123", errno.EINVAL),
        (OptionKey("ebpf_hash_func"), b"", errno.ENOENT),
        (OptionKey("warp"), 9, errno.ENOENT),
        (OptionKey("activeport"), 4711, errno.ENOENT),
    ],
)
def test_refusals(rtnl: Rtnl, team: KernelDatapath, key: OptionKey, value: int, code: int) -> None:
    team.set_option(MODE, "activebackup")
    team.add_port(cable(rtnl))
    with pytest.raises(DatapathError) as caught:
        team.set_option(key, value)
    assert caught.value.errno == code
    assert len(str(caught.value).splitlines()) == 1


def test_an_option_that_this_kernel_lacks_is_absent(team: KernelDatapath) -> None:
    team.set_option(MODE, "loadbalance")
    assert OptionKey("ebpf_hash_func") not in team.actual().options
    assert OptionKey("bpf_hash_func") in team.actual().options


def test_the_device_goes_with_messages_unread(rtnl: Rtnl, team: KernelDatapath) -> None:
    team.set_option(MODE, "activebackup")
    rtnl.delete_link(team.ifindex)
    gone = [event for event in team.receive() if not isinstance(event, (LinkSeen, OptionSeen))]
    assert [getattr(event, "ifindex", 0) for event in gone] == [team.ifindex]
    with pytest.raises(DatapathError) as caught:
        team.actual()
    assert caught.value.errno == errno.ENODEV


def test_sixty_four_ports_in_a_storm(rtnl: Rtnl, team: KernelDatapath) -> None:
    """Unrelated links flap all the time; at the end everything is known as it is."""
    team.set_option(MODE, "activebackup")
    bystander = rtnl.add_link("dummy0", "dummy")
    wanted = set()
    for number in range(64):
        port = cable(rtnl, f"p{number}")
        team.add_port(port)
        wanted.add(port)
        for mtu in range(1400, 1440):
            rtnl.set_link(bystander.ifindex, mtu=mtu)
    links: dict[int, Link] = {}
    while select.select(team.files(), [], [], 1)[0]:
        links |= {event.link.ifindex: event.link for event in team.receive() if isinstance(event, LinkSeen)}
    assert wanted == {ifindex for ifindex, link in links.items() if link.member and link.usable}
    actual = team.actual()
    assert actual.members == wanted
    assert links[bystander.ifindex].mtu == 1439
    assert len([key for key in actual.options if key.name == "enabled"]) == 64
