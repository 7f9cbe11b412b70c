"""VLANs: devices of a VLAN on top of a team, and such devices as its ports; both datapaths, real daemons."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.netns.anonymous import inside
from tests.netns.teams import Host, host, wait_for

TEAM: Final = "team0"
CABLES: Final = ("eth0", "eth1")
DATAPATHS: Final = ("kernel", "ebpf")
#: The second one is the highest there is.
VLANS: Final = (7, 4094)
UDP_PORT: Final = 9000
#: Seconds in which a datagram comes, or never will.
SOON: Final = 1.0


class Pair:
    """Two hosts with two cables between them."""

    def __init__(self, a: Host, b: Host) -> None:
        self.hosts = a, b

    def ip(self, *words: str) -> None:
        """The same on both; ``%`` stands for the host's number, 1 or 2."""
        for number, one in enumerate(self.hosts, start=1):
            one.ip(*(word.replace("%", str(number)) for word in words))

    def start(self, ports: tuple[str, ...], runner: str = "activebackup") -> None:
        configuration = {"device": TEAM, "runner": {"name": runner}, "ports": {port: {} for port in ports}}
        for one in self.hosts:
            one.start(config=configuration).ready()
        self.ip("link", "set", TEAM, "up")

    def reaches(self, subnet: str) -> bool:
        """A datagram comes through the addresses ``subnet``.1 and ``subnet``.2, both ways."""
        return all(_passes(*pair, subnet) for pair in ((self.hosts, (1, 2)), (self.hosts[::-1], (2, 1))))

    def comes_through(self, subnet: str) -> None:
        wait_for(lambda: self.reaches(subnet), f"a datagram through {subnet}.0")


@contextmanager
def _here(one: Host) -> Iterator[None]:
    namespace = os.open(f"/proc/{one.holder}/ns/net", os.O_RDONLY)
    try:
        with inside(namespace):
            yield
    finally:
        os.close(namespace)


def _passes(hosts: tuple[Host, ...], numbers: tuple[int, int], subnet: str) -> bool:
    here, there = (f"{subnet}.{number}" for number in numbers)
    with ExitStack() as stack:
        with _here(hosts[1]):
            inbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            inbox.bind((there, UDP_PORT))
            inbox.settimeout(SOON)
        with _here(hosts[0]):
            outbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            outbox.bind((here, UDP_PORT))
            outbox.sendto(b"hello", (there, UDP_PORT))
        try:
            return inbox.recv(100) == b"hello"
        except TimeoutError:
            return False


@pytest.fixture(params=DATAPATHS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        hosts = []
        for name in "ab":
            (tmp_path / name).mkdir()
            made = stack.enter_context(host(tmp_path / name))
            made.datapath = (f"--datapath={request.param}",)
            hosts.append(made)
        for cable in CABLES:
            far = ("peer", "name", cable, "netns", str(hosts[1].holder))
            hosts[0].ip("link", "add", cable, "type", "veth", *far)
        yield Pair(*hosts)


def test_vlans_on_top_of_a_team_survive_a_cut(pair: Pair) -> None:
    """Tagged by the kernel, in a field beside the frame; each VLAN is a network of its own."""
    pair.start(CABLES)
    for vlan in VLANS:
        pair.ip("link", "add", "link", TEAM, "name", f"{TEAM}.{vlan}", "type", "vlan", "id", str(vlan))
        pair.ip("addr", "add", f"10.{vlan % 250}.0.%/24", "dev", f"{TEAM}.{vlan}")
        pair.ip("link", "set", f"{TEAM}.{vlan}", "up")
    for cable in (None, *CABLES):
        if cable:
            pair.hosts[1].ip("link", "set", cable, "down")
        for vlan in VLANS:
            pair.comes_through(f"10.{vlan % 250}.0")
        if cable:
            pair.hosts[1].ip("link", "set", cable, "up")
            pair.hosts[0].becomes(f"ports.{cable}.link_watches.up", "true")
            pair.hosts[1].becomes(f"ports.{cable}.link_watches.up", "true")


def test_a_vlan_follows_the_teams_carrier_and_mtu(pair: Pair) -> None:
    pair.start(CABLES)
    pair.ip("link", "add", "link", TEAM, "name", "vlan7", "type", "vlan", "id", "7")
    pair.ip("link", "set", TEAM, "mtu", "1400")
    here = pair.hosts[0]
    wait_for(lambda: here.links()["vlan7"]["mtu"] == 1400, "the MTU of the VLAN device")
    pair.ip("link", "set", "vlan7", "up")
    for cable in CABLES:
        pair.hosts[1].ip("link", "set", cable, "down")
    wait_for(lambda: "NO-CARRIER" in here.links()["vlan7"]["flags"], "the loss of the carrier")


def test_vlan_devices_as_ports(pair: Pair) -> None:
    """Names with a dot, two networks on one cable; one of them joined with the other cable's."""
    for cable in CABLES:
        pair.ip("link", "set", cable, "up")
        pair.ip("link", "add", "link", cable, "name", f"{cable}.5", "type", "vlan", "id", "5")
    pair.ip("addr", "add", "10.1.0.%/24", "dev", "eth0")
    pair.start(tuple(f"{cable}.5" for cable in CABLES))
    pair.ip("addr", "add", "10.5.0.%/24", "dev", TEAM)
    pair.comes_through("10.5.0")
    pair.comes_through("10.1.0")
    active = pair.hosts[0].item("runner.active_port")
    assert active in {"eth0.5", "eth1.5"}
    assert pair.hosts[0].item(f'ports."{active}".link.up') == "true"
    pair.hosts[1].ip("link", "set", active.removesuffix(".5"), "down")
    pair.comes_through("10.5.0")
    pair.hosts[0].becomes("runner.active_port", "eth1.5" if active == "eth0.5" else "eth0.5")
