"""A service manager for one service: what it is told, and what it keeps from one process to the next."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.netns.teams import ENVIRONMENT, Daemon, Host, wait_for

SOCKET: Final = "/run/manager"
#: Puts the descriptors where a service looks for them, and becomes it.
LAUNCH: Final = """
import os, sys
fds = [int(word) for word in sys.argv[1].split(",") if word]
first = 3
for at, fd in enumerate(fds):
    os.dup2(fd, 500 + at)
for at in range(len(fds)):
    os.dup2(500 + at, first + at)
os.closerange(first + len(fds), 1000)
if fds:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """Made by `manager`. ``environment`` replaces a daemon's."""

    def __init__(self, box: Host) -> None:
        self._box = box
        self.kept: dict[str, int] = {}
        self.lines: list[str] = []
        # The tests are in other namespaces than the daemons; the holder's root leads there.
        path = Path(f"/proc/{box.holder}/root{SOCKET}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        path.chmod(0o777)

    def listen(self) -> list[str]:
        """Every line so far."""
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._socket, 4096, 4)
            except BlockingIOError:
                return self.lines
            lines = message.decode().split("\n")
            self.lines += lines
            said = dict(line.split("=", 1) for line in lines)
            if "FDSTORE" in said:
                (self.kept[said["FDNAME"]],) = fds
            if "FDSTOREREMOVE" in said:
                os.close(self.kept.pop(said["FDNAME"]))

    def hears(self, line: str) -> None:
        """Wait for it; it, and what came before it, is heard then."""
        wait_for(lambda: line in self.listen(), f"{line!r} to be told to the manager")
        del self.lines[: self.lines.index(line) + 1]

    def start(
        self,
        *words: str,
        config: Mapping[str, Any] | None = None,
        before: Sequence[str] = (),
        watchdog: float = 0,
    ) -> Daemon:
        """A daemon that gets what was kept; ``watchdog`` in seconds."""
        fds, names = list(self.kept.values()), ":".join(self.kept)
        launch = (sys.executable, "-c", LAUNCH, ",".join(map(str, fds)), names)
        env = {**ENVIRONMENT, "NOTIFY_SOCKET": SOCKET}
        if watchdog:
            env["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return self._box.start(*words, config=config, env=env, before=(*launch, *before), fds=fds)

    def close(self) -> None:
        self.listen()
        self._socket.close()
        for fd in self.kept.values():
            os.close(fd)


@contextmanager
def manager(box: Host) -> Iterator[Manager]:
    made = Manager(box)
    try:
        yield made
    finally:
        made.close()
