"""Programs that somebody took off the team device and its other end: found missing, and put back."""

from __future__ import annotations

import socket

import pytest

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from tests.netns.cabled import TEAM, Host, reaches, two_hosts

#: Device, hook, and how the log calls it.
PLACES = [
    ("team0", libbpf.TCX_EGRESS, "egress of the team device"),
    ("team0-peer", libbpf.TCX_INGRESS, "ingress of its other end"),
    ("team0-peer", libbpf.TCX_EGRESS, "egress of its other end"),
]


def programs(name: str, hook: int) -> list[int]:
    return libbpf.attached(socket.if_nametoindex(name), hook)


def take_off(name: str, hook: int) -> None:
    """As `bpftool net detach` does."""
    for program_id in programs(name, hook):
        program = libbpf.program_by_id(program_id)
        libbpf.detach(program, socket.if_nametoindex(name), hook)
        libbpf.close(program)


@pytest.mark.parametrize(("name", "hook", "place"), PLACES)
def test_a_program_taken_off_is_put_back(name: str, hook: int, place: str) -> None:
    with two_hosts("activebackup") as (one, two), one.here():
        assert one.team.repair() == []
        before = programs(name, hook)
        take_off(name, hook)
        assert programs(name, hook) == []
        assert one.team.repair() == [f"put the program at the {place} back"]
        assert programs(name, hook) == before
        assert one.team.repair() == []
        assert reaches(one, two)


@pytest.mark.parametrize(("name", "hook", "place"), PLACES[:2])
def test_a_successor_puts_it_back_before_anything(
    name: str, hook: int, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with two_hosts("activebackup") as (one, two), one.here():
        before = one.team.actual()
        one.team.close()
        take_off(name, hook)
        one.team = EbpfDatapath.adopt(TEAM)
        assert one.team.actual() == before
        assert len(programs(name, hook)) == 1
        assert f"Repairing what was changed from outside: put the program at the {place} back." in caplog.text
        assert reaches(one, two)


def test_a_device_that_is_gone_is_not_repaired() -> None:
    with two_hosts("activebackup") as (one, _), one.here():
        one.rtnl.delete_link(one.team.ifindex)
        assert one.team.repair() == []


def test_other_peoples_programs_are_left_where_they_are() -> None:
    """Those of another team device do for them."""
    with two_hosts("activebackup") as (one, two), one.here():
        other = other_program(two)
        libbpf.attach(other, one.team.ifindex, libbpf.TCX_EGRESS)
        there = programs(TEAM, libbpf.TCX_EGRESS)
        assert one.team.repair() == []
        assert programs(TEAM, libbpf.TCX_EGRESS) == there
        libbpf.detach(other, one.team.ifindex, libbpf.TCX_EGRESS)
        libbpf.close(other)


def other_program(host: Host) -> int:
    with host.here():
        return libbpf.program_by_id(programs(TEAM, libbpf.TCX_EGRESS)[0])
