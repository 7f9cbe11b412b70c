"""The Python libteam on the real driver."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator

import pytest

from pyteam import libteam
from pyteam.libteam import LinkGone, LinkInfo, NetlinkError, OptionState, PortState, Team, aio
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import TeamFamily, TeamMonitor
from pyteam.options import OptionKey, Type
from tests.netns.anonymous import inside, namespace


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    with namespace() as own, inside(own), Rtnl() as opened:
        for name in ("eth1", "eth2"):
            opened.add_veth(name, f"far{name}", peer_up=True)
        yield opened


@pytest.fixture
def team(rtnl: Rtnl) -> Iterator[Team]:
    with Team.create() as made:
        yield made


def test_a_team_in_a_few_lines(rtnl: Rtnl, team: Team) -> None:
    assert team.name == "team0"
    assert team.mode == libteam.NO_MODE
    team.mode = "activebackup"
    for name in ("eth1", "eth2"):
        team.add_port(name)
    assert [(port.name, port.link_up, port.speed, port.duplex) for port in team.ports()] == [
        ("eth1", True, 10000, 1),
        ("eth2", True, 10000, 1),
    ]
    assert team.active_port == 0
    team.active_port = "eth2"
    assert team.active_port == rtnl.link_by_name("eth2").ifindex
    team.set("priority", -3, port="eth1")
    assert (team.get("priority", port="eth1"), team.get("priority", port="eth2")) == (-3, 0)
    team.remove_port("eth2")
    assert [port.name for port in team.ports()] == ["eth1"]
    team.address = bytes.fromhex("020000000001")
    assert team.address == rtnl.link(team.ifindex).address == bytes.fromhex("020000000001")
    assert team.carrier
    team.carrier = False
    assert not team.carrier
    team.destroy()
    with pytest.raises(NetlinkError):
        rtnl.link_by_name("team0")


@pytest.mark.parametrize(
    ("name", "value", "index"),
    [("lb_tx_method", "hash_to_port_mapping", 0), ("bpf_hash_func", bytes([6, *bytes(7)]), 0)],
)
def test_every_type_of_option(team: Team, name: str, value: libteam.OptionValue, index: int) -> None:
    team.mode = "loadbalance"
    team.set(name, value, index=index)
    assert team.get(name, index=index) == value


def test_arrays(rtnl: Rtnl, team: Team) -> None:
    team.mode = "loadbalance"
    team.add_port("eth1")
    port = rtnl.link_by_name("eth1").ifindex
    for index in (0, 255):
        team.set("lb_tx_hash_to_port_mapping", port, index=index)
    mapping = [option for option in team.options() if option.key.name == "lb_tx_hash_to_port_mapping"]
    assert [option.key.array_index for option in mapping] == list(range(256))
    assert [option.key.array_index for option in mapping if option.value == port] == [0, 255]
    assert team.get("lb_hash_stats", index=7) == bytes(8)


def test_names(rtnl: Rtnl, team: Team) -> None:
    with Team.create() as second, Team(team.ifindex) as same:
        assert second.name == "team1"
        assert same.name == "team0"
    with pytest.raises(NetlinkError) as caught:
        Team.create("team0")
    assert caught.value.errno == errno.EEXIST
    with Team.recreate("team0") as fresh:
        assert fresh.ifindex != team.ifindex
    for name, code in (("nobody", errno.ENODEV), ("eth1", errno.EINVAL)):
        with pytest.raises(NetlinkError) as caught:
            Team(name)
        assert caught.value.errno == code


def test_refusals(rtnl: Rtnl, team: Team) -> None:
    team.mode = "random"
    for call, code in (
        (lambda: team.get("activeport"), errno.ENOENT),
        (lambda: team.get("enabled", port="eth1"), errno.ENODEV),
        (lambda: team.remove_port("eth1"), errno.ENODEV),
        (lambda: team.add_port(team.ifindex), errno.EINVAL),
        (lambda: team.add_port("nobody"), errno.ENODEV),
    ):
        with pytest.raises(NetlinkError) as caught:
            call()
        assert caught.value.errno == code
    with pytest.raises(libteam.NetlinkFormatError):
        team.set("notify_peers_count", "many")


def test_changes(rtnl: Rtnl, team: Team) -> None:
    team.mode = "roundrobin"
    port = rtnl.link_by_name("eth1").ifindex
    with team.watch() as watch:
        assert watch.wait(0) == []
        rtnl.set_link(port, master=team.ifindex)
        changes = watch.wait(5)
        assert PortState(port, link_up=True, speed=10000, duplex=1) in changes
        assert {c.master for c in changes if isinstance(c, LinkInfo) and c.ifindex == port} == {team.ifindex}
        team.set("queue_id", 3, port="eth1")
        assert watch.wait(5) == [OptionState(OptionKey("queue_id", port), Type.U32, 3)]
        rtnl.delete_link(port)
        changes = watch.wait(5)
        assert LinkGone(port) in changes
        assert PortState(port, removed=True) in changes


def test_changes_in_asyncio(rtnl: Rtnl, team: Team) -> None:
    async def first_change() -> object:
        with team.watch() as watch:
            asyncio.get_running_loop().call_soon(team.set, "notify_peers_count", 5)
            async for change in aio.changes(watch):
                return change
        return None

    found = asyncio.run(asyncio.wait_for(first_change(), 5))
    assert found == OptionState(OptionKey("notify_peers_count"), Type.U32, 5)


def test_lost_messages_are_made_good(rtnl: Rtnl, team: Team) -> None:
    team.mode = "roundrobin"
    with TeamFamily() as family:
        monitor = TeamMonitor(family, team.ifindex, buffer=2048)
        monitor.snapshot()
        for count in range(1, 200):
            team.set("notify_peers_count", count)
        # The buffer is full: nothing of what follows gets into it.
        team.add_port("eth1")
        changes = monitor.receive()
        monitor.close()
    port = rtnl.link_by_name("eth1").ifindex
    assert OptionState(OptionKey("notify_peers_count"), Type.U32, 199) in changes
    assert PortState(port, link_up=True, speed=10000, duplex=1) in changes
    assert OptionState(OptionKey("enabled", port), Type.BOOL, True) in changes
