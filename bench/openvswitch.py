"""An Open vSwitch userspace bond on a host: the alternative that needs no kernel driver either.

Owns one ovsdb-server and one ovs-vswitchd with a run directory of their own; a switch that already
runs on the machine is not touched.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from bench.hosts import CommandError, Host, run, wait_for

BRIDGE: Final = "br0"
BOND: Final = "bond0"
PORTS: Final = ("eth0", "eth1")
SCHEMA: Final = Path("/usr/share/openvswitch/vswitch.ovsschema")
#: The line that follows the active member's own in ``bond/show``.
ACTIVE: Final = re.compile(r"^member (\S+): \w+\n\s+active member$", re.MULTILINE)


def missing() -> str:
    """Why no switch can be started here; empty when one can."""
    for name in ("ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl", "ovs-appctl"):
        if shutil.which(name) is None:
            return f"{name} is not installed (Debian: openvswitch-switch)"
    return "" if SCHEMA.exists() else f"{SCHEMA} is missing"


class Switch:
    """``br0`` of one host, an active-backup bond over its two cables; ready when it is made."""

    def __init__(self, host: Host, directory: Path) -> None:
        if why := missing():
            raise CommandError(f"Open vSwitch: {why}")
        self.host = host
        self.directory = directory / host.netns
        self.directory.mkdir()
        database, server = self.directory / "conf.db", self.directory / "db.sock"
        self._server = f"unix:{server}"
        self._control = self.directory / "vswitchd.ctl"
        run("ovsdb-tool", "create", str(database), str(SCHEMA))
        self._start("ovsdb-server", str(database), f"--remote=p{self._server}")
        wait_for(server.exists, "ovsdb-server")
        self._start("ovs-vswitchd", self._server)
        wait_for(self._control.exists, "ovs-vswitchd")
        for host_port in PORTS:
            host.ip("link", "set", "dev", host_port, "up")
        run(
            *("ovs-vsctl", f"--db={self._server}", "--timeout=20"),
            *("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=netdev"),
            *("--", "add-bond", BRIDGE, BOND, *PORTS, "bond_mode=active-backup"),
        )

    def _start(self, name: str, *argv: str) -> None:
        quiet = ("-vconsole:off", "-vsyslog:off", "-vfile:warn")
        files = (
            f"--log-file={self.directory / name}.log",
            f"--pidfile={self.directory / name}.pid",
            f"--unixctl={self.directory / name.removeprefix('ovs-')}.ctl",
        )
        environment = {"OVS_RUNDIR": str(self.directory), "OVS_DBDIR": str(self.directory)}
        self.host.start(name, *argv, *quiet, *files, env=environment)

    def up(self, address: str) -> None:
        self.host.ip("addr", "add", address, "dev", BRIDGE)
        self.host.ip("link", "set", "dev", BRIDGE, "up")

    def active(self) -> str:
        """The name of the bond's active member; empty when there is none."""
        match = ACTIVE.search(self._appctl("bond/show", BOND))
        return match[1] if match else ""

    def activate(self, port: str) -> None:
        """Make this port the active member, once it has carrier: the other end must be up, too."""
        enabled = f"member {port}: enabled"
        wait_for(lambda: enabled in self._appctl("bond/show", BOND), f"Open vSwitch: {enabled}")
        self._appctl("bond/set-active-member", BOND, port)

    def _appctl(self, *argv: str) -> str:
        return run("ovs-appctl", f"--target={self._control}", *argv)
