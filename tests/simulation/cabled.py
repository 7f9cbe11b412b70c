"""Two hosts whose ports are the two ends of cables, in one virtual time; and cables that go wrong."""

from __future__ import annotations

from collections.abc import Callable

from pyteam.config import PortConfig, RunnerConfig, TeamConfig
from pyteam.engine.events import FrameSeen
from tests.simulation.harness import Host

#: Seconds that a frame is on its way.
LATENCY = 0.001


class Pair:
    """Hosts ``a`` and ``b``, each with a team; ports of one name are cabled to each other."""

    def __init__(self, one: RunnerConfig, other: RunnerConfig, cables: int = 2) -> None:
        self.names = [f"eth{number}" for number in range(cables)]
        self.hosts = [Host(*self.names) for _ in (one, other)]
        self.a, self.b = self.hosts
        #: Whether a frame of this host (0 or 1) gets through this cable.
        self.passes: Callable[[int, str], bool] = lambda host, cable: True
        self._flying: list[tuple[float, int, str, bytes]] = []
        self._taken = [0, 0]
        self.configs = [
            TeamConfig(
                device="team0",
                hwaddr=bytes((2, 0, 0, 0, 1, number)),
                runner=runner,
                ports={name: PortConfig() for name in self.names},
            )
            for number, runner in enumerate((one, other))
        ]
        for host, words in zip(self.hosts, self.configs, strict=True):
            host.start(words)
            host.world.set_up("team0", True)
            host.settle()

    def cut(self, name: str) -> None:
        """Both ends see it."""
        for host in self.hosts:
            host.cut(name)

    def mend(self, name: str) -> None:
        for host in self.hosts:
            host.mend(name)

    def advance(self, seconds: float) -> None:
        """Let time pass for both."""
        end = self.a.world.now + seconds
        while True:
            self._take()
            now = min([end, *(due for host in self.hosts for due in host.due()), *self._landings()])
            for host in self.hosts:
                host.advance(max(0.0, now - host.world.now))
            landed = [frame for frame in self._flying if frame[0] <= now]
            self._flying = [frame for frame in self._flying if frame[0] > now]
            for _, to, name, data in landed:
                host = self.hosts[to]
                host.tell(FrameSeen(host.index(name), data))
            if now >= end and not landed:
                return

    def until(self, true: Callable[[], bool], within: float) -> float:
        """Seconds until it is so."""
        start = self.a.world.now
        while not true():
            assert self.a.world.now - start <= within, f"not within {within} s"
            self.advance(0.01)
        return self.a.world.now - start

    def _landings(self) -> list[float]:
        return [frame[0] for frame in self._flying]

    def _take(self) -> None:
        for number, host in enumerate(self.hosts):
            for sent, name, data in host.sent[self._taken[number] :]:
                if self.passes(number, name):
                    self._flying.append((sent + LATENCY, 1 - number, name, data))
            self._taken[number] = len(host.sent)
