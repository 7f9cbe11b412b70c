"""A connection to a bus that a flood does not hold up, and that holds much for a bus that is busy.

The library reads as long as somebody sends, and takes a full buffer for the end of the connection.
Both are the socket's to mend: it gives what a pass of the event loop may read, and no more, and the
kernel keeps for it what the bus has not read yet.
"""

from __future__ import annotations

import asyncio
import errno
import io
import socket
from typing import Final

from dbus_fast.aio import MessageBus

from pyteam.control.usock import widen

#: Bytes that are read in one pass of the event loop: some thirty requests.
READ: Final = 4096
#: Bytes that the bus need not have read yet. One that lets them pile up reads no more: then the
#: end of the connection, and joining anew, is the answer.
SEND_BUFFER: Final = 8 * 1024 * 1024


class MeteredSocket(socket.socket):
    """Readable once in a pass of the event loop; hangs up on who reads no more."""

    _spent = False

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if self._spent:
            raise BlockingIOError(errno.EAGAIN, "enough for this pass")
        data = super().recv(min(size, READ), flags)
        self._spent = True
        asyncio.get_running_loop().call_soon(self._refill)
        return data

    def send(self, data: bytes | bytearray | memoryview, flags: int = 0, /) -> int:  # type: ignore[override]
        try:
            return super().send(data, flags)
        except BlockingIOError:
            # The library closes the connection at this, and goes on using it. Let it notice by itself.
            self.shutdown(socket.SHUT_RDWR)
            return 0

    def _refill(self) -> None:
        self._spent = False


class MeteredBus(MessageBus):
    """A `MessageBus` on such a socket."""

    @staticmethod
    def _create_socket_for_transport(
        transport: str, options: dict[str, str]
    ) -> tuple[socket.socket, io.BufferedRWPair, bytes | str | tuple[str, int]]:
        plain, stream, address = MessageBus._create_socket_for_transport(transport, options)
        stream.close()
        metered = MeteredSocket(fileno=plain.detach())
        widen(metered, SEND_BUFFER)
        return metered, metered.makefile("rwb"), address
