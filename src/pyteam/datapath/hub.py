"""The interfaces of one namespace, for many teams: heard once, kept once, told to whom it concerns.

One subscription, one table, one socket for requests. Each team for
itself would cost the square of their number.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Set
from typing import TypeVar

from pyteam.datapath.links import Links
from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.monitor import Change, LinkMonitor
from pyteam.netlink.rtnl import Rtnl

Key = TypeVar("Key", int, str)


class LinkHub:
    """Subscribed from the moment it is made. When `fileno` is readable, `pump`; now and then, `look`."""

    def __init__(self) -> None:
        self.rtnl = Rtnl()
        self._monitor = LinkMonitor(self.rtnl)
        #: By ifindex: every interface, as it was last heard of or read.
        self.known: dict[int, LinkInfo] = {info.ifindex: info for info in self._monitor.snapshot()}
        self._by_name: dict[str, set[SharedLinks]] = {}
        self._by_index: dict[int, set[SharedLinks]] = {}

    def close(self) -> None:
        """After all that it is shared by."""
        self._monitor.close()
        self.rtnl.close()

    def fileno(self) -> int:
        return self._monitor.fileno()

    def links(self) -> SharedLinks:
        """For one more team."""
        return SharedLinks(self)

    def pump(self) -> None:
        """Take in what happened, and pass it on. Raises `NetlinkError`."""
        for change in self._monitor.receive():
            self._tell(change)

    def look(self) -> None:
        """At everything, also at what no event told. Raises `NetlinkError`."""
        self.pump()
        there = {info.ifindex: info for info in self.rtnl.links()}
        for info in there.values():
            if self.known.get(info.ifindex) != info:
                self._tell(info)

    def _tell(self, change: Change) -> None:
        ifindex = change.ifindex
        concerned = set(self._by_index.get(ifindex, ()))
        if isinstance(change, LinkInfo):
            self.known[ifindex] = change
            concerned |= self._by_name.get(change.name, set())
            # The team that it became a port of, by somebody else's hand.
            concerned |= self._by_index.get(change.master, set())
        else:
            self.known.pop(ifindex, None)
        for links in concerned:
            links.put(change)

    # For those that share it.

    def concern(self, links: SharedLinks, ifindex: int) -> None:
        self._by_index.setdefault(ifindex, set()).add(links)

    def name(self, links: SharedLinks, names: Iterable[str]) -> None:
        for name in names:
            self._by_name.setdefault(name, set()).add(links)

    def forget(self, links: SharedLinks, names: Iterable[str], ifindexes: Iterable[int] = ()) -> None:
        for name in names:
            _discard(self._by_name, name, links)
        for ifindex in ifindexes:
            _discard(self._by_index, ifindex, links)


class SharedLinks(Links):
    """One team's share: what it has asked for by index, and what has a name that it follows, concerns it."""

    def __init__(self, hub: LinkHub) -> None:
        self._hub = hub
        self._rtnl = hub.rtnl
        self.known = hub.known
        self._names: Set[str] = frozenset()
        self._mine: set[int] = set()
        #: Of several states of an interface the last; by ifindex and "is it there", in the order of time.
        self._news: dict[tuple[int, bool], Change] = {}
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def close(self) -> None:
        self._hub.forget(self, self._names, self._mine)
        os.close(self._bell)

    def fileno(self) -> int:
        return self._bell

    def follow(self, names: Set[str]) -> None:
        if names == self._names:
            return
        self._hub.forget(self, self._names - names)
        new = names - self._names
        self._hub.name(self, new)
        self._names = names
        for info in [info for info in self.known.values() if info.name in new]:
            self.put(info)

    def put(self, change: Change) -> None:
        """For the next `receive`."""
        there = isinstance(change, LinkInfo)
        if there:
            self._own(change.ifindex)
        if not self._news:
            os.eventfd_write(self._bell, 1)
        self._news.pop((change.ifindex, True), None)
        if not there:
            self._news.pop((change.ifindex, False), None)
        self._news[change.ifindex, there] = change

    def read(self, ifindex: int) -> LinkInfo:
        info = super().read(ifindex)
        self._own(ifindex)
        return info

    def find(self, name: str) -> LinkInfo:
        info = super().find(name)
        self._own(info.ifindex)
        return info

    def _own(self, ifindex: int) -> None:
        if ifindex not in self._mine:
            self._mine.add(ifindex)
            self._hub.concern(self, ifindex)

    def read_all(self) -> list[LinkInfo]:
        # What the kernel has done it has told by the time it answers.
        self._hub.pump()
        return list(self.known.values())

    def read_some(self, ifindexes: Collection[int]) -> dict[int, LinkInfo]:
        self._hub.pump()
        return {ifindex: self.known[ifindex] for ifindex in ifindexes if ifindex in self.known}

    def read_mine(self) -> list[LinkInfo]:
        return list(self.read_some(self._mine).values())

    def receive(self) -> list[Change]:
        self._hub.pump()
        if not self._news:
            return []
        os.eventfd_read(self._bell)
        news = list(self._news.values())
        self._news.clear()
        return news


def _discard(table: dict[Key, set[SharedLinks]], key: Key, links: SharedLinks) -> None:
    followers = table.get(key, set())
    followers.discard(links)
    if not followers:
        table.pop(key, None)
