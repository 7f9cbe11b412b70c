"""What LACP costs a daemon: many ports at fast rate in one process, simulated datapath, real clock.

``python -m bench.lacpload``. Teams come in pairs whose ports are cabled to each other: every port sends and
receives a LACPDU a second. All of the daemon's way of a frame is in it but the kernel's part.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from bench.table import render
from pyteam.config import LacpRunner, PortConfig, TeamConfig
from pyteam.daemon.service import TeamService
from pyteam.daemon.wire import Wire
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear, Frame

#: Teams and ports of each.
SHAPES: Final = ((256, 2), (64, 8), (8, 64))
#: Seconds until all have formed, and those that are measured.
SETTLING: Final = 6.0
MEASURED: Final = 10.0


class Cable(Wire):
    """Hands frames to the wire at the other end, in the next turn of the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop
        self._incoming: list[FrameSeen] = []
        self.peer: Cable = self
        self.service: TeamService | None = None
        self.heard = 0

    def listen(self, ears: Mapping[int, Ear]) -> None:
        """On everything, always."""

    def send(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            # Worlds are alike, so a port has the index of the one that it is cabled to.
            self._loop.call_soon(self.peer.arrive, FrameSeen(frame.ifindex, frame.data))

    def arrive(self, frame: FrameSeen) -> None:
        self._incoming.append(frame)
        self.heard += 1
        if self.service is not None:
            self.service.handle(self.receive(self._loop.time()))

    def receive(self, now: float) -> list[FrameSeen]:
        incoming, self._incoming = self._incoming, []
        return incoming


class Load(NamedTuple):
    """One shape: share of a core, LACPDUs received a second, ports in use."""

    teams: int
    ports: int
    cpu: float
    heard: float
    used: int


class Team(NamedTuple):
    """All of a daemon that LACP comes through."""

    service: TeamService
    wire: Cable
    datapath: SimulatedDatapath


def make(loop: asyncio.AbstractEventLoop, number: int, ports: int) -> Team:
    world = World()
    names = [f"eth{port}" for port in range(ports)]
    for name in names:
        world.plug(name)
    config = TeamConfig(
        device="team0",
        hwaddr=b"\2" + number.to_bytes(5),
        runner=LacpRunner(fast_rate=True),
        ports={name: PortConfig() for name in names},
    )
    datapath = SimulatedDatapath.create(world, "team0")
    wire = Cable(loop)
    service = TeamService(config, datapath, adopted=False, add_ports=True, on_removed=lambda: None, wire=wire)
    wire.service = service
    service.start(loop)
    world.set_up("team0", True)
    return Team(service, wire, datapath)


async def measure(teams: int, ports: int) -> Load:
    loop = asyncio.get_running_loop()
    made = [make(loop, number, ports) for number in range(teams)]
    for one, other in zip(made[::2], made[1::2], strict=True):
        one.wire.peer, other.wire.peer = other.wire, one.wire
    for team in made:
        # What was not seen yet: that the team devices are up.
        team.service.handle(team.datapath.receive())
    await asyncio.sleep(SETTLING)
    heard, cpu, start = sum(team.wire.heard for team in made), time.process_time(), time.monotonic()
    await asyncio.sleep(MEASURED)
    seconds = time.monotonic() - start
    cpu = (time.process_time() - cpu) / seconds
    heard = sum(team.wire.heard for team in made) - heard
    ports_of = [port for team in made for port in team.service.snapshot().ports]
    used = sum(bool(port.runner["distributing"]) for port in ports_of)
    for team in made:
        team.wire.service = None
        team.service.stop()
    return Load(teams, ports, cpu, heard / seconds, used)


def main() -> int:
    rows = []
    for shape in SHAPES:
        load = asyncio.run(measure(*shape))
        rows.append(
            (str(load.teams), str(load.ports), str(load.used), f"{load.heard:.0f}", f"{load.cpu:.1%}")
        )
    print(render(("teams", "ports each", "in use", "LACPDUs a second", "of a core"), rows, left=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
