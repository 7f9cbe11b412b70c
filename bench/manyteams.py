"""What many teams in one process cost: ``python -m bench.manyteams [TEAMS]``; LACP, fast, two ports each.

Two network namespaces with two veth cables a team between them, and a ``teamd --config-dir`` in each, so that
every port has a partner. What is told is of the first, which starts while the other one does nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.table import render
from pyteam.client import Client
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace

TEAMS: Final = 256
PORTS: Final = 2
#: Seconds until all ports are used, and those that are measured.
SETTLING: Final = 20.0
MEASURED: Final = 20.0
#: Seconds that a start and an end may take.
PATIENCE: Final = 300.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def configure(directory: Path, teams: int) -> None:
    directory.mkdir()
    for number in range(teams):
        ports: dict[str, object] = {f"e{number}.{port}": {} for port in range(PORTS)}
        config = {
            "device": f"team{number}",
            "runner": {"name": "lacp", "fast_rate": True},
            "ports": ports,
        }
        (directory / f"team{number}.conf").write_text(json.dumps(config))


@contextmanager
def daemon(netns: int, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Until all its teams work; and it is ended."""
    words = [sys.executable, "-m", "pyteam.cli.teamd", "--datapath=ebpf"]
    words += [f"--config-dir={directory / 'conf'}", f"--run-dir={directory}"]
    with inside(netns), (directory / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while b"teams started" not in (directory / "log").read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((directory / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def cpu(pid: int) -> float:
    """Seconds of a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> float:
    """MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def in_use(directory: Path, teams: int) -> int:
    """Ports that distribute."""
    found = 0
    for number in range(teams):
        with Client(f"team{number}", str(directory)) as client:
            ports = json.loads(client.state_dump())["ports"]
        found += sum(port["runner"]["distributing"] for port in ports.values())
    return found


def main(argv: list[str]) -> int:
    teams = int(argv[0]) if argv else TEAMS
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyteam-bench-")))
        first, second = stack.enter_context(namespace()), stack.enter_context(namespace())
        for name in "ab":
            (root / name).mkdir()
            configure(root / name / "conf", teams)
        there = f"/proc/{os.getpid()}/fd/{second}"
        with inside(first):
            for number in range(teams):
                for port in range(PORTS):
                    name = f"e{number}.{port}"
                    words = ["ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", there]
                    subprocess.run(words, check=True)
        stack.enter_context(daemon(second, root / "b"))
        start = time.monotonic()
        process = stack.enter_context(daemon(first, root / "a"))
        started, start_cpu = time.monotonic() - start, cpu(process.pid)
        for netns in (first, second):
            with inside(netns), Rtnl() as rtnl:
                for number in range(teams):
                    rtnl.set_link(rtnl.link_by_name(f"team{number}").ifindex, up=True)
        time.sleep(SETTLING)
        before, begin = cpu(process.pid), time.monotonic()
        time.sleep(MEASURED)
        busy = (cpu(process.pid) - before) / (time.monotonic() - begin)
        used = in_use(root / "a", teams)
        rows = [
            ("until all teams work", f"{started:.1f} s", "30 s"),
            ("the same, processor time", f"{start_cpu:.1f} s", ""),
            ("resident", f"{resident(process.pid):.0f} MB", "150 MB"),
            ("of a processor, all ports in use", f"{busy:.1%}", "30 %"),
            ("ports in use", f"{used} of {teams * PORTS}", ""),
        ]
    print(render((f"{teams} teams of {PORTS} ports", "found", "goal"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
