"""The pid file: who runs this team, and how to ask it to stop."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from pathlib import Path
from typing import Final

from pyteam.errors import PyteamError

log = logging.getLogger(__name__)

#: Seconds that --kill waits for the daemon's end, as the original's 1.32.
KILL_PATIENCE: Final = 30.0
_POLL: Final = 0.02


class PidFileError(PyteamError, OSError):
    """The pid file cannot be written; the text names it."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(error.errno, f"pid file {path}: {error.strerror}")

    def __str__(self) -> str:
        return str(self.strerror)


def running(path: str) -> int:
    """The process id of the living daemon that the file names; 0: none.

    A file that names a dead process, or one that is no teamd (ids are used again), is removed.
    """
    try:
        pid = int(Path(path).read_text().strip() or "0")
    except (FileNotFoundError, ValueError):
        return 0
    if pid <= 0:
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        log.info("Process %d died: No such process; trying to remove PID file. (%s)", pid, path)
    except PermissionError:
        return pid
    else:
        if _is_teamd(pid):
            return pid
        log.info("Process %d is no teamd; trying to remove PID file. (%s)", pid, path)
    remove(path)
    return 0


def _is_teamd(pid: int) -> bool:
    try:
        return b"teamd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True  # not ours to look at: then it is safer to believe the file


def write(path: str) -> None:
    """Name this process. Raises `PidFileError`, and leaves no half a file."""
    try:
        # 0644 whatever the umask: others may look who runs.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(fd, 0o644)
            os.write(fd, f"{os.getpid()}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        remove(path)
        raise PidFileError(path, error) from error


def remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def kill(pid: int) -> bool:
    """Ask the daemon to stop, and wait; False when it still runs after `KILL_PATIENCE`."""
    deadline = time.monotonic() + KILL_PATIENCE
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(_POLL)
        return False
    return True
