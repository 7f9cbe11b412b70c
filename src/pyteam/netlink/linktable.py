"""What a listener knows of the interfaces, and what has changed since it last asked. Pure.

Owns the reading of rtnetlink's link group: which of its messages are news, and which of these matter
when several wait. Must not know a socket.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyteam.netlink import linkinfo
from pyteam.netlink import message as nl
from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.rtnl import RTM_DELLINK, RTM_NEWLINK


@dataclass(frozen=True, slots=True)
class LinkGone:
    """The interface was deleted, or moved to another namespace."""

    ifindex: int


Change = LinkInfo | LinkGone
Interesting = Callable[[int, str], bool]


def everything(ifindex: int, name: str) -> bool:
    """The predicate of those who are interested in every interface."""
    return True


class LinkTable:
    """Fed with datagrams or whole lists of interfaces; answers with the changes.

    ``interesting`` is asked with ifindex and name before a message is decoded, so that unwanted
    interfaces cost a few microseconds. One that stops being interesting (it was renamed) is reported
    once more. The kernel announces a new veth before it has paired it: its ``link`` is 0 then.
    """

    def __init__(self, interesting: Interesting = everything) -> None:
        self._interesting = interesting
        self._known: dict[int, LinkInfo] = {}
        # By ifindex and "is it there"; a dict keeps the order of insertion.
        self._changes: dict[tuple[int, bool], Change] = {}

    def learn(self, links: Iterable[LinkInfo]) -> list[LinkInfo]:
        """Every interface there is now: the interesting ones, which are known from here on."""
        wanted = [link for link in links if self._interesting(link.ifindex, link.name)]
        self._known = {link.ifindex: link for link in wanted}
        return wanted

    def resynchronize(self, links: Iterable[LinkInfo]) -> None:
        """Messages were lost: what is there now is the truth, and what is not there is gone."""
        before = set(self._known)
        wanted = self.learn(links)
        for ifindex in sorted(before - set(self._known)):
            self._report(LinkGone(ifindex))
        for link in wanted:
            self._report(link)

    def feed(self, datagram: bytes) -> None:
        """One datagram of the group. Raises `NetlinkFormatError`."""
        for message in nl.messages(datagram):
            if message.kind not in (RTM_NEWLINK, RTM_DELLINK):
                continue
            family, ifindex, name = linkinfo.peek(message.payload)
            if family != socket.AF_UNSPEC:
                # A bridge tells about its ports in the same group; one that leaves it is not deleted.
                continue
            wanted = self._interesting(ifindex, name)
            if not wanted and ifindex not in self._known:
                continue
            if message.kind == RTM_DELLINK:
                self._known.pop(ifindex, None)
                self._report(LinkGone(ifindex))
            elif (link := linkinfo.decode_event(message.payload)) is not None:
                self._see(link, wanted)

    def take(self) -> list[Change]:
        """What has changed since the last call; of several states of an interface only the last.

        One that went and came back under its index is in the list twice: gone, then there.
        """
        changes = list(self._changes.values())
        self._changes.clear()
        return changes

    def _see(self, link: LinkInfo, wanted: bool) -> None:
        # Reported also when it says what the last one said: in between the caller may have read,
        # and acted on, something else.
        self._report(link)
        if wanted:
            self._known[link.ifindex] = link
        else:
            del self._known[link.ifindex]

    def _report(self, change: Change) -> None:
        there = isinstance(change, LinkInfo)
        self._changes.pop((change.ifindex, True), None)
        if not there:
            self._changes.pop((change.ifindex, False), None)
        self._changes[change.ifindex, there] = change
