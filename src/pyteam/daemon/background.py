"""Going into the background, while the one who called waits in the foreground and hears how it goes."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import sys
from typing import Final, TextIO

from pyteam.daemon import logs

#: Seconds until the foreground gives up waiting.
PATIENCE: Final = 20.0
#: What says that all is well; no log line contains it.
_READY: Final = b"\0"
#: What says that it is still at work.
_WAIT: Final = b"\x16"
_STDERR: Final = 2


class Foreground:
    """The background's end of the pipe; without fork there is nobody at the other one.

    Until `ready`, errors and warnings are shown there too, since the daemon has no terminal.
    """

    def __init__(self, pipe: TextIO | None = None) -> None:
        self._pipe = pipe
        self._handler = logging.StreamHandler(pipe)
        self._handler.setLevel(logging.WARNING)
        self._handler.setFormatter(logs.Named())

    def listen(self) -> None:
        """From here on; after the log was started, which removes other handlers."""
        if self._pipe is not None:
            logging.getLogger().addHandler(self._handler)

    def wait(self) -> None:
        """It is not ready yet, and needs more of the foreground's patience."""
        self._tell(_WAIT)

    def _tell(self, what: bytes) -> None:
        # Somebody may have killed the foreground: the daemon works all the same.
        if self._pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                self._pipe.write(what.decode())
                self._pipe.flush()

    def ready(self) -> None:
        """It works: the foreground exits with 0. Without this it exits with 1 when the daemon ends."""
        if self._pipe is None:
            return
        logging.getLogger().removeHandler(self._handler)
        self._tell(_READY)
        with contextlib.suppress(BrokenPipeError):
            self._pipe.close()
        self._pipe = None


def detach() -> Foreground:
    """Continue as a daemon. The caller's process never returns from here: it waits, then exits."""
    sys.stdout.flush()
    sys.stderr.flush()
    # A lock, or a pipe that somebody reads to its end, must not live as long as the daemon.
    os.closerange(_STDERR + 1, os.sysconf("SC_OPEN_MAX"))
    receiver, sender = os.pipe()
    child = os.fork()
    if child:
        os.close(sender)
        os.waitpid(child, 0)
        os._exit(_wait(receiver))
    os.close(receiver)
    os.setsid()
    # Not a session leader any more: it can never get a terminal again.
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o077)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(_STDERR + 1):
        os.dup2(null, fd)
    if null > _STDERR:
        os.close(null)
    return Foreground(os.fdopen(sender, "w", encoding="utf-8", errors="backslashreplace"))


def _wait(receiver: int) -> int:
    """Pass on to stderr what comes; the exit code."""
    heard = b""
    while True:
        if not select.select([receiver], [], [], PATIENCE)[0]:
            os.write(_STDERR, b"Could not receive return value from daemon process.\n")
            return 1
        chunk = os.read(receiver, 65536)
        if not chunk:
            break
        os.write(_STDERR, chunk.replace(_READY, b"").replace(_WAIT, b""))
        heard += chunk
    if heard.endswith(_READY):
        return 0
    if not heard:
        os.write(_STDERR, b"Daemon process failed: it ended without a word.\n")
    return 1
