"""What a runner is: it decides which ports carry the traffic. A new one is one file and one row.

A runner sees ports and answers options; it knows neither datapath nor clock nor what makes a port up.
One that speaks a protocol with the other side also hears frames and has some to send.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pyteam.config import TeamConfig
from pyteam.engine.desired import Actual
from pyteam.engine.outcome import Ear, Frame, Message
from pyteam.engine.port import Port
from pyteam.engine.reconcile import ACTIVE_PORT, FAILOVER_ORDER
from pyteam.engine.snapshot import Memory, Setting
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue


class Runner:
    """The trivial runner: the mode does everything."""

    name: ClassVar[str]
    #: The table of its keys, a dataclass. Read where a third party's is found; for ours see `pyteam.config`.
    record: ClassVar[type]
    #: The kernel's name of how packets are spread.
    mode: ClassVar[str]
    #: Announcements to peers and multicast joins, where the configuration does not say.
    burst_count: ClassVar[int | None] = None
    #: See `pyteam.engine.addresses`.
    hwaddr_policy: str = "same_all"
    #: Index of the one port that carries the traffic; 0 none, or all do.
    active: int = 0
    #: The datapath can receive on a port without sending on it (`rx_enabled`, `tx_enabled`).
    separates: bool = False
    #: What is listened for on every port; None: nothing.
    ear: Ear | None = None

    def __init__(self, config: Any) -> None:
        self.config = config

    def objections(self, config: Any) -> Sequence[str]:
        """Why it cannot take this other configuration of its own kind while it runs: a line each."""
        return ()

    def reconfigure(self, now: float, config: Any) -> None:
        """From now on another configuration of its own kind, to which it has no `objections`.

        That of the ports is told by their ``config``, at the next `decide`.
        """
        self.config = config

    def adopt(self, actual: Actual) -> None:
        """What the device is as it begins; of a new one nothing is known."""

    def team_options(self, config: TeamConfig) -> dict[OptionKey, OptionValue]:
        """What it asks of the datapath whatever the ports are; what is not configured is nobody's wish."""
        options: dict[OptionKey, OptionValue] = {OptionKey("mode"): self.mode}
        for name, burst in (("notify_peers", config.notify_peers), ("mcast_rejoin", config.mcast_rejoin)):
            count = self.burst_count if burst.count is None else burst.count
            if count is not None:
                options[OptionKey(f"{name}_count")] = count
            if burst.interval is not None:
                options[OptionKey(f"{name}_interval")] = burst.interval
        return options

    def see(self, now: float, key: OptionKey, value: OptionValue) -> bool:
        """News of an option, perhaps of our own doing: whether anything may follow from it."""
        return False

    def remarks(self) -> Sequence[str]:
        """Lines for the log, at the start."""
        return ()

    def deadline(self) -> float | None:
        """When `expire` wants to be called."""
        return None

    def expire(self, now: float) -> bool:
        """The time is this: whether anything may follow from it."""
        return False

    def hear(self, now: float, ifindex: int, frame: bytes) -> bool:
        """A frame came in on a port: whether anything may follow from it but frames and messages."""
        return False

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        """Some fact of the ports (oldest first) or of the team device may have changed: choose anew if so."""

    def choose(self, now: float, ifindex: int) -> bool:
        """A user picks a port, or the ports that go with it. False: there is nothing to choose."""
        return False

    def end(self, now: float) -> None:
        """The team comes to its end; what is to be said to the other side is said now."""

    def frames(self) -> Sequence[Frame]:
        """To be sent now, each once."""
        return ()

    def messages(self) -> Sequence[Message]:
        """For the log, each once."""
        return ()

    def options(self, ports: Sequence[Port]) -> Mapping[OptionKey, OptionValue]:
        """What the decision asks of the datapath; ``ports`` also has those still to be added."""
        return {}

    def carrier(self) -> bool | None:
        """Whether the team device has carrier; None: the datapath sees to it."""
        return None

    def state(self, now: float, ports: Sequence[Port]) -> Mapping[str, Setting]:
        """State items of the team."""
        return {}

    def port_state(self, now: float, port: Port) -> Mapping[str, Setting]:
        """State items of a port."""
        return {}

    def save(self, now: float) -> Memory:
        """For the runner after this one, on the same device: plain data, fit for JSON."""
        return {}

    def restore(self, now: float, memory: Memory) -> None:
        """What the one before had saved; before the first decision."""


def one_port(active: int, ports: Sequence[Port], order: Sequence[Port]) -> dict[OptionKey, OptionValue]:
    """What the mode ``activebackup`` takes: one port, by ifindex, and who comes next, best first.

    The datapath follows ``order`` where a cable is cut, until there is a new decision.
    """
    options: dict[OptionKey, OptionValue] = {
        OptionKey("enabled", port.ifindex): port.ifindex == active for port in ports
    }
    if active:
        # While there is none, the datapath keeps the last: nobody takes its traffic.
        options[ACTIVE_PORT] = active
    options[FAILOVER_ORDER] = struct.pack(f"={len(order)}I", *(port.ifindex for port in order))
    return options
