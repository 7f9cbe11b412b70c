"""What happens to the interfaces of one namespace, as it happens.

Owns the subscription to rtnetlink's link group, and the recovery when the kernel had to drop
messages. Must not know who is interested in an interface, or why.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.linktable import Change, Interesting, LinkGone, LinkTable, everything
from pyteam.netlink.listener import RECEIVE_BUFFER, Listener
from pyteam.netlink.rtnl import NETLINK_ROUTE, Rtnl

__all__ = ["Change", "LinkGone", "LinkInfo", "LinkMonitor"]

RTNLGRP_LINK: Final = 1


class LinkMonitor:
    """Subscribed from the moment it is made; when `fileno` is readable, `receive`.

    ``rtnl`` must be of the same namespace; it is used when messages were lost. ``interesting`` as of
    `LinkTable`; ``buffer`` is the size of the receive buffer in bytes.
    """

    def __init__(
        self, rtnl: Rtnl, *, interesting: Interesting = everything, buffer: int = RECEIVE_BUFFER
    ) -> None:
        self._rtnl = rtnl
        self._table = LinkTable(interesting)
        self._listener = Listener(NETLINK_ROUTE, RTNLGRP_LINK, "link changes", buffer=buffer)

    def close(self) -> None:
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        return self._listener.fileno()

    def snapshot(self) -> list[LinkInfo]:
        """Every interesting interface now. From here on only what differs from it is reported."""
        return self._table.learn(self._rtnl.links())

    def receive(self) -> list[Change]:
        """What happened since the last call, without blocking; coalesced as `LinkTable.take` says.

        Raises `NetlinkError`.
        """
        if self._listener.drain(self._table.feed):
            # Last, so that it is newer than what was read.
            self._table.resynchronize(self._rtnl.links())
        return self._table.take()
