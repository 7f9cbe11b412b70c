"""The pid file: who runs this team, and how to ask it to stop."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import signal
from pathlib import Path
from typing import Final

from pyteam.control.protocol import run_directory
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)

#: Seconds that `kill` waits for the daemon's end, as the original's 1.32 does.
KILL_PATIENCE: Final = 30.0
#: In place of a device's name, for the process that runs many teams; no device can have it.
OF_TEAMS: Final = "teamd-config-dir"
#: The same for the process that runs many teams: each takes some hundredths of a second to end.
KILL_PATIENCE_OF_TEAMS: Final = 120.0
_PID_MAX: Final = 1 << 22  # PID_MAX_LIMIT, linux/threads.h


class PidFileError(PyteamError, OSError):
    """The pid file cannot be used; the text names it."""

    def __init__(self, path: str, code: int, why: str) -> None:
        super().__init__(code, f"pid file {path}: {why}")

    def __str__(self) -> str:
        return str(self.strerror)


class RunningError(PyteamError, FileExistsError):
    """Somebody runs this team already."""

    def __init__(self, pid: int) -> None:
        super().__init__(errno.EEXIST, f"Daemon already running on PID {pid}.")

    def __str__(self) -> str:
        return str(self.strerror)


def path_of(run_dir: str | None, name: str) -> str:
    """The pid file of the team device ``name``."""
    return os.path.join(run_directory(run_dir), f"{name}.pid")


def runs_many(pid: int) -> bool:
    """Whether the process was started for a directory of teams: to end it is to end them all."""
    return any(word.split(b"=")[0] == b"--config-dir" for word in _command_line(pid))


def running(path: str) -> int:
    """The process id of the living daemon that the file names; 0: none.

    A file that names a dead process, or one that is no teamd (ids are used again), is removed.
    Raises `PidFileError` for a file that is something else.
    """
    pid = _read(path)
    if not pid:
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
    _unlink(path)
    return 0


def _read(path: str) -> int:
    try:
        # Neither without end (a device) nor waiting for a writer (a FIFO).
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            text = os.read(fd, 32).strip()
        finally:
            os.close(fd)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise PidFileError(path, error.errno or errno.EIO, error.strerror or "cannot be read") from error
    if text.isdigit() and 0 < int(text) <= _PID_MAX:
        return int(text)
    raise PidFileError(path, errno.EEXIST, "it exists and holds no process id: remove it, or choose another")


def _is_teamd(pid: int) -> bool:
    """Ours (``teamd``, ``python teamd``, ``python -m pyteam.cli.teamd``) or the original."""
    # Not ours to look at: then it is safer to believe the file.
    words = _command_line(pid)[:3] or [b"teamd"]
    return any(os.path.basename(word).split(b".")[-1] == b"teamd" for word in words)


def _command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def write(path: str) -> None:
    """Name this process. Raises `RunningError` or `PidFileError`, and leaves no half a file."""
    draft = f"{path}.{os.getpid()}"
    try:
        # 0644 whatever the umask: others may look who runs.
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(fd, 0o644)
            os.write(fd, f"{os.getpid()}\n".encode())
        finally:
            os.close(fd)
        _publish(draft, path)
    except PyteamError:
        raise
    except OSError as error:
        raise PidFileError(path, error.errno or errno.EIO, error.strerror or str(error)) from error
    finally:
        _unlink(draft)


def _publish(draft: str, path: str) -> None:
    """The whole file at once, and only if no other daemon, started at the same time, was faster."""
    try:
        os.link(draft, path)
    except FileExistsError:
        pid = running(path)
        if pid:
            raise RunningError(pid) from None
        os.link(draft, path)


def remove(path: str) -> None:
    """At the end; a file that is a successor's by now is left alone."""
    with contextlib.suppress(PidFileError):
        if _read(path) == os.getpid():
            _unlink(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("%s stays behind: %s", path, error.strerror)


def kill(pid: int, patience: float | None = None) -> bool:
    """Ask the daemon to stop, and wait; False when it still runs after so many seconds (`KILL_PATIENCE`)."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return bool(poll.poll((KILL_PATIENCE if patience is None else patience) * 1000))
    except ProcessLookupError:
        return True
    finally:
        os.close(process)
