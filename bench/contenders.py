"""What is compared: two hosts joined by a plain cable, by an Open vSwitch bond, by a team.

Owns how each is built and which of its cables is the active one. All have the same addresses, each in
hosts of its own, so that they can stand side by side and be measured in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.hosts import Cable, CommandError, Host, Lab, wait_for
from bench.openvswitch import BRIDGE, Switch
from bench.team import DEVICE, PORTS, Team, same_port

A: Final = "10.9.0.1"
B: Final = "10.9.0.2"


@dataclass
class Contender:
    """Two hosts that reach each other at `A` and `B`, over ``device``."""

    name: str
    a: Host
    b: Host
    device: str
    cables: tuple[Cable, ...] = ()
    #: The name of the cable that carries the traffic now, once both hosts agree; another than the
    #: one given. None: there is one cable, and nothing to fail over to.
    active: Callable[[str], str] | None = None
    teams: tuple[Team, ...] = ()

    def cable(self, name: str) -> Cable:
        return next(cable for cable in self.cables if cable.name == name)

    def settle(self) -> None:
        """Wait until packets pass, then keep address resolution out of the measurement."""

        def passes() -> bool:
            try:
                return bool(self.a.run("ping", "-c", "1", "-W", "1", B))
            except CommandError:
                return False

        wait_for(passes, f"{self.name}: the first packet")
        for host, there, address in ((self.a, self.b, B), (self.b, self.a, A)):
            mac = there.run("cat", f"/sys/class/net/{self.device}/address").strip()
            neighbour = ("neigh", "replace", address, "lladdr", mac, "dev", self.device)
            host.ip(*neighbour, "nud", "permanent")


def plain(lab: Lab) -> Contender:
    a, b = lab.host("plain-a"), lab.host("plain-b")
    cable = lab.cable("eth0", a, b, up=True)
    for host, address in ((a, A), (b, B)):
        host.ip("addr", "add", f"{address}/24", "dev", cable.name)
    return Contender("plain cable", a, b, cable.name, (cable,))


def openvswitch(lab: Lab) -> Contender:
    a, b = lab.host("ovs-a"), lab.host("ovs-b")
    cables = tuple(lab.cable(port, a, b) for port in PORTS)
    switches = Switch(a, lab.directory), Switch(b, lab.directory)
    for switch, address in zip(switches, (A, B), strict=True):
        switch.activate(PORTS[0])
        switch.up(f"{address}/24")

    def agreed(unlike: str) -> str:
        name, *others = {switch.active() for switch in switches}
        return "" if others or name == unlike else name

    def active(unlike: str) -> str:
        return wait_for(lambda: agreed(unlike), "Open vSwitch: an active member that both hosts agree on")

    return Contender("Open vSwitch", a, b, BRIDGE, cables, active)


def team(lab: Lab, datapath: str) -> Contender:
    """The daemons do not run yet; `start` starts them."""
    a, b = lab.host(f"{datapath}-a"), lab.host(f"{datapath}-b")
    cables = tuple(lab.cable(port, a, b) for port in PORTS)
    teams = Team(a, lab.directory, datapath), Team(b, lab.directory, datapath)
    return Contender(
        f"team ({datapath})", a, b, DEVICE, cables, lambda unlike: same_port(teams, unlike), teams
    )


def start(contender: Contender) -> None:
    """Start the daemons of a team and give it its addresses."""
    for one, address in zip(contender.teams, (A, B), strict=True):
        one.start()
        one.up(f"{address}/24")
