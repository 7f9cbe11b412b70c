"""Hosts and cables: network namespaces joined by veth pairs, and the processes started in them.

Owns their whole life: a `Lab` removes everything that it made when it is left, whether by return,
exception, SIGINT, SIGTERM or SIGHUP; what a lab killed with -9 left behind is swept by the next one.
Knows nothing of teams, traffic or measurements.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Final, Self, TypeVar

Answer = TypeVar("Answer")

#: Namespaces and directories are named after the process that made them: ``pyteam-<pid>-<label>``.
NAME: Final = re.compile(r"pyteam-(\d+)-.+")
NETNS: Final = Path("/run/netns")
#: Signals that end a lab, besides the KeyboardInterrupt that Python makes of SIGINT.
ENDING: Final = (signal.SIGTERM, signal.SIGHUP)
#: Seconds that a process has between SIGTERM and SIGKILL.
GRACE: Final = 2.0
#: Seconds that anything waited for has, unless said otherwise.
PATIENCE: Final = 20.0
#: The directory that holds the packages ``bench`` and ``demo``; commands run in it.
ROOT: Final = Path(__file__).resolve().parent.parent


class CommandError(Exception):
    """A command failed; the text holds the command and the last thing that it said."""


def run(*argv: str, timeout: float = 30, check: bool = True, within: tuple[str, ...] = ()) -> str:
    """Run a command to its end and return its standard output. Raises `CommandError`.

    ``within`` is the command that enters the place to run it in.
    """
    shown = " ".join(argv)
    try:
        done = subprocess.run(
            (*within, *argv), capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
        )
    except FileNotFoundError as error:
        raise CommandError(f"{error.filename}: not found (is the program installed?)") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"{shown}: no end within {timeout:g} s") from None
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise CommandError(f"{shown}: exit {done.returncode}: {said[-1] if said else 'no message'}")
    return done.stdout


def wait_for(look: Callable[[], Answer], what: str, patience: float = PATIENCE) -> Answer:
    """Look again and again until the answer is true, and return it. Raises `CommandError`."""
    deadline = time.monotonic() + patience
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise CommandError(f"waited {patience:g} s for {what}, in vain")
        time.sleep(0.01)
    return answer


def alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be reaped does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@dataclass(frozen=True)
class Host:
    """One network namespace, made by a `Lab`."""

    name: str
    netns: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False, compare=False)

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command to run it here; the process id stays the command's own."""
        return ("ip", "netns", "exec", self.netns)

    def run(self, *argv: str, timeout: float = 30, check: bool = True) -> str:
        return run(*argv, timeout=timeout, check=check, within=self.enter)

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.netns, *argv)

    def start(
        self,
        *argv: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process that ends with the lab at the latest.

        It gets a session of its own, so that Ctrl-C reaches the lab alone, which ends things in order.
        """
        process = subprocess.Popen(
            (*self.enter, *argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=ROOT,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def pids(self) -> list[int]:
        """Every process on this host, daemons that let go of their parent among them."""
        return _pids(self.netns)


@dataclass(frozen=True)
class Cable:
    """A veth pair between two hosts; its ends bear the cable's name on both."""

    name: str
    a: Host
    b: Host

    def cut(self, end: Host) -> None:
        """Take one end down: the other one loses its carrier at once."""
        end.ip("link", "set", "dev", self.name, "down")

    def plug(self, end: Host) -> None:
        end.ip("link", "set", "dev", self.name, "up")

    def rings(self, on: bool) -> None:
        """Give both ends receive rings, as network cards have them, or take them away again.

        Without one, a veth end that is taken down refuses what reaches it for the few microseconds
        until its peer has lost the carrier (net/core/dev.c stops the backlog first), and the sender
        cannot know: up to nine packets of a burst. With one, what has crossed the cable is delivered.
        The ring serves packets of a peer without TSO only (drivers/net/veth.c), which costs TCP.
        """
        ring, segmentation = ("on", "off") if on else ("off", "on")
        for host in (self.a, self.b):
            host.run("ethtool", "-K", self.name, "gro", ring, "tso", segmentation)


class Lab:
    """Hosts and cables of one process, and a directory for their files. Needs root."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.directory = Path()
        self._handlers: dict[signal.Signals, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        if os.geteuid():
            raise CommandError("network namespaces need root: run this as root")
        for ending in ENDING:
            self._handlers[ending] = signal.signal(ending, _end)
        sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"pyteam-{os.getpid()}-"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not interrupt the cleaning up after the first.
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        try:
            self.close()
        finally:
            signal.signal(signal.SIGINT, interrupt)
            for ending, handler in self._handlers.items():
                signal.signal(ending, handler)

    def host(self, label: str) -> Host:
        host = Host(label, f"pyteam-{os.getpid()}-{label}")
        self.hosts.append(host)
        run("ip", "netns", "add", host.netns)
        host.ip("link", "set", "dev", "lo", "up")
        return host

    def cable(self, name: str, a: Host, b: Host, up: bool = False) -> Cable:
        """A new cable. Its ends stay down, fit to become ports, unless ``up``."""
        run("ip", "link", "add", name, "netns", a.netns, "type", "veth", "peer", name, "netns", b.netns)
        if up:
            for host in (a, b):
                host.ip("link", "set", "dev", name, "up")
        return Cable(name, a, b)

    def close(self) -> None:
        for host in self.hosts:
            for process in host.processes:
                if process.poll() is None:
                    process.terminate()
        deadline = time.monotonic() + GRACE
        for host in self.hosts:
            for process in host.processes:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream is not None:
                        with suppress(BrokenPipeError):
                            stream.close()
        for host in self.hosts:
            _remove(host.netns)
        self.hosts.clear()
        shutil.rmtree(self.directory)


def sweep() -> None:
    """Remove what dead labs left behind, their orphaned daemons included."""
    if NETNS.is_dir():
        for path in NETNS.iterdir():
            if _stale(path):
                _remove(path.name)
    for path in Path(tempfile.gettempdir()).iterdir():
        if _stale(path) and path.is_dir() and path.stat().st_uid == 0:
            shutil.rmtree(path)


def _stale(path: Path) -> bool:
    match = NAME.fullmatch(path.name)
    return match is not None and not alive(int(match[1]))


def _pids(netns: str) -> list[int]:
    return [int(line) for line in run("ip", "netns", "pids", netns, check=False).split()]


def _remove(netns: str) -> None:
    """Kill what still runs in a namespace of ours, then delete it; no error when it is gone."""
    for pid in _pids(netns):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run("ip", "netns", "del", netns, check=False)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
