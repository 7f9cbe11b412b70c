"""TIPC links as the kernel tells of them: a subscription to its topology service (linux/tipc.h).

Open only while somebody watches a bearer. Which link matters is not known here.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import socket
import struct
from collections.abc import Iterator
from typing import Final

from pyteam.config import TeamConfig, TipcWatch
from pyteam.engine.events import TipcLinkSeen
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)

_LINK_STATE: Final = 2  # TIPC_LINK_STATE
_SUB_PORTS: Final = 1  # TIPC_SUB_PORTS
_FOREVER: Final = 0xFFFFFFFF  # TIPC_WAIT_FOREVER
_PUBLISHED: Final = 1  # TIPC_PUBLISHED
_WITHDRAWN: Final = 2  # TIPC_WITHDRAWN
_GET_LINK_NAME: Final = 0x89E0  # SIOCGETLINKNAME
_LINK_NAME_SIZE: Final = 68  # TIPC_MAX_LINK_NAME
#: `struct tipc_subscr`: type, lower, upper, timeout, filter, handle.
_SUBSCRIPTION: Final = struct.Struct("=5I8s")
#: `struct tipc_event`, without the subscription at its end: event, lower, upper, port, node.
_EVENT: Final = struct.Struct("=5I")
#: `struct tipc_sioc_ln_req`: peer, bearer, name.
_LINK_NAME: Final = struct.Struct(f"=II{_LINK_NAME_SIZE}s")
#: Seconds for the kernel to answer itself.
_SOON: Final = 1.0


class TipcError(PyteamError, OSError):
    """There is no TIPC to be had."""

    def __str__(self) -> str:
        return str(self.strerror)


def require(config: TeamConfig) -> None:
    """Raises `TipcError` where the configuration has such a watch and the kernel no TIPC."""
    watches = (*config.link_watch, *(watch for port in config.ports.values() for watch in port.link_watch))
    if any(isinstance(watch, TipcWatch) for watch in watches):
        _open().close()


def _open() -> socket.socket:
    family = getattr(socket, "AF_TIPC", None)
    try:
        if family is None:
            raise OSError(errno.EAFNOSUPPORT, "")
        return socket.socket(family, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    except OSError as error:
        text = 'link_watch "tipc": this kernel has no TIPC (CONFIG_TIPC); try modprobe tipc'
        raise TipcError(error.errno, text) from error


class TipcLinks:
    """Subscribed while `follow` is told to."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._bearers: frozenset[str] = frozenset()

    def follow(self, bearers: frozenset[str]) -> None:
        """Another set of bearers is subscribed to anew: then every link that is up is told of again."""
        if bearers == self._bearers:
            return
        # The old one is closed behind the new one: whoever watches files knows them by their numbers.
        before, self._socket, self._bearers = self._socket, None, bearers
        if bearers:
            try:
                self._socket = self._subscribed()
            except OSError as error:
                log.error("Failed to subscribe to TIPC links: %s", error)
        if before is not None:
            before.close()

    def _subscribed(self) -> socket.socket:
        made = _open()
        try:
            made.settimeout(_SOON)
            made.connect((socket.TIPC_ADDR_NAME, socket.TIPC_TOP_SRV, socket.TIPC_TOP_SRV, 0))
            made.send(_SUBSCRIPTION.pack(_LINK_STATE, 0, _FOREVER, _FOREVER, _SUB_PORTS, b""))
            made.setblocking(False)
        except BaseException:
            made.close()
            raise
        return made

    def files(self) -> list[int]:
        """When it is readable, call `receive`."""
        return [self._socket.fileno()] if self._socket is not None else []

    def receive(self) -> list[TipcLinkSeen]:
        """What happened, without blocking."""
        return list(self._events()) if self._socket is not None else []

    def _events(self) -> Iterator[TipcLinkSeen]:
        assert self._socket is not None
        with contextlib.suppress(BlockingIOError):
            while len(data := self._socket.recv(256)) >= _EVENT.size:
                event, peer, _, reference, _ = _EVENT.unpack_from(data)
                name = self._name(peer, reference & 0xFFFF)
                if name and event in (_PUBLISHED, _WITHDRAWN):
                    yield TipcLinkSeen(name, event == _PUBLISHED)

    def _name(self, peer: int, bearer: int) -> str:
        """Of the link; empty when it is gone."""
        assert self._socket is not None
        request = bytearray(_LINK_NAME.pack(peer, bearer, b""))
        try:
            fcntl.ioctl(self._socket, _GET_LINK_NAME, request)
        except OSError as error:
            log.debug("a TIPC link to %#x has no name: %s", peer, error)
            return ""
        name: bytes = _LINK_NAME.unpack(request)[2]
        return name.partition(b"\0")[0].decode(errors="replace")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._bearers = frozenset()
