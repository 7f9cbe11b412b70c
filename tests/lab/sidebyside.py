"""The original teamd and ours, one after the other in the same topology, and what each made of it.

Owns the topology, the life of a daemon in it, and the picture: everything that a user could look at,
as one flat table. Must not know which differences are meant.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# What teamd imports late is wanted here before it is forked.
import pyteam.daemon.run
import pyteam.datapath.kernel.datapath  # noqa: F401
from pyteam.cli import teamd
from pyteam.client import Client, ClientError
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace

#: Paths, as ``state/ports/eth1/link/up``, and what was found there.
Picture = dict[str, object]

TEAM: Final = "team0"
TEAMNL: Final = "/usr/bin/teamnl"
PORTS: Final = ("eth1", "eth2", "eth3")
#: The original can look nowhere else.
RUN_DIR: Final = Path("/var/run/teamd")
#: A MAC that nobody chose.
RANDOM: Final = re.compile(r"(?!02:00:00:00:00|00:00:00:00:00)[0-9a-f]{2}(:[0-9a-f]{2}){5}")
#: Seconds that anything waited for has.
PATIENCE: Final = 20.0
#: Seconds between two looks.
PAUSE: Final = 0.03


def wait_for(look: Callable[[], object], what: Callable[[], str]) -> None:
    """Look until the answer is true; else ``what`` says what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"waited {PATIENCE:g} s, in vain: {what()}"
        time.sleep(PAUSE)


def original(words: Sequence[str]) -> int:
    os.execv("/usr/bin/teamd", ["teamd", *words])


def ours(words: Sequence[str]) -> int:
    return teamd.main(["teamd", "--datapath=kernel", *words])


def ebpf(words: Sequence[str]) -> int:
    return teamd.main(["teamd", "--datapath=ebpf", *words])


def auto(words: Sequence[str]) -> int:
    return teamd.main(["teamd", *words])


#: Who is compared; ours on its other datapath, and with its own choice. Each has a process of its own.
CONTENDERS: Final[Mapping[str, Callable[[Sequence[str]], int]]] = {
    "original": original,
    "ours": ours,
    "ebpf": ebpf,
    "auto": auto,
}


@dataclass
class Daemon:
    """A teamd in the foreground, with its log in a file."""

    pid: int
    log_file: Path
    code: int | None = None

    def over(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its exit code."""
        os.kill(self.pid, number)
        wait_for(self.over, lambda: f"the end of teamd; it says:\n{self.log}")
        assert self.code is not None
        return self.code

    @property
    def log(self) -> str:
        return self.log_file.read_text()


def fork(work: Callable[[], int], log_file: Path) -> Daemon:
    """Work in a process of its own, in the namespace of this thread.

    Ours is forked with all its modules imported: that saves the seconds in which an emulated processor
    starts an interpreter, and is the same program from its first line on.
    """
    pid = os.fork()
    if pid:
        return Daemon(pid, log_file)
    code = 1
    try:
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
        with open(2, "w", buffering=1, closefd=False) as stderr:
            sys.stdout = sys.stderr = stderr
            code = work()
    finally:
        os._exit(code)


class Side:
    """One contender in one topology: ``eth1``, ``eth2``, ``eth3``, and ``far1``, ... behind them."""

    def __init__(self, contender: str, rtnl: Rtnl, directory: Path) -> None:
        self.contender = contender
        self.rtnl = rtnl
        self.directory = directory
        self.daemons: list[Daemon] = []
        #: Lines of the log that were read.
        self._read = 0

    def start(self, words: Sequence[str], config: Mapping[str, Any]) -> None:
        """Until it answers."""
        arguments = [*words, "-c", json.dumps(config)]
        log_file = self.directory / f"{self.contender}{len(self.daemons)}.log"
        # Not to answer for one that is no more.
        (RUN_DIR / f"{TEAM}.sock").unlink(missing_ok=True)
        daemon = fork(lambda: CONTENDERS[self.contender](arguments), log_file)
        self.daemons.append(daemon)
        wait_for(lambda: daemon.over() or self.answers(), lambda: f"{words}; it says:\n{daemon.log}")
        assert not daemon.over(), daemon.log

    @property
    def daemon(self) -> Daemon:
        return self.daemons[-1]

    def answers(self) -> bool:
        with suppress(ClientError), Client(TEAM) as client:
            return bool(client.state_dump())
        return False

    def do(self, line: str, config: Mapping[str, Any]) -> None:
        """One step: words for a daemon, for teamdctl, or a program."""
        first, *words = shlex.split(line)
        match first, *words:
            case "teamd", *_:
                self.start(words, config)
            case ["end" | "leave"]:
                assert self.daemon.end() == 0, self.daemon.log
            case "port", "add", port:
                self._ask(lambda client: client.port_add(port))
            case "port", "remove", port:
                self._ask(lambda client: client.port_remove(port))
            case "port", "config", "update", port, text:
                self._ask(lambda client: client.port_config_update(port, text))
            case "state", "item", "set", item, value:
                self._ask(lambda client: client.state_item_set(item, value))
            case _:
                done = subprocess.run([first, *words], capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{line}: {done.stderr}"

    def _ask(self, call: Callable[[Client], None]) -> None:
        with Client(TEAM) as client:
            call(client)

    # Looking

    def look(self) -> Picture:
        """All there is to see, in a moment in which nothing of it changes."""
        while True:
            before = self.glance()
            said: dict[str, object] = {}
            if self.lives():
                with Client(TEAM) as client:
                    said["config"] = json.loads(client.config_dump())
                    said["actual"] = json.loads(client.config_dump_actual())
                said["options"] = self._options()
            else:
                said["files"] = sorted(path.name for path in RUN_DIR.iterdir())
                said["exit"] = self.daemon.code
            if self.glance() == before:
                return {**before, **dict(flat("", said))}

    def glance(self) -> Picture:
        """The half that costs a tenth."""
        seen: dict[str, object] = {}
        if self.lives():
            try:
                with Client(TEAM) as client:
                    seen["state"] = state = json.loads(client.state_dump())
                for port in state.get("ports", {}).values():
                    # That it counts is to be seen, not every packet.
                    port.update({key: sorted(port[key]) for key in ("statistics",) if key in port})
            except ClientError:
                wait_for(self.daemon.over, lambda: f"an answer, or the end; it says:\n{self.daemon.log}")
        seen["links"] = self._links()
        return dict(flat("", seen))

    def lives(self) -> bool:
        return bool(self.daemons) and not self.daemon.over()

    def _links(self) -> dict[str, object]:
        links = {link.ifindex: link for link in self.rtnl.links()}
        return {
            link.name: {
                "ifindex": link.ifindex,
                "kind": link.kind,
                "address": link.address.hex(":"),
                "mtu": link.mtu,
                "up": link.up,
                "carrier": link.carrier,
                "master": links[link.master].name if link.master else "",
            }
            for link in links.values()
            if not link.name.startswith("far")
        }

    def _options(self) -> dict[str, str]:
        """As the original's tool prints them, but for the mark of a change: who reads it first clears it."""
        done = subprocess.run([TEAMNL, TEAM, "options"], capture_output=True, text=True, check=True)
        found = {}
        for line in done.stdout.splitlines():
            name, port, value = re.fullmatch(r".(\S+) (?:\(port:(\S+)\) )?(.*?) ?", line).groups()  # type: ignore[union-attr]
            found[f"{name}({port})" if port else name] = value
        return found

    def comes_to(self, conditions: str) -> None:
        """Wait until there are these values, and nothing changes any more.

        Spelled ``path=value path=value``; an empty value is for nothing there.
        """
        wanted = dict(condition.split("=") for condition in conditions.split())
        seen: Picture = {}

        def settled() -> bool:
            nonlocal seen
            before, seen = seen, self.glance()
            found = {path: spelled(seen.get(path.replace(".", "/"))) for path in wanted}
            return found == wanted and seen == before

        wait_for(settled, lambda: f"{conditions}; there is {seen}\n{self.daemon.log}")

    def log(self) -> list[str]:
        """What its daemons said since the last `turn`, without what is theirs by nature."""
        lines = [line for daemon in self.daemons for line in daemon.log.splitlines()]
        return [re.sub(r"^\d+(\.\d+)+ (?=successfully)", "", line) for line in lines[self._read :]]

    def turn(self) -> None:
        """What was said so far is read."""
        self._read += len(self.log())


@contextmanager
def side(contender: str, directory: Path) -> Iterator[Side]:
    """A fresh namespace for it; nothing of it is left behind, however this ends."""
    with namespace() as own, inside(own), Rtnl() as rtnl:
        for number, name in enumerate(PORTS, start=1):
            port = rtnl.add_veth(name, f"far{number}", peer_up=True)
            rtnl.set_link(port.ifindex, address=bytes([2, 0, 0, 0, 0, number]))
        made = Side(contender, rtnl, directory)
        try:
            yield made
        finally:
            for daemon in made.daemons:
                if not daemon.over():
                    daemon.end(signal.SIGKILL)
            for path in RUN_DIR.glob(f"{TEAM}.*"):
                path.unlink()


def flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """The leaves of nested mappings, by path; an empty mapping is a leaf."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(f"{path}/{key}" if path else str(key), inner)
    else:
        yield path, "random" if RANDOM.fullmatch(str(value)) else value


def spelled(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def differences(theirs: Picture, ours: Picture) -> dict[str, tuple[object, object]]:
    """By path: what the original has there, and what we have; None: nothing."""
    return {
        path: (theirs.get(path), ours.get(path))
        for path in sorted(theirs.keys() | ours.keys())
        if theirs.get(path) != ours.get(path)
    }
