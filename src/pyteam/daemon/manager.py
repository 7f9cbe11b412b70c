"""The service manager, where there is one: it hears how it goes, and keeps what is to outlive this process.

The protocol is sd_notify(3), a datagram of lines; sd_watchdog_enabled(3); and for what it kept
sd_listen_fds(3). It takes fewer lines to speak it than to bind a library. Must not know teams: it is given
the text of the status, and BPF objects by name.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import socket
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Final, Protocol

from pyteam.daemon.audience import Timer

log = logging.getLogger(__name__)

#: Seconds from a change to the status that shows it, and between two of them.
STATUS_DELAY: Final = 1.0
#: Seconds that the manager may take, at the start, for what has to reach it, and for what had better.
_PATIENCE: Final = 5.0
_SHORTER_PATIENCE: Final = 1.0
_FIRST: Final = 3  # SD_LISTEN_FDS_START
#: Of the watchdog's time; sd_watchdog_enabled(3) recommends half.
_FEEDS: Final = 2


class Loop(Protocol):
    """What is needed of an asyncio loop."""

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...


class Manager:
    """Made by `of`. Without a manager everything here does nothing; and it never raises."""

    def __init__(self, address: str = "", watchdog: float = 0, kept: Sequence[int] = ()) -> None:
        #: Descriptors that it kept for us, ours to close.
        self.kept = kept
        self._address = "\0" + address[1:] if address.startswith("@") else address
        #: Seconds after which it takes us for hung; 0: never.
        self._watchdog = watchdog
        self._loop: Loop | None = None
        self._status: Callable[[], str] = str
        self._said = ""
        self._saying: Timer | None = None
        self._feeding: Timer | None = None
        self._objects: Callable[[], Mapping[str, int]] = dict
        #: Names of what it keeps.
        self._names: set[str] = set()
        self._keeping: Timer | None = None

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> Manager:
        """The one that started this process; its variables are taken out, as they are for no child."""
        taken = {name: environment.pop(name, "") for name in _VARIABLES}
        me = str(os.getpid())
        kept = range(0)
        if taken["LISTEN_PID"] == me and taken["LISTEN_FDS"].isdigit():
            kept = range(_FIRST, _FIRST + int(taken["LISTEN_FDS"]))
        watchdog = 0.0
        if taken["WATCHDOG_PID"] in ("", me) and taken["WATCHDOG_USEC"].isdigit():
            watchdog = int(taken["WATCHDOG_USEC"]) / 1e6
        found = cls(taken["NOTIFY_SOCKET"], watchdog, kept)
        for fd in kept:
            with contextlib.suppress(OSError):
                os.set_inheritable(fd, False)
        found._names = set(taken["LISTEN_FDNAMES"].split(":")) if kept else set()
        return found

    @property
    def exists(self) -> bool:
        return bool(self._address)

    def start(self, loop: Loop, status: Callable[[], str], objects: Callable[[], Mapping[str, int]]) -> None:
        """It works: say so, and from here on what ``status`` says and that the loop turns.

        ``objects``: descriptors by name that whoever comes after us is to have.
        """
        if not self.exists:
            return
        self._loop, self._status, self._objects = loop, status, objects
        self._keep(_SHORTER_PATIENCE)
        self._said = status()
        self._tell("READY=1", f"STATUS={self._said}", patience=_PATIENCE)
        if self._watchdog:
            # It ends us with SIGABRT: then where we hung is to be in the journal.
            with contextlib.suppress(OSError, ValueError):
                faulthandler.enable()
            self._feed()

    def status_changed(self) -> None:
        """The status may be another; cheap, as it is said a moment later, once for many changes."""
        if self._loop is not None and self._saying is None:
            self._saying = self._loop.call_later(STATUS_DELAY, self._say)

    def reloading(self) -> None:
        """Until `reloaded`. Before `start` there is nothing to be reloaded, and it is not ready."""
        if self._loop is not None:
            self._tell("RELOADING=1")

    def reloaded(self) -> None:
        if self._loop is not None:
            self._tell("READY=1")

    def objects_changed(self) -> None:
        """There are others to be kept."""
        if self._loop is not None and self._keeping is None:
            self._keeping = self._loop.call_later(0, self._keep)

    def _keep(self, patience: float = 0) -> None:
        self._keeping = None
        objects = self._objects()
        for name in objects.keys() - self._names:
            # No poll: a map without events of its own looks like a connection that was hung up.
            if self._tell("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", fd=objects[name], patience=patience):
                self._names.add(name)
            else:
                patience = 0
        for name in self._names - objects.keys():
            if self._tell("FDSTOREREMOVE=1", f"FDNAME={name}", patience=patience):
                self._names.discard(name)
        if self._names != objects.keys() and self._loop is not None:
            # It has more to read than fits its queue.
            self._keeping = self._loop.call_later(STATUS_DELAY, self._keep)

    def stop(self) -> None:
        """We are about to end; twice is once."""
        if self._loop is None:
            return
        for timer in (self._saying, self._feeding, self._keeping):
            if timer is not None:
                timer.cancel()
        self._saying = self._feeding = self._keeping = self._loop = None
        self._tell("STOPPING=1")

    def _say(self) -> None:
        self._saying = None
        text = self._status()
        if text != self._said and self._tell(f"STATUS={text}"):
            self._said = text

    def _feed(self) -> None:
        self._tell("WATCHDOG=1")
        if self._loop is not None:
            self._feeding = self._loop.call_later(self._watchdog / _FEEDS, self._feed)

    def _tell(self, *lines: str, fd: int = -1, patience: float = 0) -> bool:
        """Whether it arrived."""
        if not self.exists:
            return False
        message = "\n".join(line.replace("\n", " ") for line in lines).encode(errors="replace")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.settimeout(patience)
                sender.connect(self._address)
                socket.send_fds(sender, [message], [] if fd < 0 else [fd])
        except OSError as error:
            log.debug("the service manager did not hear %s: %s", lines[0], error)
            return False
        return True


_VARIABLES: Final = (
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
)
