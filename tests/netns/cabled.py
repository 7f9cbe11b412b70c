"""Two hosts, a few cables between them, and a team on each: the smallest network with a choice of ways.

The teams are bare datapaths, no daemon: what is shown is what the kernel does by itself.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.netlink.rtnl import NetlinkError, Rtnl
from pyteam.options import OptionKey
from tests.netns.anonymous import inside, namespace
from tests.netns.ticks import next_tick

TEAM: Final = "team0"
#: Seconds that a frame on its way is waited for, and that nothing is waited for.
SOON: Final = 2.0
A_MOMENT: Final = 0.05
ETH_P_ALL: Final = 3


@dataclass
class Host:
    """One namespace with ``eth0``, ``eth1``, ... and a team of them."""

    number: int
    netns: int
    rtnl: Rtnl
    team: EbpfDatapath
    #: By cable.
    ports: list[int] = field(default_factory=list)

    @property
    def ipv4(self) -> str:
        return f"10.99.0.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"fd99::{self.number}"

    @contextmanager
    def here(self) -> Iterator[None]:
        with inside(self.netns):
            yield

    def activate(self, port: int) -> None:
        """By hand, what a daemon would set: this port, and the others behind it."""
        others = [other for other in self.ports if other != port]
        self.team.set_option(OptionKey("activeport"), port)
        self.team.set_option(OptionKey("failover_order"), struct.pack(f"={len(others)}I", *others))

    def cut(self, cable: int) -> None:
        self.rtnl.set_link(self.ports[cable], up=False)

    def mend(self, cable: int) -> None:
        self.rtnl.set_link(self.ports[cable], up=True)

    @contextmanager
    def tap(self, name: str, protocol: int = ETH_P_ALL) -> Iterator[socket.socket]:
        """A packet socket on an interface, as tcpdump has one."""
        with self.here(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol)) as tap:
            tap.bind((name, protocol))
            next_tick()
            tap.settimeout(SOON)
            yield tap

    @contextmanager
    def udp(self, *, ipv6: bool = False) -> Iterator[socket.socket]:
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        with self.here(), socket.socket(family, socket.SOCK_DGRAM) as endpoint:
            endpoint.bind((self.ipv6 if ipv6 else self.ipv4, 9000))
            endpoint.settimeout(SOON)
            yield endpoint

    def inject(self, name: str, frame: bytes) -> None:
        """Send a frame by an interface."""
        with self.here(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind((name, 0))
            raw.send(frame)


@contextmanager
def two_hosts(
    mode: str,
    cables: int = 2,
    *,
    create: Callable[[str], Any] = EbpfDatapath.create,
    txqueues: int | None = None,
) -> Iterator[tuple[Host, Host]]:
    """Both teams are up and have addresses; in mode activebackup their first ports are active.

    ``create`` makes another datapath than the eBPF one; ``txqueues`` are of the first host's ports.
    """
    with ExitStack() as stack:
        spaces = [stack.enter_context(namespace()) for _ in range(2)]
        tools = []
        for netns in spaces:
            with inside(netns):
                tools.append(stack.enter_context(Rtnl()))
        with inside(spaces[0]):
            for cable in range(cables):
                tools[0].add_veth(f"eth{cable}", f"eth{cable}", peer_namespace=spaces[1], txqueues=txqueues)
        hosts = []
        for number, (netns, rtnl) in enumerate(zip(spaces, tools, strict=True), start=1):
            with inside(netns):
                team = create(TEAM)
                host = Host(number, netns, rtnl, team)
                stack.callback(_destroy, host)
                team.set_option(OptionKey("mode"), mode)
                address = team.link(team.ifindex).address
                for cable in range(cables):
                    host.ports.append(socket.if_nametoindex(f"eth{cable}"))
                    team.add_port(host.ports[-1])
                    team.set_address(host.ports[-1], address)
                if mode == "activebackup":
                    host.activate(host.ports[0])
                hosts.append(host)
        for host in hosts:
            with host.here():
                _await_carrier(host.team)
                host.rtnl.set_link(host.team.ifindex, up=True)
                give_address(host, TEAM, host.ipv4, host.ipv6)
        for host, other in (hosts, hosts[::-1]):
            learn(host, other)
        yield hosts[0], hosts[1]


def give_address(host: Host, name: str, *addresses: str) -> None:
    """With iproute2: making addresses is no business of the package."""
    with host.here():
        for address in addresses:
            _ip("addr", "add", f"{address}/{64 if ':' in address else 24}", "dev", name, "nodad")


def learn(host: Host, other: Host) -> None:
    """Permanent neighbours: what is tested is not resolution."""
    with other.here():
        address = other.team.link(other.team.ifindex).address.hex(":")
    with host.here():
        for target in (other.ipv4, other.ipv6):
            _ip("neigh", "replace", target, "lladdr", address, "dev", TEAM, "nud", "permanent")


def reaches(sender: Host, receiver: Host, *, ipv6: bool = False) -> bool:
    """Whether a datagram of the one's team address comes to the other's."""
    with receiver.udp(ipv6=ipv6) as inbox, sender.udp(ipv6=ipv6) as outbox:
        outbox.sendto(b"hello", (receiver.ipv6 if ipv6 else receiver.ipv4, 9000))
        try:
            return inbox.recv(100) == b"hello"
        except TimeoutError:
            return False


def frames(tap: socket.socket, wait: float = A_MOMENT) -> list[bytes]:
    """All that comes until nothing has come for a moment."""
    tap.settimeout(wait)
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(tap.recv(65536))
    return found


def _await_carrier(team: EbpfDatapath) -> None:
    """The kernel may take a second to tell that the other end came up."""
    end = time.monotonic() + SOON
    while not team.actual().carrier:
        assert time.monotonic() < end, "no carrier"
        time.sleep(0.005)
        team.receive()


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


def _destroy(host: Host) -> None:
    """Whichever datapath the host has by now."""
    with host.here(), contextlib.suppress(OSError, NetlinkError):
        host.team.destroy()
