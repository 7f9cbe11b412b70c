"""Frames between the engine and the ports: a socket for each port that is listened on, and no other.

Must not know what is sent or heard, nor why.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Mapping

from pyteam.daemon.portsocket import PortSocket
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear, Frame

log = logging.getLogger(__name__)


class Wire:
    """Sockets come and go with `listen`; an interface that has none yet is tried again at the next."""

    def __init__(self) -> None:
        self._sockets: dict[int, PortSocket] = {}
        self._stale: list[PortSocket] = []
        #: Last failures, by interface: told once.
        self._failures: dict[int, str] = {}

    def listen(self, ears: Mapping[int, Ear]) -> None:
        """On these interfaces, for that; nothing of what came before is heard."""
        for ifindex in self._sockets.keys() - ears.keys():
            self._stale.append(self._sockets.pop(ifindex))
            self._failures.pop(ifindex, None)
        for ifindex, ear in ears.items():
            try:
                port = self._sockets.get(ifindex)
                if port is None:
                    port = self._sockets[ifindex] = PortSocket(ifindex)
                port.listen(ear)
            except OSError as error:
                self._complain(ifindex, f"Failed to listen: {error}")

    def send(self, frames: Iterable[Frame]) -> None:
        """Whatever cannot leave at once is lost, as on a bad cable."""
        for frame in frames:
            port = self._sockets.get(frame.ifindex)
            try:
                if port is not None:
                    port.send(frame.data)
                    self._failures.pop(frame.ifindex, None)
            except OSError as error:
                self._complain(frame.ifindex, f"Failed to send: {error}")

    def files(self) -> list[int]:
        """When one of these is readable, call `receive`."""
        return [port.fileno() for port in self._sockets.values() if port.listening]

    def receive(self) -> list[FrameSeen]:
        """What came in, without blocking; there may be more."""
        listening = (port for port in self._sockets.values() if port.listening)
        return [frame for port in listening for frame in port.receive()]

    def sweep(self) -> None:
        """Close what is used no longer, once nobody watches its file: the number will be used again."""
        for port in self._stale:
            port.close()
        self._stale.clear()

    def close(self) -> None:
        self.listen({})
        self.sweep()

    def _complain(self, ifindex: int, text: str) -> None:
        if self._failures.get(ifindex) != text:
            self._failures[ifindex] = text
            log.warning("%s: %s", _name(ifindex), text)


def _name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return f"interface {ifindex}"
