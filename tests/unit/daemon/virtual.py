"""A team service without a kernel and without waiting: the simulated datapath, in virtual time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyteam.config import Document
from pyteam.daemon.core import DaemonCore
from pyteam.daemon.memory import Keeper
from pyteam.daemon.service import TeamService
from pyteam.daemon.wire import Wire
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear, Frame

#: Never opened: the loop below watches numbers.
DESCRIPTOR: Final = 1_000_000


@dataclass(order=True)
class VirtualTimer:
    when: float
    #: Of those that are due at the same time, the first made is the first done.
    number: int
    callback: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop:
    """What a service asks of a loop; nothing happens but what a test plays."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[VirtualTimer] = []
        self._numbers = itertools.count()
        self.readers: dict[int, Callable[[], object]] = {}

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], object], /) -> VirtualTimer:
        timer = VirtualTimer(when, next(self._numbers), callback)
        heapq.heappush(self._timers, timer)
        return timer

    def call_later(self, delay: float, callback: Callable[[], object], /) -> VirtualTimer:
        return self.call_at(self._now + delay, callback)

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> None:
        self.call_later(0, callback)

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int, /) -> None:
        del self.readers[fd]

    @property
    def due(self) -> list[float]:
        """When something is to happen."""
        return sorted(timer.when for timer in self._timers if not timer.cancelled)

    def advance(self, seconds: float) -> None:
        """Let time pass; what is due happens on the way, at its own time."""
        end = self._now + seconds
        while self._timers and self._timers[0].when <= end:
            timer = heapq.heappop(self._timers)
            self._now = max(self._now, timer.when)
            if not timer.cancelled:
                timer.callback()
        self._now = end

    def read(self) -> None:
        """Every descriptor that is watched is readable."""
        for callback in list(self.readers.values()):
            callback()


class WatchedDatapath(SimulatedDatapath):
    """Has a descriptor, as a real one."""

    def files(self) -> Sequence[int]:
        return (DESCRIPTOR,)


class VirtualWire(Wire):
    """Sends nowhere; hears what a test puts into ``incoming``, once it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.ears: Mapping[int, Ear] = {}
        self.sent: list[Frame] = []
        self.incoming: list[FrameSeen] = []

    def listen(self, ears: Mapping[int, Ear]) -> None:
        self.ears = ears

    def send(self, frames: Iterable[Frame]) -> None:
        self.sent += frames

    def files(self) -> list[int]:
        return [DESCRIPTOR + ifindex for ifindex, ear in self.ears.items() if ear.patterns]

    def receive(self, now: float) -> list[FrameSeen]:
        incoming, self.incoming = self.incoming, []
        return incoming


class Machine:
    """Interfaces, a team of them, and the daemon's inner parts around it; without process or socket."""

    def __init__(
        self,
        config: str,
        *names: str,
        no_ports: bool = False,
        debug_level: int = 0,
        start: bool = True,
        keeper: Keeper | None = None,
    ) -> None:
        self.loop = VirtualLoop()
        self.world = World()
        self.world.plug("lo", loopback=True)
        for name in names:
            self.world.plug(name)
        self.document = Document.parse(config).with_device("team0").with_defaults()
        self.datapath = WatchedDatapath.create(self.world, "team0")
        self._no_ports = no_ports
        self._debug_level = debug_level
        self.wire = VirtualWire()
        self._keeper = keeper
        self.removed = 0
        self.make(adopted=False)
        if start:
            self.service.start(self.loop)

    def make(self, *, adopted: bool) -> None:
        """A service and a core for the device that there is."""
        self.service = TeamService(
            self.document.team,
            self.datapath,
            adopted=adopted,
            add_ports=not self._no_ports,
            on_removed=self._count,
            wire=self.wire,
            keeper=self._keeper,
        )
        self.core = DaemonCore(
            self.document,
            self.service,
            self.datapath,
            daemonized=False,
            pid_file="/run/team0.pid",
            debug_level=self._debug_level,
        )

    def restart(self) -> None:
        """The daemon dies without a word; another one takes over."""
        self.loop = VirtualLoop()
        self.datapath.close()
        self.datapath = WatchedDatapath.adopt(self.world, "team0")
        self.make(adopted=True)
        self.service.start(self.loop)

    def _count(self) -> None:
        self.removed += 1

    @property
    def ports(self) -> list[str]:
        return [port.link.name for port in self.service.team.snapshot().ports]

    @property
    def active(self) -> str:
        return str(self.service.team.snapshot().runner["active_port"])

    def index(self, name: str) -> int:
        return self.world.find(name).ifindex
