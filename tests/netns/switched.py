"""A host with a team, a bridge as the switch between, and neighbours that are hosts of their own.

The switch knows nothing of teams: every port of it is a plain bridge port.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace
from tests.netns.teams import Host, host

TEAM_IPV4: Final = "10.99.0.1"
TEAM_IPV6: Final = "fd99::1"


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


@dataclass
class Neighbour:
    """A host on one cable of the switch."""

    number: int
    netns: int
    mac: str

    @property
    def ipv4(self) -> str:
        return f"10.99.1.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"fd99::1:{self.number:x}"

    @contextmanager
    def udp(self, *, ipv6: bool = False, port: int = 9000) -> Iterator[socket.socket]:
        with (
            inside(self.netns),
            socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as made,
        ):
            made.bind((self.ipv6 if ipv6 else self.ipv4, port))
            made.settimeout(5)
            yield made

    def knows(self, address: str) -> str:
        """The MAC that it has for an address; empty: none."""
        with inside(self.netns):
            done = subprocess.run(
                ["ip", "neigh", "show", address], capture_output=True, text=True, check=True
            )
        words = done.stdout.split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else ""


@dataclass
class Network:
    host: Host
    switch: int
    ports: list[str]
    neighbours: list[Neighbour] = field(default_factory=list)

    def cut(self, port: str) -> None:
        self._set(port, up=False)

    def mend(self, port: str) -> None:
        self._set(port, up=True)

    def swallow(self, port: str) -> None:
        """From now on the switch forwards nothing by this port, and its carrier stays."""
        with inside(self.switch):
            subprocess.run(
                ["bridge", "link", "set", "dev", port.replace("eth", "sw"), "state", "0"], check=True
            )

    def _set(self, port: str, *, up: bool) -> None:
        with inside(self.switch), Rtnl() as rtnl:
            rtnl.set_link(rtnl.link_by_name(port.replace("eth", "sw")).ifindex, up=up)

    def in_host(self) -> int:
        return os.open(f"/proc/{self.host.holder}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    @contextmanager
    def host_udp(self, *, ipv6: bool = False) -> Iterator[socket.socket]:
        netns = self.in_host()
        try:
            with (
                inside(netns),
                socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as made,
            ):
                made.bind((TEAM_IPV6 if ipv6 else TEAM_IPV4, 9000))
                made.settimeout(5)
                yield made
        finally:
            os.close(netns)

    def shares(self) -> dict[str, list[str]]:
        """By port: the MACs that receive by it."""
        state = self.host.state()
        return {name: list(port["runner"]["rx_neighbours"]["list"]) for name, port in state["ports"].items()}


def plug_neighbour(stack: ExitStack, rtnl: Rtnl, bridge: int, number: int) -> Neighbour:
    """A new host on a bridge of this namespace."""
    space = stack.enter_context(namespace())
    port = rtnl.add_veth(f"n{number}", "eth0", peer_namespace=space)
    rtnl.set_link(port.ifindex, master=bridge)
    rtnl.set_link(port.ifindex, up=True)
    with inside(space), Rtnl() as there:
        link = there.link_by_name("eth0")
        there.set_link(link.ifindex, up=True)
        made = Neighbour(number, space, link.address.hex(":"))
        ip("addr", "add", f"{made.ipv4}/16", "dev", "eth0")
        ip("addr", "add", f"{made.ipv6}/64", "dev", "eth0", "nodad")
    return made


@contextmanager
def network(
    directory: Path, ports: int = 4, neighbours: int = 4, datapath: str = "ebpf"
) -> Iterator[Network]:
    with ExitStack() as stack:
        switch = stack.enter_context(namespace())
        made = stack.enter_context(host(directory))
        made.datapath = (f"--datapath={datapath}",)
        names = [f"eth{number}" for number in range(ports)]
        network = Network(made, switch, names)
        netns = network.in_host()
        stack.callback(os.close, netns)
        with inside(switch), Rtnl() as rtnl:
            bridge = rtnl.add_link("br0", "bridge")
            rtnl.set_link(bridge.ifindex, up=True)
            for name in names:
                port = rtnl.add_veth(name.replace("eth", "sw"), name, peer_namespace=netns)
                rtnl.set_link(port.ifindex, master=bridge.ifindex)
                rtnl.set_link(port.ifindex, up=True)
            for number in range(1, neighbours + 1):
                network.neighbours.append(plug_neighbour(stack, rtnl, bridge.ifindex, number))
        yield network


def config(ports: Sequence[str], **more: Any) -> dict[str, Any]:
    return {
        "device": "team0",
        "runner": {"name": "loadbalance", "tx_hash": ["l3", "l4"], "rx_balancer": {"name": "arp"}},
        "ports": {name: {} for name in ports},
    } | more


def start(network: Network, **more: Any) -> None:
    """The daemon, with addresses on team0."""
    network.host.start(config=config(network.ports, **more)).ready()
    network.host.ip("link", "set", "team0", "up")
    network.host.ip("addr", "add", f"{TEAM_IPV4}/16", "dev", "team0")
    network.host.ip("addr", "add", f"{TEAM_IPV6}/64", "dev", "team0", "nodad")
