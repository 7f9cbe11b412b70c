"""Open vSwitch: a bond of a switch in user space, with daemons and a run directory of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.openvswitch import SCHEMA
from tests.interop.end import End
from tests.interop.partner import Partner, Wishes
from tests.lab.sidebyside import wait_for
from tests.netns.anonymous import inside

_BOND: Final = "bond0"
#: It claims to distribute before it does; and a member's carrier is the bond's business, not LACP's.
_AGREED: Final = re.compile(r"^member: (\S+): (?:.*\n)*?\s+may_enable: true", re.MULTILINE)
_ENABLED: Final = re.compile(r"^member (\S+): enabled$", re.MULTILINE)


class OpenVswitch(Partner):
    title = "Open vSwitch"

    def __init__(self, end: End, directory: Path, cables: Sequence[str], device: str = "agg0") -> None:
        super().__init__(end, directory, cables, device)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._directory = directory / device
        self._control = self._directory / "vswitchd.ctl"

    def start(self, wishes: Wishes) -> None:
        self._directory.mkdir(exist_ok=True)
        database, server = self._directory / "conf.db", self._directory / "db.sock"
        if not database.exists():
            self._run("ovsdb-tool", "create", str(database), str(SCHEMA))
        self._daemon("ovsdb-server", str(database), f"--remote=punix:{server}")
        wait_for(server.exists, lambda: "ovsdb-server")
        self._daemon("ovs-vswitchd", f"unix:{server}")
        wait_for(self._control.exists, lambda: "ovs-vswitchd")
        # The namespace hears what its switch hears, and would answer with the MAC of a member.
        self.end.sh("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
        for cable in self.cables:
            self.end.set_up(cable, True)
        settings = {
            "lacp": "active" if wishes.active else "passive",
            "other_config:lacp-time": "fast" if wishes.fast else "slow",
            "other_config:lacp-system-id": f'"{wishes.mac}"',
        }
        port = ["add-bond", self.device, _BOND, *self.cables, "bond_mode=balance-tcp"]
        if len(self.cables) == 1:
            port = ["add-port", self.device, *self.cables]
        self._run(
            *("ovs-vsctl", f"--db=unix:{server}", "--timeout=10", "--may-exist", "add-br", self.device),
            *("--", "set", "bridge", self.device, "datapath_type=netdev"),
            # Else it takes a member's.
            f'other_config:hwaddr="{wishes.mac}"',
            *("--", "--may-exist", *port),
            *("--", "set", "port", port[2], *(f"{key}={value}" for key, value in settings.items())),
        )
        self.end.up(self.device)

    def _daemon(self, name: str, *words: str) -> None:
        stem = self._directory / name
        quiet = ("-vconsole:off", "-vsyslog:off", "-vfile:warn", f"--log-file={stem}.log")
        control = self._directory / f"{name.removeprefix('ovs-')}.ctl"
        files = (f"--pidfile={stem}.pid", f"--unixctl={control}")
        with inside(self.end.netns):
            process = subprocess.Popen(
                [name, *words, *quiet, *files],
                env={
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "OVS_RUNDIR": str(self._directory),
                    "OVS_DBDIR": str(self._directory),
                },
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._processes.append(process)

    def _run(self, *words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        while self._processes:
            process = self._processes.pop()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                # Or the others would stay, too.
                process.kill()
                process.wait()

    def close(self) -> None:
        self.stop()

    def in_use(self) -> set[str]:
        if not self._processes:
            return set()
        agreed = {found for part in self._ask("lacp/show").split("\n\n") for found in _AGREED.findall(part)}
        if len(self.cables) == 1:
            return agreed
        return agreed & set(_ENABLED.findall(self._ask("bond/show")))

    def _ask(self, what: str) -> str:
        return self._run("ovs-appctl", f"--target={self._control}", what)
