"""An aggregator: the ports that could carry traffic as one, and who of them waits.

Must not know which aggregator is used.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from pyteam.engine.lacp.port import LacpPort
from pyteam.engine.lacp.states import MuxState, Selected

Worth = Callable[[LacpPort], Any]


class Aggregator:
    """``key``: what its members have in common. It is named after its best port, the lead."""

    def __init__(self, key: Hashable, first: LacpPort) -> None:
        self.key = key
        self.members: dict[int, LacpPort] = {first.ifindex: first}
        self.lead = first
        #: Members that are selected but have not waited long enough: Ready_N = FALSE.
        self.waiting: set[LacpPort] = set()
        #: It is the one that the team uses.
        self.used: bool = False

    @property
    def ready(self) -> bool:
        """Ready (6.4.14.1)."""
        return not self.waiting

    @property
    def settled(self) -> bool:
        """Whether it could be attached to at once, or is."""
        return any(port.ready for port in self.ports)

    @property
    def ports(self) -> Iterable[LacpPort]:
        return self.members.values()

    @property
    def speed(self) -> int:
        """Of each member, in Mb/s; 0: not known of any."""
        return next((port.speed for port in self.ports if port.speed), 0)

    def admits(self, port: LacpPort) -> bool:
        """Whether its speed is that of the others; an unknown one fits any."""
        if not port.speed:
            return True
        others = (other.speed for other in self.ports if other.speed and other is not port)
        return next(others, port.speed) == port.speed

    def add(self, port: LacpPort) -> None:
        self.members[port.ifindex] = port

    def remove(self, port: LacpPort) -> None:
        """Another leads in its place when `lead_by` is asked next."""
        del self.members[port.ifindex]
        self.waiting.discard(port)

    def lead_by(self, worth: Worth, touched: LacpPort) -> bool:
        """The best leads, given that one port has changed: whether that is another now."""
        before = self.lead
        if touched is before or before.ifindex not in self.members:
            self.lead = min(self.ports, key=worth)
        elif touched.ifindex in self.members and worth(touched) < worth(before):
            self.lead = touched
        return self.lead is not before

    def note(self, port: LacpPort) -> bool:
        """A member's machines have run: whether those that wait for it need wait no more."""
        unready = port.selected is Selected.SELECTED and port.mux_state is MuxState.WAITING and not port.ready
        if unready:
            self.waiting.add(port)
            return False
        if port not in self.waiting:
            return False
        self.waiting.discard(port)
        return not self.waiting
