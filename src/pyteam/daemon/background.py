"""Going into the background, and telling the one who waits in the foreground how it went."""

from __future__ import annotations

import os
import select
import sys
from typing import Final

#: Seconds until the foreground gives up waiting for word.
PATIENCE: Final = 20.0


class Word:
    """The child's end of the pipe: exactly one report, good or bad. Without fork it goes nowhere."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = fd

    def good(self) -> None:
        """All is well: the foreground may exit with 0."""
        self._send(b"+")

    def bad(self, text: str) -> None:
        """What went wrong, for the terminal that the daemon no longer has."""
        self._send(b"-" + text.encode(errors="replace"))

    def _send(self, data: bytes) -> None:
        if self._fd is not None:
            os.write(self._fd, data)
            os.close(self._fd)
            self._fd = None


def detach() -> Word:
    """Continue as a daemon. The caller's process never returns from here: it waits for the word,
    prints a bad one on stderr, and exits with 0 or 1."""
    receiver, sender = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.fork()
    if first:
        os.close(sender)
        os.waitpid(first, 0)
        os._exit(_wait(receiver))
    os.close(receiver)
    os.setsid()
    # Not a session leader any more: it can never get a terminal again.
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o077)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    return Word(sender)


def _wait(receiver: int) -> int:
    data = b""
    while True:
        if not select.select([receiver], [], [], PATIENCE)[0]:
            print("Could not receive return value from daemon process.", file=sys.stderr)
            return 1
        chunk = os.read(receiver, 65536)
        if not chunk:
            break
        data += chunk
    if data[:1] == b"+":
        return 0
    text = data[1:].decode(errors="replace")
    print(text or "Daemon process failed: it ended without a word.", file=sys.stderr)
    return 1
