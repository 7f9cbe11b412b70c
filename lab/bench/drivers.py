"""The kernel's own ways: the `team` driver under the original's teamd, and bonding.

Owns how two hosts get one of them, in the shape in which `bench.contenders` builds the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from bench.contenders import A, B, Contender
from bench.hosts import CommandError, Host, Lab, wait_for
from bench.team import DEVICE, PORTS, Team, same_port

BOND: Final = "bond0"
#: ms between two looks of bonding at its links; what administrators write.
MIIMON: Final = "100"


class Original(Team):
    """team0 under the original's teamd, which has one directory for all: it goes without a socket."""

    def start(self, *argv: str) -> None:
        where = ("-u", "-p", str(self.pid_file), "-f", str(self.config))
        self.host.run("/usr/bin/teamd", "-d", *where, *argv)

    def active(self) -> str:
        try:
            number = int(self.host.run("/usr/bin/teamnl", DEVICE, "getoption", "activeport"))
        except CommandError:
            return ""
        links = json.loads(self.host.run("ip", "-j", "link", "show"))
        return next((str(link["ifname"]) for link in links if link["ifindex"] == number), "")


def original(lab: Lab) -> Contender:
    """The daemons do not run yet; `bench.contenders.start` starts them."""
    a, b = lab.host("original-a"), lab.host("original-b")
    cables = tuple(lab.cable(port, a, b) for port in PORTS)
    teams = Original(a, lab.directory), Original(b, lab.directory)
    return Contender("original teamd", a, b, DEVICE, cables, lambda unlike: same_port(teams, unlike), teams)


def bonding(lab: Lab) -> Contender:
    a, b = lab.host("bond-a"), lab.host("bond-b")
    cables = tuple(lab.cable(port, a, b) for port in PORTS)
    for host, address in ((a, A), (b, B)):
        host.ip("link", "add", BOND, "type", "bond", "mode", "active-backup", "miimon", MIIMON)
        for port in PORTS:
            host.ip("link", "set", port, "master", BOND)
        host.ip("addr", "add", f"{address}/24", "dev", BOND)
        host.ip("link", "set", BOND, "up")

    def agreed(unlike: str) -> str:
        name, *others = {_active_slave(host) for host in (a, b)}
        return "" if others or name == unlike else name

    def active(unlike: str) -> str:
        return wait_for(lambda: agreed(unlike), "bonding: an active port that both hosts agree on")

    return Contender(f"bonding, miimon {MIIMON}", a, b, BOND, cables, active)


def _active_slave(host: Host) -> str:
    return host.run("cat", str(Path("/sys/class/net", BOND, "bonding/active_slave"))).strip()
