"""A netlink socket that only listens: one multicast group, read without blocking.

Owns the size of its buffer and the news that the kernel had to drop messages because nobody read
them. Must not know what the messages say.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Final

from pyteam.netlink.transport import RECEIVE_SIZE, SOL_NETLINK, NetlinkError, enlarge

NETLINK_ADD_MEMBERSHIP: Final = 1
#: Bytes: some thousand messages, so that a burst of them need not end in a full dump.
RECEIVE_BUFFER: Final = 8 << 20
#: Datagrams that one `drain` reads at most, some 90 us each. The rest stays readable: a storm must not keep
#: the caller from its other work.
BATCH: Final = 128


class Listener:
    """Subscribed from the moment it is made; when `fileno` is readable, `drain`.

    Belongs to the network namespace it was made in. ``what`` names the messages in an error's text;
    ``buffer`` is the size of the receive buffer in bytes.
    """

    def __init__(self, protocol: int, group: int, what: str, *, buffer: int = RECEIVE_BUFFER) -> None:
        self._what = what
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol
        )
        try:
            enlarge(self._socket, buffer)
            self._socket.bind((0, 0))
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self, feed: Callable[[bytes], None], beside: int = 0) -> bool:
        """Hand on each datagram that waits; true when some were lost since the last call.

        ``beside``: how many the caller has brought about itself, which are read beside the others.
        Raises `NetlinkError`, and what ``feed`` raises.
        """
        lost = False
        for _ in range(BATCH + beside):
            try:
                data, _, _, sender = self._socket.recvmsg(RECEIVE_SIZE)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise NetlinkError(error.errno or errno.EIO, f"cannot read {self._what}") from error
                lost = True
                continue
            # Another process may write to our port; only the kernel is believed.
            if sender[0] == 0:
                feed(data)
        return lost
