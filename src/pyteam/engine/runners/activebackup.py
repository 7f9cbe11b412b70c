"""Runner ``activebackup``: one port carries the traffic, the next best stands ready.

A decision is made when a fact that it rests on has changed, and only then: that is why a user's
choice, even a bad one, lasts until then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyteam.config import ActiveBackupRunner
from pyteam.engine.port import Port
from pyteam.engine.runners.base import Runner, one_port
from pyteam.engine.snapshot import Setting
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue


class ActiveBackup(Runner):
    """Best is, in this order: ``prio``, speed, duplex, already active, lowest ifindex."""

    name = mode = "activebackup"
    burst_count = 1

    def __init__(self, config: ActiveBackupRunner) -> None:
        super().__init__(config)
        self.hwaddr_policy = config.hwaddr_policy
        self._facts: object = None

    def reconfigure(self, now: float, config: ActiveBackupRunner) -> None:
        super().reconfigure(now, config)
        self.hwaddr_policy = config.hwaddr_policy

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        facts = [(port.ifindex, port.up, port.sticky, _worth(port)) for port in ports]
        if facts == self._facts:
            return
        self._facts = facts
        usable = {port.ifindex: port for port in ports if port.up}
        active = usable.get(self.active)
        if active is None or not active.sticky:
            # Nothing here may depend on who came first: a new daemon could not know.
            best = max(
                usable.values(), key=lambda port: (*_worth(port), port is active, -port.ifindex), default=None
            )
            self.active = best.ifindex if best else 0

    def choose(self, now: float, ifindex: int) -> bool:
        self.active = ifindex
        return True

    def options(self, ports: Sequence[Port]) -> Mapping[OptionKey, OptionValue]:
        # The active port too: so the order is right before and after a switch.
        return one_port(self.active, ports, sorted(ports, key=_rank, reverse=True))

    def state(self, now: float, ports: Sequence[Port]) -> Mapping[str, Setting]:
        names = (port.name for port in ports if port.ifindex == self.active)
        return {"active_port": next(names, "")}


def _worth(port: Port) -> tuple[int, int, int]:
    return port.prio, port.speed, port.duplex


def _rank(port: Port) -> tuple[int, ...]:
    """For the fail-over inside the datapath, which knows the carrier but not why a port is up."""
    return port.up, port.usable, *_worth(port), -port.ifindex
