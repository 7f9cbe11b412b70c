"""Frames between the engine and the ports: a socket for each port that is listened on, and no other.

Must not know what is sent or heard, nor why. What it costs to hear a frame does not depend on how many
ports there are: the kernel says which sockets have something to be read.
"""

from __future__ import annotations

import logging
import select
import socket
from collections.abc import Iterable, Mapping

from pyteam.daemon.portsocket import MOST_AT_ONCE, REST, PortSocket
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear, Frame

log = logging.getLogger(__name__)


class Wire:
    """Sockets come and go with `listen`; an interface that has none yet is tried again at the next."""

    def __init__(self) -> None:
        self._sockets: dict[int, PortSocket] = {}
        #: Those that are watched, by descriptor.
        self._watched: dict[int, PortSocket] = {}
        self._ready: select.epoll | None = None
        #: Those of which more came in than anybody needs, by interface.
        self._resting: dict[int, PortSocket] = {}
        self._flooded: set[int] = set()
        #: Last failures, by interface: told once.
        self._failures: dict[int, str] = {}

    def listen(self, ears: Mapping[int, Ear]) -> None:
        """On these interfaces, for that; nothing of what came before is heard."""
        for ifindex in self._sockets.keys() - ears.keys():
            self._drop(ifindex)
        for ifindex, ear in ears.items():
            try:
                port = self._sockets.get(ifindex)
                if port is None:
                    port = self._sockets[ifindex] = PortSocket(ifindex)
                port.listen(ear)
                self._watch(port)
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
        return [self._ready.fileno()] if self._ready is not None else []

    def receive(self, now: float) -> list[FrameSeen]:
        """What came in, without blocking; there may be more. ``now``: monotonic."""
        for port in [port for port in self._resting.values() if port.rests_until <= now]:
            del self._resting[port.ifindex]
            port.rise()
            self._watch(port)
        frames: list[FrameSeen] = []
        for file, _ in self._ready.poll(0) if self._ready is not None else ():
            port = self._watched[file]
            frames += port.receive(now)
            if port.tired:
                self._resting[port.ifindex] = port
                self._watch(port)
                self._tell_flood(port.ifindex)
        return frames

    def next_timeout(self) -> float | None:
        """When `receive` is to be called even if nothing is readable."""
        return min((port.rests_until for port in self._resting.values()), default=None)

    def dropped(self, ifindex: int) -> int:
        """Frames that came in on this port in a flood, and that nobody had time for."""
        port = self._sockets.get(ifindex)
        return port.dropped if port is not None else 0

    def close(self) -> None:
        self.listen({})
        if self._ready is not None:
            self._ready.close()
            self._ready = None

    def _watch(self, port: PortSocket) -> None:
        """Follow its descriptor while it is to be read, and only then."""
        file = port.fileno()
        if port.listening and not port.tired:
            if file not in self._watched:
                self._ready = self._ready or select.epoll()
                self._ready.register(file, select.EPOLLIN)
                self._watched[file] = port
        elif self._watched.pop(file, None) is not None and self._ready is not None:
            self._ready.unregister(file)

    def _drop(self, ifindex: int) -> None:
        port = self._sockets.pop(ifindex)
        port.listen(Ear(frozenset()))
        self._watch(port)
        port.close()
        self._resting.pop(ifindex, None)
        self._failures.pop(ifindex, None)
        self._flooded.discard(ifindex)

    def _tell_flood(self, ifindex: int) -> None:
        if ifindex not in self._flooded:
            self._flooded.add(ifindex)
            log.warning(
                "%s: More than %d frames in %g ms are for the daemon; most are dropped.",
                _name(ifindex),
                MOST_AT_ONCE,
                REST * 1000,
            )

    def _complain(self, ifindex: int, text: str) -> None:
        if self._failures.get(ifindex) != text:
            self._failures[ifindex] = text
            log.warning("%s: %s", _name(ifindex), text)


def _name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return f"interface {ifindex}"
