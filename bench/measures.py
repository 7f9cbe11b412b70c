"""One measurement each: a function of a contender (or a daemon) that returns one number.

Owns what is measured and for how long, not how often, in which order or against whom.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from bench.contenders import B, Contender
from bench.flow import Flow, await_ready, stop, traffic
from bench.hosts import CommandError
from bench.loss import Tally, Window
from bench.team import Team

PORT: Final = 7000
#: Seconds of numbered traffic before a cut, and after it.
BEFORE: Final = 1.0
AFTER: Final = 2.0
#: Sending and receiving ends on processors of their own: where the scheduler puts them
#: changes more than what is measured.
CPUS: Final = sorted(os.sched_getaffinity(0))
SENDING, RECEIVING = CPUS[0], CPUS[-1]


def tcp(contender: Contender, seconds: float, streams: int) -> float:
    """Gb/s that arrived over so many TCP connections."""
    server = contender.b.start("iperf3", "-s", "-1", "--forceflush", stdout=subprocess.PIPE)
    assert server.stdout is not None, "asked for as a pipe"
    while b"listening" not in (line := server.stdout.readline()):
        if not line:
            raise CommandError(f"iperf3 on {contender.b.netns}: ended before it listened")
    client = ("iperf3", "-J", "-c", B, "-t", str(max(1, round(seconds))), "-P", str(streams))
    said = contender.a.run(*client, "-A", f"{SENDING},{RECEIVING}", timeout=seconds + 30)
    server.wait(10)
    received: float = json.loads(said)["end"]["sum_received"]["bits_per_second"]
    return received / 1e9


def small_packets(contender: Contender, seconds: float) -> float:
    """UDP packets of 32 bytes received a second, in thousands, when one processor sends all it can."""
    address = f"{B}:{PORT}"
    receiver = traffic(contender.b, "sink", address, f"--seconds={seconds}", f"--cpu={RECEIVING}")
    await_ready(receiver)
    sender = traffic(contender.a, "blast", address, f"--cpu={SENDING}")
    per_second = _answer(receiver)
    stop(sender)
    return per_second / 1000


def ping_pong(contender: Contender, seconds: float) -> float:
    """UDP round trips a second, in thousands, one packet on its way at a time."""
    address = f"{B}:{PORT}"
    server = traffic(contender.b, "echo", address, f"--cpu={RECEIVING}")
    await_ready(server)
    client = traffic(contender.a, "ping", address, f"--seconds={seconds}", f"--cpu={SENDING}")
    per_second = _answer(client)
    stop(server)
    return per_second / 1000


def _answer(process: subprocess.Popen[bytes]) -> float:
    """The rate that a counting end prints before it ends."""
    out, _ = process.communicate(timeout=60)
    if process.returncode:
        raise CommandError(f"bench.traffic: exit {process.returncode} (its message is above)")
    per_second: float = json.loads(out)["per_second"]
    return per_second


class Daemons(StrEnum):
    """What the daemons do while the cable is cut."""

    ALIVE = "alive"
    STOPPED = "stopped"
    KILLED = "killed"


def cut(
    contender: Contender, rate: int, directory: Path, here: bool, daemons: Daemons = Daemons.ALIVE
) -> Tally:
    """Cut the active cable, at the sender's end or the receiver's, under traffic one way.

    The cable is plugged in again once both hosts have moved to the other one. Cables have receive
    rings meanwhile, so that what counts is what the contender lost, not what the closing end refused.
    """
    assert contender.active is not None, "one cable has nothing to fail over to"
    name = contender.active("")
    cable = contender.cable(name)
    for each in contender.cables:
        each.rings(True)
    for team in contender.teams:
        if daemons is Daemons.STOPPED:
            team.signal(signal.SIGSTOP)
        elif daemons is Daemons.KILLED:
            team.kill()
    flow = Flow(contender.a, contender.b, f"{B}:{PORT}", rate, directory)
    time.sleep(BEFORE)
    start = time.monotonic_ns()
    cable.cut(contender.a if here else contender.b)
    time.sleep(AFTER)
    window = Window("cut", start, time.monotonic_ns())
    flow.stop()
    for team in contender.teams:
        if daemons is Daemons.STOPPED:
            team.signal(signal.SIGCONT)
        elif daemons is Daemons.KILLED:
            team.start("-o")
    contender.active(name)
    cable.plug(contender.a if here else contender.b)
    for each in contender.cables:
        each.rings(False)
    if flow.missed:
        raise CommandError(f"the receiver was too slow for {flow.missed} packets: nothing was measured")
    return flow.tally(window)


def resident(team: Team) -> float:
    """Resident memory of the daemon, in MB (10^6 bytes)."""
    for line in Path(f"/proc/{team.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise CommandError(f"/proc/{team.pid}/status: no VmRSS line")


def idle(team: Team, seconds: float) -> float:
    """Per cent of a processor that the daemon takes while nothing happens."""
    before = _on_cpu(team.pid)
    time.sleep(seconds)
    return (_on_cpu(team.pid) - before) / (seconds * 1e9) * 100


def _on_cpu(pid: int) -> int:
    """Nanoseconds that all threads of a process have run; /proc/PID/stat counts in 10 ms only."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def ask(team: Team) -> float:
    """Milliseconds of a whole ``teamdctl team0 state item get``."""
    start = time.monotonic()
    team.active()
    return (time.monotonic() - start) * 1000


def start(team: Team) -> float:
    """Milliseconds from ``teamd -d`` to its first answer; the daemon is ended again."""
    took = team.time_to_answer()
    team.end()
    return took * 1000


@dataclass(frozen=True, slots=True)
class Measure:
    """A throughput that every contender can be measured by; goals are team/plain and team/Open vSwitch."""

    title: str
    unit: str
    digits: int
    measure: Callable[[Contender, float], float]
    plain_goal: float | None = None
    switch_goal: float | None = None


MEASURES: Final = (
    Measure("TCP, 1 stream", "Gb/s", 2, lambda contender, seconds: tcp(contender, seconds, 1), 0.97),
    Measure("TCP, 4 streams", "Gb/s", 2, lambda contender, seconds: tcp(contender, seconds, 4), 0.97),
    Measure("small UDP packets", "1000/s", 0, small_packets, 0.90, 1.5),
    Measure("UDP ping-pong", "1000/s", 2, ping_pong),
)
