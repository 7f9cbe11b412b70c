"""What happens in the demo, in which order: two hosts, two cables, and their bad luck.

Owns the hosts and the flows between them; what is shown and judged is `demo.screen`'s and
`demo.account`'s business.
"""

from __future__ import annotations

import signal
import time
from typing import Final

from bench.flow import Flow
from bench.hosts import Lab
from bench.loss import Tally, windows
from bench.team import PORTS, Team, same_port
from demo.screen import Screen

A: Final = "10.9.0.1"
B: Final = "10.9.0.2"
PORT: Final = 7000
#: Packets that one flow may lose: the one on its way over a cable that is cut; none otherwise.
CUT: Final = 1
NONE: Final = 0
#: Seconds to watch after each event.
LOOK: Final = 3.0


class Story:
    """One demo; made inside a `Lab` that cleans up after it."""

    def __init__(self, lab: Lab, datapath: str, rate: int, screen: Screen) -> None:
        self.screen = screen
        self.marks: list[tuple[str, int]] = []
        self.allowed: dict[str, int] = {}
        screen.headline("two hosts, two cables, a team on each")
        self._a, self._b = lab.host("a"), lab.host("b")
        self._cables = {port: lab.cable(port, self._a, self._b) for port in PORTS}
        for cable in self._cables.values():
            cable.rings(True)
        self._directory, self._rate = lab.directory, rate
        self.teams = Team(self._a, lab.directory, datapath), Team(self._b, lab.directory, datapath)
        self.flows: list[Flow] = []

    def tell(self) -> None:
        """From the first packet to the last."""
        for team, address in zip(self.teams, (A, B), strict=True):
            team.start()
            team.up(f"{address}/24")
        active = same_port(self.teams)
        self._a.run("ping", "-c", "1", "-W", "10", B)
        self.flows = [
            Flow(self._a, self._b, f"{B}:{PORT}", self._rate, self._directory),
            Flow(self._b, self._a, f"{A}:{PORT}", self._rate, self._directory),
        ]
        self._event("nothing happens", NONE)
        self._look()

        self._event(f"{active} cut, daemons alive", CUT)
        self._cables[active].cut(self._b)
        self._look()
        spare = same_port(self.teams, unlike=active)
        self._event(f"{active} plugged in again", NONE)
        self._cables[active].plug(self._b)
        self._look()

        self._event("daemons stopped (SIGSTOP)", NONE)
        self._signal(signal.SIGSTOP)
        self._look(1)
        self._event(f"{spare} cut, daemons stopped", CUT)
        self._cables[spare].cut(self._a)
        self._look()
        self._event("daemons resumed (SIGCONT)", NONE)
        self._signal(signal.SIGCONT)
        same_port(self.teams, unlike=spare)
        self._look(1)
        self._event(f"{spare} plugged in again", NONE)
        self._cables[spare].plug(self._a)
        self._look()

        self._event("daemons killed (kill -9)", NONE)
        for team in self.teams:
            team.kill()
        self._look()
        self._event("daemons started again", NONE)
        for team in self.teams:
            team.start("-o")
        same_port(self.teams)
        self._look()
        self.marks.append(("", time.monotonic_ns()))
        self.screen.settle()
        for flow in self.flows:
            flow.stop()

    def tallies(self) -> list[list[Tally]]:
        """Event by event, flow by flow; every packet sent since the first event is in one of them."""
        *marks, (_, end) = self.marks
        return [[flow.tally(window) for flow in self.flows] for window in windows(marks, end)]

    def state(self) -> str:
        return self.teams[0].teamdctl("state")

    def _event(self, name: str, allowed: int) -> None:
        self.screen.headline(name)
        self.allowed[name] = allowed
        self.marks.append((name, time.monotonic_ns()))

    def _signal(self, number: signal.Signals) -> None:
        for team in self.teams:
            team.signal(number)

    def _look(self, seconds: float = LOOK) -> None:
        """Show the counters for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.1)
            shown = []
            for flow in self.flows:
                sent, _, missing = flow.so_far()
                shown.append(f"{flow.name}: {sent:>9} sent, {missing} lost")
            self.screen.status("   ".join(shown))
