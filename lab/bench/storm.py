"""A crowd of ports added while unrelated link events arrive: how long the daemon's loop is away.

Owns the storm and the look at the loop; the team is the kernel driver's, the inner parts are the
daemon's. Must run in a network namespace of its own. Where the clock counts instructions a pause is what was
computed in it, however busy the host is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pyteam.config import Document
from pyteam.daemon.core import DaemonCore
from pyteam.daemon.service import TeamService
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.engine.reconcile import commands
from pyteam.netlink import message as nl
from pyteam.netlink.rtnl import Rtnl

TEAM: Final = "team0"
CONFIG: Final = '{"runner": {"name": "activebackup"}}'
PORTS: Final = tuple(f"p{number}" for number in range(64))
EVENTS: Final = 10_000
#: Seconds between two looks at whether all is over.
PAUSE: Final = 0.05


@dataclass(frozen=True)
class Storm:
    """``longest``: pause of the loop, in ns of this process's own time; ``turns`` of it in all."""

    longest: int
    turns: int
    #: What is wrong in the end; empty when all ports are in and as they should be.
    wrong: str = ""


def pace() -> int:
    """Ns of this process's own time for a piece of work of the kind that fills a pause.

    The same work in the guest, in instructions, says what an instruction takes here.
    """
    message = b"".join(nl.attribute(kind, bytes(4)) for kind in range(1, 60))
    found = []
    for _ in range(9):
        start = time.process_time_ns()
        for _ in range(200):
            nl.attributes(message)
        found.append(time.process_time_ns() - start)
    return min(found)


def storm(directory: Path, watch: Callable[[], None] = lambda: None) -> Storm:
    """Let it rage. ``watch`` is called in every turn of the loop."""
    script = directory / "storm"
    script.write_text("".join(f"link set dummy0 mtu {1000 + number % 400}\n" for number in range(EVENTS)))
    with Rtnl() as rtnl:
        rtnl.add_link("dummy0", "dummy")
        for name in PORTS:
            rtnl.add_veth(name, f"far{name}", peer_up=True)
    datapath = KernelDatapath.create(TEAM, directory)
    try:
        document = Document.parse(CONFIG).with_device(TEAM)
        service = TeamService(document.team, datapath, adopted=False, add_ports=True, on_removed=lambda: None)
        core = DaemonCore(document, service, datapath, daemonized=False, pid_file="", debug_level=0)
        longest, turns = asyncio.run(_rage(core, service, script, watch))
        return Storm(longest, turns, _wrong(service, datapath))
    finally:
        datapath.destroy()


async def _rage(
    core: DaemonCore, service: TeamService, script: Path, watch: Callable[[], None]
) -> tuple[int, int]:
    longest = turns = 0

    async def beat() -> None:
        nonlocal longest, turns
        # The processor's time of this process: another that has its turn is no pause of ours.
        last = time.process_time_ns()
        while True:
            await asyncio.sleep(0)
            now = time.process_time_ns()
            longest, last, turns = max(longest, now - last), now, turns + 1
            watch()

    service.start(asyncio.get_running_loop())
    ip = await asyncio.create_subprocess_exec("ip", "-batch", str(script))
    heart = asyncio.ensure_future(beat())
    for name in PORTS:
        core.port_add(name)
        await asyncio.sleep(0)
    await ip.wait()
    # What is still on its way is there a moment after nothing came for one.
    before = -1
    while before != (before := _told(service)):
        await asyncio.sleep(PAUSE)
    heart.cancel()
    service.stop()
    return longest, turns


def _told(service: TeamService) -> int:
    ports = service.team.snapshot().ports
    return sum(port.up and port.link.usable for port in ports)


def _wrong(service: TeamService, datapath: KernelDatapath) -> str:
    ports = {port.link.name: port for port in service.team.snapshot().ports}
    if absent := set(PORTS) - ports.keys():
        return f"not in the team: {', '.join(sorted(absent))}"
    if down := [name for name, port in ports.items() if not (port.up and port.link.usable)]:
        return f"down: {', '.join(sorted(down))}"
    datapath.links()
    if left := commands(datapath.actual(), service.team.desired):
        return f"still to be done: {left}"
    return ""
