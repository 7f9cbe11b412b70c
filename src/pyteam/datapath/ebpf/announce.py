"""Telling the neighbours that we moved: gratuitous ARP, unsolicited NA, IGMP and MLD joins.

The kernel does this for its own drivers; for our device nobody does. It covers what is stacked on
the team device too (VLANs, macvlans, a bridge), since their addresses moved with it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pyteam.datapath.links import Links
from pyteam.netlink.rtnl import Address, LinkInfo, NetlinkError, Rtnl
from pyteam.netlink.stacked import stacked_on
from pyteam.options import OptionKey, OptionValue

#: IFA_F_TENTATIVE and IFA_F_DADFAILED (linux/if_addr.h): not ours to announce, or not yet.
_UNUSABLE: Final = 0x40 | 0x08
_LINK_SCOPE: Final = 253  # RT_SCOPE_LINK


@dataclass(slots=True)
class Burst:
    """``count`` rounds, ``interval`` ms apart; a new start begins anew, as in the kernel driver."""

    send: Callable[[], None]
    count: int = 0
    interval: int = 0
    left: int = 0
    due: float = 0.0

    def start(self, now: float) -> None:
        if self.count:
            self.left, self.due = self.count, now

    def next_timeout(self) -> float | None:
        return self.due if self.left else None

    def handle_timeout(self, now: float) -> None:
        if self.left and now >= self.due:
            self.left -= 1
            self.due = max(self.due + self.interval / 1000, now)
            self.send()


class Announcer:
    """The two bursts of one team device (options ``notify_peers_*`` and ``mcast_rejoin_*``)."""

    def __init__(self, rtnl: Rtnl, links: Links, team: int) -> None:
        self._rtnl = rtnl
        self._links = links
        self._team = team
        self.notify_peers = Burst(self._notify_peers)
        self.mcast_rejoin = Burst(self._mcast_rejoin)

    def configure(self, options: Mapping[OptionKey, OptionValue]) -> None:
        """Take counts and intervals (ms) from the options of their names."""
        for name in ("notify_peers", "mcast_rejoin"):
            burst: Burst = getattr(self, name)
            burst.count = int(options[OptionKey(f"{name}_count")])
            burst.interval = int(options[OptionKey(f"{name}_interval")])

    def start(self, now: float) -> None:
        """A port was enabled, or another one became active."""
        for burst in (self.notify_peers, self.mcast_rejoin):
            burst.start(now)

    def next_timeout(self) -> float | None:
        times = [burst.next_timeout() for burst in (self.notify_peers, self.mcast_rejoin)]
        return min((time for time in times if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        for burst in (self.notify_peers, self.mcast_rejoin):
            burst.handle_timeout(now)

    def _speakers(self) -> Iterator[LinkInfo]:
        """The team device and all that is on top of it, as far as it is up."""
        links = self._links.read_all()
        concerned = {self._team, *(link.ifindex for link in stacked_on(links, self._team))}
        return (link for link in links if link.up and link.ifindex in concerned)

    def _addresses(self, link: LinkInfo) -> list[Address]:
        # It may be gone meanwhile: then there is nobody to speak for.
        with contextlib.suppress(NetlinkError):
            return self._rtnl.addresses(link.ifindex)
        return []

    def _notify_peers(self) -> None:
        # Imported when first needed, which is after the daemon has answered: a start has 300 ms.
        from pyteam.frames import announce

        for link in self._speakers():
            frames = []
            for address in self._addresses(link):
                if address.flags & _UNUSABLE:
                    continue
                if address.family == socket.AF_INET:
                    frames.append(announce.gratuitous_arp(link.address, address.address))
                else:
                    frames.append(announce.unsolicited_na(link.address, address.address))
            _send(link, frames)

    def _mcast_rejoin(self) -> None:
        from pyteam.frames import announce
        from pyteam.netlink.multicast import read_groups

        for link in self._speakers():
            groups = read_groups(link.ifindex)
            own = self._addresses(link)
            ipv4 = next((a.address for a in own if a.family == socket.AF_INET), bytes(4))
            local = next(
                (a.address for a in own if a.family == socket.AF_INET6 and a.scope == _LINK_SCOPE), bytes(16)
            )
            _send(
                link, announce.igmp_report(link.address, ipv4, groups.ipv4, groups.igmp_version, mtu=link.mtu)
            )
            _send(
                link, announce.mld_report(link.address, local, groups.ipv6, groups.mld_version, mtu=link.mtu)
            )


def _send(link: LinkInfo, frames: list[bytes]) -> None:
    if not frames:
        return
    # The interface may be gone or go down meanwhile: then there is nobody to speak for.
    with (
        contextlib.suppress(OSError, NetlinkError),
        socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        ) as packet,
    ):
        packet.bind((link.name, 0))
        for frame in frames:
            packet.send(frame)
