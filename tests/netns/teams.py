"""A host for real daemons: its own network, its own /run, and nothing of it left when a test is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

Answer = TypeVar("Answer")

#: Seconds that anything waited for has.
PATIENCE: Final = 15.0
#: As a user has them; a test may give others.
ENVIRONMENT: Final = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")}
#: A child that lives until its stdin closes, so that the namespaces do; it says when they are ready.
HOLDER: Final = "mount -t tmpfs -o mode=755 none /run && ip link set lo up && echo ready && exec cat"
TWO_PORTS: Final = {
    "device": "team0",
    "runner": {"name": "activebackup"},
    "ports": {"eth0": {"prio": 10}, "eth1": {}},
}


class Done(NamedTuple):
    """A program that has ended."""

    code: int
    out: str
    err: str


def program(name: str) -> tuple[str, ...]:
    """The installed console script, or the module of a source tree."""
    script = Path(sys.executable).with_name(name)
    return (str(script),) if script.exists() else (sys.executable, "-m", f"pyteam.cli.{name}")


def wait_for(look: Callable[[], Answer], what: str) -> Answer:
    """Look until the answer is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := look()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s for {what}, in vain"
        time.sleep(0.01)
    return answer


@dataclass
class Daemon:
    """A teamd in the foreground."""

    process: subprocess.Popen[bytes]
    out_file: Path
    log_file: Path

    @property
    def out(self) -> str:
        """What came on stdout."""
        return self.out_file.read_text()

    @property
    def log(self) -> str:
        """What came on stderr."""
        return self.log_file.read_text()

    def says(self, text: str, times: int = 1) -> None:
        """Wait for it in the log."""
        try:
            wait_for(lambda: self.log.count(text) >= times, f"{text!r} in the log")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.log}") from None

    def ready(self) -> Daemon:
        self.says("successfully started.")
        return self

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)


@dataclass
class Host:
    """Namespaces (network and mounts) with a fresh /run. Made by `host`."""

    holder: int
    directory: Path
    #: Ahead of all words given to teamd; the same on a kernel that has the team driver.
    datapath: Sequence[str] = ("--datapath=ebpf",)
    daemons: list[Daemon] = field(default_factory=list)

    def within(self, *argv: str) -> list[str]:
        return ["/usr/bin/nsenter", f"--target={self.holder}", "--net", "--mount", *argv]

    def run(self, *argv: str, env: Mapping[str, str] = ENVIRONMENT, cwd: Path | None = None) -> Done:
        """A program to its end."""
        # Entering another namespace of mounts leaves the working directory behind.
        there = ("env", f"--chdir={cwd}") if cwd else ()
        done = subprocess.run(
            self.within(*there, *argv),
            capture_output=True,
            text=True,
            timeout=4 * PATIENCE,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str) -> str:
        """What has to work; its output."""
        done = self.run("sh", "-ec", script)
        assert done.code == 0, f"{script}: {done.err}"
        return done.out

    def ip(self, *words: str) -> None:
        done = self.run("ip", *words)
        assert done.code == 0, f"ip {' '.join(words)}: {done.err}"

    def plug(self, *names: str) -> None:
        """Interfaces, down, whose cables have a far end that is up (far0 for eth0)."""
        for name in names:
            far = name.replace("eth", "far")
            self.ip("link", "add", name, "type", "veth", "peer", "name", far)
            self.ip("link", "set", far, "up")

    def cut(self, name: str) -> None:
        self.ip("link", "set", name.replace("eth", "far"), "down")

    def mend(self, name: str) -> None:
        self.ip("link", "set", name.replace("eth", "far"), "up")

    def links(self) -> dict[str, Any]:
        """What iproute2 knows of each interface, by name."""
        return {link["ifname"]: link for link in json.loads(self.sh("ip -j -d link show"))}

    def looks(self, *names: str) -> list[tuple[object, ...]]:
        """All of an interface that a team changes, and should give back."""
        links = self.links()
        return [
            (
                name,
                links[name]["address"],
                links[name]["mtu"],
                links[name]["promiscuity"],
                links[name]["allmulti"],
                {"UP", "PROMISC", "ALLMULTI"} & set(links[name]["flags"]),
                self.sh(f"cat /proc/sys/net/ipv6/conf/{name}/disable_ipv6"),
                self.programs(name),
            )
            for name in names
        ]

    def programs(self, name: str) -> int:
        """How many BPF programs hang on the interface."""
        done = self.run(sys.executable, "-c", COUNT_PROGRAMS, name)
        assert done.code == 0, done.err
        return int(done.out)

    def traces(self) -> list[str]:
        """What a team leaves on a host: devices of its own, files, processes."""
        devices = [name for name in self.links() if name.startswith("team")]
        return devices + self.sh("find /run -mindepth 2").split() + [str(pid) for pid in self.pids()]

    def pids(self) -> list[int]:
        """Every process in these namespaces but the holder, and but what has ended."""
        home = os.stat(f"/proc/{self.holder}/ns/net").st_ino
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if os.stat(path / "ns/net").st_ino == home and int(path.name) != self.holder:
                    found.append(int(path.name))
        return found

    def leaves_nothing(self) -> None:
        """A process that told its end may take a moment to it."""
        wait_for(lambda: not self.traces(), "the last trace to go")

    def has_socket(self) -> bool:
        return self.run("test", "-S", "/run/teamd/team0.sock").code == 0

    # Daemons

    def teamd(
        self,
        *words: str,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] = ENVIRONMENT,
        before: Sequence[str] = (),
        cwd: Path | None = None,
    ) -> Done:
        """To its end: with -d until the daemon is ready, or is not going to be."""
        return self.run(*before, *program("teamd"), *self.datapath, *words, *_given(config), env=env, cwd=cwd)

    def start(
        self,
        *words: str,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, str] = ENVIRONMENT,
        before: Sequence[str] = (),
        fds: Sequence[int] = (),
    ) -> Daemon:
        """In the foreground; ``fds`` are inherited."""
        number = len(self.daemons)
        out_file, log_file = self.directory / f"out{number}", self.directory / f"log{number}"
        with out_file.open("wb") as out, log_file.open("wb") as log:
            process = subprocess.Popen(
                self.within(*before, *program("teamd"), *self.datapath, *words, *_given(config)),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=dict(env),
                start_new_session=True,
                pass_fds=fds,
            )
        self.daemons.append(Daemon(process, out_file, log_file))
        return self.daemons[-1]

    def ctl(self, *words: str, team: str = "team0") -> Done:
        return self.run(*program("teamdctl"), team, *words)

    def state(self) -> Any:
        done = self.ctl("state", "dump")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def item(self, path: str) -> str:
        """A state item."""
        done = self.ctl("state", "item", "get", path)
        assert done.code == 0, done.err
        return done.out.strip()

    def ports(self) -> list[str]:
        return list(self.state().get("ports", {}))

    def becomes(self, path: str, value: str) -> None:
        """Wait until the state item has the value."""
        wait_for(lambda: self.item(path) == value, f"{path} to be {value}")

    def close(self) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for daemon in self.daemons:
            daemon.process.wait(PATIENCE)
        wait_for(lambda: not self.pids(), "the end of everything in the namespaces")


COUNT_PROGRAMS: Final = """
import socket, sys
from pyteam.datapath.ebpf import libbpf
index = socket.if_nametoindex(sys.argv[1])
print(sum(len(libbpf.attached(index, hook)) for hook in (libbpf.TCX_INGRESS, libbpf.TCX_EGRESS)))
"""


def _given(config: Mapping[str, Any] | None) -> tuple[str, ...]:
    return () if config is None else ("-c", json.dumps(config))


@contextmanager
def host(directory: Path, *interfaces: str) -> Iterator[Host]:
    """A host with these interfaces; ``directory`` is for files of the test."""
    with subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == b"ready\n"
            made = Host(holder.pid, directory)
            try:
                made.plug(*interfaces)
                yield made
            finally:
                made.close()
        finally:
            holder.kill()
