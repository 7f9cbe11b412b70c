"""The unix socket transport: who is connected, and packets in and out; not what they mean.

A client costs one descriptor and no buffer: a request is read, answered and the answer handed to
the kernel in one go. Each pass of the event loop takes at most one request of each client, so a
flood of one delays the others by one request. A client that does not read its answers is dropped
when the kernel's buffer for it is full. So is one that was promised events and does not read them.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from pyteam.control.core import Core, MethodError
from pyteam.control.dispatch import answer
from pyteam.control.events import events
from pyteam.control.methods import INVALID_ARGS
from pyteam.control.protocol import encode_error, encode_event
from pyteam.errors import PyteamError

if TYPE_CHECKING:
    import asyncio

    from pyteam.engine.snapshot import TeamSnapshot

_log = logging.getLogger(__name__)

#: Who may connect: the owner (and root), as the original has it.
MODE: Final = 0o700
#: The same, and a group, which may only look.
GROUP_MODE: Final = 0o770
#: Connections not accepted yet that the kernel holds.
BACKLOG: Final = 128
#: Connections at once; a new one more ends the one that has been silent longest.
MAX_CLIENTS: Final = 64
#: Bytes of one request; a port's configuration is some hundred.
MAX_REQUEST: Final = 256 * 1024
#: Seconds without accepting after the process ran out of descriptors.
ACCEPT_PAUSE: Final = 1.0

#: asm-generic/socket.h; the module `socket` does not have it. Needs CAP_NET_ADMIN, as teamd does.
_SO_SNDBUFFORCE: Final = 32
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred: pid, uid, gid


class ControlError(PyteamError, OSError):
    """The control socket could not be set up: the text names its path."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(
            error.errno or errno.ENAMETOOLONG, f"control socket {path}: {error.strerror or error}"
        )

    def __str__(self) -> str:
        return str(self.strerror)


class Server:
    """Serves one `Core` on the socket file ``path``, whose directory must exist.

    ``group``: id of a group whose members may look; changes are for root and for whom the daemon runs as.
    """

    def __init__(self, path: str, core: Core, group: int | None = None) -> None:
        self.path = path
        self._core = core
        self._group = group
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: socket.socket | None = None
        self._inode = (0, 0)
        #: By descriptor; the one that has been silent longest is first.
        self._clients: dict[int, socket.socket] = {}
        #: Descriptors of those who are told of changes, and how to hear of none any more.
        self._followers: set[int] = set()
        self._leave: Callable[[], None] | None = None
        #: Descriptors of those who may only look.
        self._onlookers: set[int] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen. A socket file left by a predecessor is replaced. Raises `ControlError`."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            _unlink_stale(self.path)
            # Before the file exists, so that there is no moment at which others may connect.
            os.fchmod(listener.fileno(), MODE)
            listener.bind(self.path)
            if self._group is not None:
                _give(self.path, self._group)
            listener.listen(BACKLOG)
            self._inode = _identity(self.path)
        except OSError as error:
            listener.close()
            raise ControlError(self.path, error) from error
        self._listener, self._loop = listener, loop
        self._watch()

    def close(self) -> None:
        """Drop the clients and the socket file, unless it is a successor's by now."""
        if self._listener is None or self._loop is None:
            return
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        for descriptor in list(self._clients):
            self._drop(descriptor)
        try:
            if _identity(self.path) == self._inode:
                os.unlink(self.path)
        except FileNotFoundError:
            _log.debug("control: %s is gone already", self.path)
        except OSError as error:
            _log.warning("control: %s stays behind: %s", self.path, error.strerror)

    def _watch(self) -> None:
        if self._listener is not None and self._loop is not None:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        if self._listener is None or self._loop is None:
            return
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of descriptors or memory: the listener stays readable, and would spin the loop.
            _log.warning("control: cannot accept a client: %s", error.strerror)
            self._loop.remove_reader(self._listener)
            self._loop.call_later(ACCEPT_PAUSE, self._watch)
            return
        client.setblocking(False)
        if len(self._clients) >= MAX_CLIENTS:
            _log.warning("control: more than %d clients: dropped the most silent one", MAX_CLIENTS)
            self._drop(next(iter(self._clients)))
        self._clients[client.fileno()] = client
        if _user(client) not in (0, os.geteuid()):
            self._onlookers.add(client.fileno())
        self._loop.add_reader(client, self._serve, client.fileno())

    def _serve(self, descriptor: int) -> None:
        client = self._clients.pop(descriptor)
        self._clients[descriptor] = client
        try:
            packet, _, flags, _ = client.recvmsg(MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError as error:
            _log.debug("control: a client left: %s", error.strerror)
            packet, flags = b"", 0
        if not packet:
            self._drop(descriptor)
            return
        if flags & socket.MSG_TRUNC:
            reply = encode_error(MethodError(INVALID_ARGS, f"Request longer than {MAX_REQUEST} bytes."))
        else:
            reply = answer(
                self._core,
                packet,
                partial(self._follow, descriptor),
                may_change=descriptor not in self._onlookers,
            )
        if descriptor in self._clients:  # else the method closed this server
            self._send(descriptor, reply)

    def _follow(self, descriptor: int) -> None:
        self._followers.add(descriptor)
        if self._leave is None:
            self._leave = self._core.subscribe(self._tell)

    def _tell(self, before: TeamSnapshot, after: TeamSnapshot) -> None:
        packets = [encode_event(event) for event in events(before, after)]
        for descriptor in list(self._followers):
            for packet in packets:
                if descriptor in self._followers:
                    self._send(descriptor, packet)

    def _send(self, descriptor: int, packet: bytes) -> None:
        """Hand it to the kernel, or drop the client."""
        try:
            _send(self._clients[descriptor], packet)
        except ConnectionError as error:
            _log.debug("control: a client left without its answer: %s", error.strerror)
            self._drop(descriptor)
        except BlockingIOError:
            _log.warning("control: dropped a client that does not read its answers")
            self._drop(descriptor)
        except OSError as error:
            _log.warning("control: dropped a client, cannot answer it: %s", error.strerror)
            self._drop(descriptor)

    def _drop(self, descriptor: int) -> None:
        self._followers.discard(descriptor)
        if not self._followers and self._leave is not None:
            self._leave()
            self._leave = None
        self._onlookers.discard(descriptor)
        client = self._clients.pop(descriptor, None)
        if client is not None and self._loop is not None:
            self._loop.remove_reader(client)
            client.close()


def _send(client: socket.socket, packet: bytes) -> None:
    """Hand a whole packet to the kernel, making room for a large one. Raises OSError."""
    try:
        client.send(packet)
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise
        widen(client, len(packet))
        client.send(packet)


def widen(connection: socket.socket, size: int) -> None:
    """Let the kernel hold this many bytes that were not read yet, or as many as we may."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, size)
    except PermissionError:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)


def _user(client: socket.socket) -> int:
    """Whose process has connected; it may have handed the connection on, but then it meant to."""
    data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


def _give(path: str, group: int) -> None:
    # To its own group anybody may give it; that needs no capability, and no system call.
    if os.lstat(path).st_gid != group:
        os.chown(path, -1, group, follow_symlinks=False)
    os.chmod(path, GROUP_MODE)


def _unlink_stale(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "there is a file of that name, and it is not a socket")
    os.unlink(path)


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
