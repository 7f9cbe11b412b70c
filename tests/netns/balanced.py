"""What receive balancing is judged by, on either datapath: traffic of neighbours, guests on a bridge."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Final

from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside
from tests.netns.switched import TEAM_IPV4, TEAM_IPV6, Neighbour, Network, ip, plug_neighbour
from tests.netns.teams import wait_for

#: Rounds of one datagram from each neighbour, and the pause between them in seconds.
ROUNDS: Final = 150
PAUSE: Final = 0.004
_MESSAGE: Final = struct.Struct("!II")


def team_address(neighbour: Neighbour) -> str:
    """Every second neighbour speaks IPv6."""
    return TEAM_IPV6 if neighbour.number % 2 == 0 else TEAM_IPV4


class Traffic:
    """Numbered datagrams from each neighbour to the team; who got through is known afterwards."""

    def __init__(self, net: Network, stack: ExitStack) -> None:
        self._inboxes = [stack.enter_context(net.host_udp(ipv6=ipv6)) for ipv6 in (False, True)]
        self._outboxes = []
        for neighbour in net.neighbours:
            ipv6 = team_address(neighbour) == TEAM_IPV6
            made = stack.enter_context(neighbour.udp(ipv6=ipv6))
            made.connect((team_address(neighbour), 9000))
            self._outboxes.append((neighbour, made))
        for inbox in self._inboxes:
            inbox.setblocking(False)
        self.sent = 0
        self._got: list[tuple[int, int]] = []

    def round(self) -> None:
        for neighbour, outbox in self._outboxes:
            outbox.send(_MESSAGE.pack(neighbour.number, self.sent))
        self.sent += 1
        self._collect()

    def _collect(self) -> None:
        for inbox in self._inboxes:
            try:
                while True:
                    self._got.append(_MESSAGE.unpack(inbox.recv(_MESSAGE.size)))
            except BlockingIOError:
                pass

    def warm_up(self) -> None:
        """Until all have learned where the team is."""
        for neighbour, _ in self._outboxes:
            wait_for(partial(self._hears, neighbour.number), f"neighbour {neighbour.number}")
        self.sent, self._got = 0, []

    def _hears(self, number: int) -> bool:
        self.round()
        time.sleep(PAUSE)
        return any(sender == number for sender, _ in self._got)

    def lost(self) -> dict[int, int]:
        """By neighbour, once nothing comes any more."""
        time.sleep(0.2)
        self._collect()
        got = set(self._got)
        assert len(got) == len(self._got), "some came twice"
        missing = {
            n.number: sum((n.number, at) not in got for at in range(self.sent)) for n, _ in self._outboxes
        }
        return {number: count for number, count in missing.items() if count}


@contextmanager
def traffic(net: Network) -> Iterator[Traffic]:
    with ExitStack() as stack:
        made = Traffic(net, stack)
        made.warm_up()
        # Two that came at once on two processors may have been given the same port.
        wait_for(partial(settled, net, made), "everybody to have a port and to know it")
        made.warm_up()
        yield made


def run(
    net: Network, flow: Traffic, *, cut: str, mend: bool = True, rounds: int = ROUNDS, pause: float = PAUSE
) -> float:
    """Rounds, with a cut after a third and the mending after another; packets a second that it came to."""
    begin = time.monotonic()
    for at in range(rounds):
        if at == rounds // 3:
            net.cut(cut)
        if mend and at == 2 * rounds // 3:
            net.mend(cut)
        flow.round()
        time.sleep(max(0.0, begin + (at + 1) * pause - time.monotonic()))
    return rounds * len(net.neighbours) / (time.monotonic() - begin)


def counts(net: Network) -> list[int]:
    return sorted(len(macs) for macs in net.shares().values())


def settled(net: Network, flow: Traffic) -> bool:
    """Whether shares are even, and everybody knows the port that it is said to have, VLANs aside."""
    flow.round()
    links = net.host.links()
    ports = {mac: links[name]["address"] for name, macs in net.shares().items() for mac in macs}
    known = {n.mac: n.knows(team_address(n)) for n in net.neighbours}
    sizes = counts(net)
    ports = {mac: port for mac, port in ports.items() if "@" not in mac}
    return ports == known and sizes[-1] - sizes[0] <= 1


def knowing(net: Network, mac: str) -> int:
    """How many neighbours have been told this MAC."""
    return [neighbour.knows(team_address(neighbour)) for neighbour in net.neighbours].count(mac)


@contextmanager
def guests_behind(net: Network, count: int) -> Iterator[list[Neighbour]]:
    """team0 becomes a port of a bridge, which gets its addresses; guests are on the bridge, too."""
    netns = net.in_host()
    try:
        with ExitStack() as stack, inside(netns), Rtnl() as rtnl:
            bridge = rtnl.add_link("br1", "bridge")
            team = rtnl.link_by_name("team0")
            rtnl.set_link(bridge.ifindex, address=team.address)
            rtnl.set_link(team.ifindex, master=bridge.ifindex)
            rtnl.set_link(bridge.ifindex, up=True)
            ip("addr", "del", f"{TEAM_IPV4}/16", "dev", "team0")
            ip("addr", "del", f"{TEAM_IPV6}/64", "dev", "team0")
            ip("addr", "add", f"{TEAM_IPV4}/16", "dev", "br1")
            ip("addr", "add", f"{TEAM_IPV6}/64", "dev", "br1", "nodad")
            numbers = range(200, 200 + count)
            yield [plug_neighbour(stack, rtnl, bridge.ifindex, number) for number in numbers]
    finally:
        os.close(netns)


def guests_pass_unharmed(net: Network, guests: Sequence[Neighbour]) -> None:
    """By their own MACs, both ways, nothing twice, and known where they are."""
    peers = net.neighbours[:2]
    for guest in guests:
        for peer in peers:
            for ipv6 in (False, True):
                assert exchange(guest, peer, ipv6=ipv6) == 1
                assert exchange(peer, guest, ipv6=ipv6) == 1
    assert {peer.knows(guest.ipv4) for peer in peers for guest in guests} == {guest.mac for guest in guests}
    # Nor does the bridge believe that a guest is out there, though the switch floods its frames back.
    learned = net.host.sh("bridge fdb show dev team0")
    assert not [guest for guest in guests if guest.mac in learned]


def exchange(sender: Neighbour, receiver: Neighbour, *, ipv6: bool) -> int:
    """How often one datagram arrives."""
    with receiver.udp(ipv6=ipv6, port=9001) as inbox, sender.udp(ipv6=ipv6, port=9001) as outbox:
        outbox.sendto(b"hello", (receiver.ipv6 if ipv6 else receiver.ipv4, 9001))
        inbox.recv(10)
        inbox.settimeout(0.03)
        found = 1
        try:
            while True:
                inbox.recv(10)
                found += 1
        except TimeoutError:
            return found
