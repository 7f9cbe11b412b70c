"""What must not happen to an interface, whatever happens to the daemon and to the team device."""

from __future__ import annotations

import errno
import logging
import socket
import subprocess

import pytest

from pyteam.datapath.ebpf import libbpf, ports
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.shared import SharedState
from pyteam.options import OptionKey
from tests.netns.cabled import TEAM, Host, reaches, two_hosts


class Death(BaseException):
    """Stands for kill -9: nothing that would clean up may run."""


def die(*_: object, **__: object) -> None:
    raise Death


def drop(team: EbpfDatapath) -> None:
    """What the kernel does with a dead owner: descriptors are closed, and nothing else."""
    team._close()


def test_a_port_of_a_team_that_somebody_deleted_is_given_back_to_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with two_hosts("activebackup") as (a, _), a.here():
        port = a.ports[0]
        before = a.team._record.ports[port].original
        drop(a.team)
        a.rtnl.delete_link(socket.if_nametoindex(TEAM))
        assert libbpf.attached(port, libbpf.TCX_INGRESS)
        a.team = EbpfDatapath.create(TEAM)
        a.team.set_option(OptionKey("mode"), "roundrobin")
        a.team.add_port(port)
        assert "a team that is gone" in caplog.text
        assert a.team._record.ports[port].original == before
        a.team.remove_port(port)
        link = a.rtnl.link(port)
        assert (link.up, link.promiscuous, link.allmulticast) == (False, False, False)
        assert not libbpf.attached(port, libbpf.TCX_INGRESS)


@pytest.mark.parametrize(
    ("room", "function"),
    [
        (EbpfDatapath, "_remember"),
        (Hooks, "take_off_port"),
        (ports, "give_back"),
        (SharedState, "free_slot"),
    ],
)
def test_an_owner_that_dies_while_it_releases_a_port(
    monkeypatch: pytest.MonkeyPatch, room: object, function: str
) -> None:
    with two_hosts("activebackup") as (a, b), a.here():
        with monkeypatch.context() as patch:
            patch.setattr(room, function, die)
            with pytest.raises(Death):
                a.team.remove_port(a.ports[0])
            drop(a.team)
        a.team = EbpfDatapath.adopt(TEAM)
        _works_again(a, b)


@pytest.mark.parametrize(
    ("room", "function"), [(EbpfDatapath, "_remember"), (Hooks, "hang_on_port"), (ports, "prepare")]
)
def test_an_owner_that_dies_while_it_adds_a_port(
    monkeypatch: pytest.MonkeyPatch, room: object, function: str
) -> None:
    with two_hosts("activebackup") as (a, b), a.here():
        a.team.remove_port(a.ports[0])
        with monkeypatch.context() as patch:
            patch.setattr(room, function, die)
            patch.setattr(EbpfDatapath, "remove_port", die)
            with pytest.raises(Death):
                a.team.add_port(a.ports[0])
            drop(a.team)
        a.team = EbpfDatapath.adopt(TEAM)
        _works_again(a, b)


def _works_again(a: Host, b: Host) -> None:
    """The port can be added, carries traffic, and can be released."""
    first = a.ports[0]
    if first not in a.team.actual().members:
        a.team.add_port(first)
    a.team.set_address(first, a.team.link(a.team.ifindex).address)
    a.team.set_option(OptionKey("enabled", first), True)
    a.activate(first)
    b.activate(b.ports[0])
    assert reaches(a, b)
    assert reaches(b, a)
    a.team.remove_port(first)
    link = a.rtnl.link(first)
    assert (link.up, link.promiscuous, link.allmulticast) == (False, False, False)
    assert not libbpf.attached(first, libbpf.TCX_INGRESS)


def test_what_stands_on_the_team_cannot_carry_it() -> None:
    """The kernel would send such a packet round and round."""
    with two_hosts("activebackup") as (a, _), a.here():
        for make in (f"link add upper0 link {TEAM} type macvlan", "link add upper0 type bridge"):
            subprocess.run(["ip", *make.split()], check=True)
            upper = socket.if_nametoindex("upper0")
            if "bridge" in make:
                a.rtnl.set_link(a.team.ifindex, master=upper)
            with pytest.raises(OSError, match="upper0 stands on the team device") as caught:
                a.team.add_port(upper)
            assert caught.value.errno == errno.ELOOP
            a.rtnl.delete_link(upper)
        with pytest.raises(OSError, match="a team device itself"):
            a.team.add_port(socket.if_nametoindex(f"{TEAM}-peer"))


def test_a_team_is_no_port() -> None:
    with two_hosts("activebackup") as (a, _), a.here():
        other = EbpfDatapath.create("team1")
        try:
            other.set_option(OptionKey("mode"), "roundrobin")
            a.rtnl.set_link(a.team.ifindex, up=False)
            with pytest.raises(OSError, match="a team device itself"):
                other.add_port(a.team.ifindex)
        finally:
            other.destroy()


def test_a_port_is_kept_hearing_everything_and_saying_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with two_hosts("activebackup") as (a, _), a.here(), caplog.at_level(logging.WARNING):
        port = a.ports[1]
        a.rtnl.set_link(port, promiscuous=False, allmulticast=False)
        with open("/proc/sys/net/ipv6/conf/eth1/disable_ipv6", "w") as switch:
            switch.write("0")
        a.team.receive()
        a.team.links()
        a.team.repair()
        link = a.rtnl.link(port)
        assert (link.promiscuous, link.allmulticast) == (True, True)
        with open("/proc/sys/net/ipv6/conf/eth1/disable_ipv6") as switch:
            assert switch.read().strip() == "1"
        assert "promiscuous mode of eth1" in caplog.text
        assert "IPv6 on eth1" in caplog.text
