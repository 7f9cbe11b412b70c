"""The ZeroMQ transport: one REP socket, bound where the user says. Needs the package pyzmq.

Requests and replies are the control socket's, but nothing is escaped: the last argument is all
that is left of the packet. Whoever reaches the address may do everything, as with the original.
"""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING, Final

import zmq

from pyteam.control.core import Core
from pyteam.control.dispatch import answer
from pyteam.control.usock import MAX_REQUEST
from pyteam.errors import PyteamError

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)

#: Seconds until a socket that fails is asked again.
_PAUSE: Final = 1.0


class AddressError(PyteamError, OSError):
    """The socket cannot be bound; the text names the address."""

    def __init__(self, address: str, error: zmq.ZMQError) -> None:
        super().__init__(error.errno or errno.EINVAL, f"ZeroMQ address {address}: {error.strerror}")

    def __str__(self) -> str:
        return str(self.strerror)


class Server:
    """Serves one `Core` at ``address``, such as ``ipc:///run/teamd/team0.zmq`` or ``tcp://127.0.0.1:5555``."""

    def __init__(self, address: str, core: Core) -> None:
        self.address = address
        self._core = core
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._file = -1
        self._serving = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen. Raises `AddressError`."""
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST)
        try:
            self._socket.bind(self.address)
        except zmq.ZMQError as error:
            self.close()
            raise AddressError(self.address, error) from error
        self._loop, self._file = loop, self._socket.fileno()
        loop.add_reader(self._file, self._go_on)
        self._go_on()
        if not self.address.startswith(("ipc:", "inproc:")):
            _log.warning("ZeroMQ: whoever can connect to %s controls this team.", self.address)

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        if self._loop is not None:
            self._loop.remove_reader(self._file)
            self._loop = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._context is not None:
            self._context.term()
            self._context = None

    def _go_on(self) -> None:
        """The descriptor tells only that something has changed, and only once: look until nothing is left."""
        if self._loop is not None and not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        """One request in a pass of the event loop; whose, ZeroMQ decides, one of each client in turn."""
        self._serving = False
        if self._socket is None or self._loop is None:
            return
        try:
            parts = self._socket.recv_multipart(zmq.NOBLOCK)
            # Also to garbage: a REP socket that owes an answer takes no further request.
            reply = answer(self._core, b"".join(parts), escapes=False)
            if self._socket is not None:
                self._socket.send(reply, zmq.NOBLOCK)
        except zmq.Again:
            return
        except zmq.ZMQError as error:
            _log.warning("ZeroMQ: %s", error.strerror)
            self._loop.call_later(_PAUSE, self._go_on)
            return
        self._go_on()
