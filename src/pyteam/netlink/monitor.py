"""What happens to the interfaces of one namespace, as it happens.

Owns the subscription to rtnetlink's link group, and the recovery when the kernel had to drop
messages because nobody read them. Must not know who is interested in an interface, or why.
"""

from __future__ import annotations

import errno
import socket
from types import TracebackType
from typing import Final, Self

from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.linktable import Change, Interesting, LinkGone, LinkTable, everything
from pyteam.netlink.rtnl import NETLINK_ROUTE, Rtnl
from pyteam.netlink.transport import RECEIVE_SIZE, NetlinkError

__all__ = ["Change", "LinkGone", "LinkInfo", "LinkMonitor"]

RTNLGRP_LINK: Final = 1
SO_RCVBUFFORCE: Final = 33
#: Bytes: some thousand messages, so that a burst of them need not end in a full dump.
RECEIVE_BUFFER: Final = 8 << 20
#: Datagrams that one `receive` reads at most. The rest stays readable: a storm must not keep the caller
#: from its other work.
BATCH: Final = 2048


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
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, NETLINK_ROUTE
        )
        try:
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
            except PermissionError:
                # Without CAP_NET_ADMIN net.core.rmem_max is the limit; overruns are survived anyway.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            self._socket.bind((0, 1 << (RTNLGRP_LINK - 1)))
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def snapshot(self) -> list[LinkInfo]:
        """Every interesting interface now. From here on only what differs from it is reported."""
        return self._table.learn(self._rtnl.links())

    def note(self, link: LinkInfo) -> None:
        """What the caller has read by itself: a message that says otherwise is news to it."""
        self._table.note(link)

    def receive(self) -> list[Change]:
        """What happened since the last call, without blocking; coalesced as `LinkTable.take` says.

        Raises `NetlinkError`.
        """
        overrun = False
        for _ in range(BATCH):
            try:
                data, _, _, sender = self._socket.recvmsg(RECEIVE_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NetlinkError(error.errno or errno.EIO, "cannot read link changes") from error
                overrun = True
                continue
            # Another process may write to our port; only the kernel is believed.
            if sender[0] == 0:
                self._table.feed(data)
        if overrun:
            # Last, so that it is newer than what was read.
            self._table.resynchronize(self._rtnl.links())
        return self._table.take()
