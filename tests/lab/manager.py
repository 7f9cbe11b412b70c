"""A real NetworkManager on a host of its own, with its bus, its profiles, and a teamd of the test's choice.

Owns how NetworkManager is started and asked; must not know what a team has to do.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.netns.buses import OURS, USUAL, Bus
from tests.netns.teams import ENVIRONMENT, PATIENCE, Host, program, wait_for

NETWORK_MANAGER: Final = "/usr/sbin/NetworkManager"
NMCLI: Final = "/usr/bin/nmcli"
#: Where NetworkManager of Debian finds it.
TEAMD: Final = "/usr/bin/teamd"
#: The original, whatever lies over it.
ORIGINAL: Final = "/run/original"
PROFILES: Final = "/run/profiles"
POLICY: Final = f"{OURS}<include>/usr/share/dbus-1/system.d/org.freedesktop.NetworkManager.conf</include>"
#: With /sys read-only it does not wait for udev, which no guest runs.
PREPARED: Final = f"""
mount -t sysfs -o ro none /sys
mount -t tmpfs none /var/lib/NetworkManager
mkdir -p /run/dbus {PROFILES}
touch {ORIGINAL}
mount --bind {TEAMD} {ORIGINAL}
"""
CONFIG: Final = f"""\
[main]
plugins=keyfile
no-auto-default=*
dns=none
auth-polkit=false
[keyfile]
path={PROFILES}
[logging]
level=INFO
domains=DEFAULT,TEAM:DEBUG
"""


@dataclass
class Manager:
    """``host`` is where it runs."""

    host: Host
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.host.directory / "manager.log").read_text()

    def start(self) -> None:
        """Until it answers."""
        config = self.host.directory / "manager.conf"
        config.write_text(CONFIG)
        with (self.host.directory / "manager.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.host.within(NETWORK_MANAGER, "--debug", f"--config={config}"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
            )
        self.until(lambda: self.host.run(NMCLI, "general").code == 0, "NetworkManager to answer")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """To its end; what it started may go on."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(number)
            process.wait(PATIENCE)

    def use(self, teamd: str) -> None:
        """``ours`` or the ``original``: the next that it starts."""
        found = ORIGINAL if teamd == "original" else program("teamd")[0]
        self.host.sh(f"mount --bind {found} {TEAMD}")

    def until(self, look: Callable[[], object], what: str) -> None:
        try:
            wait_for(look, what)
        except AssertionError as error:
            raise AssertionError(f"{error}; it says:\n{self.log}") from None

    def cli(self, *words: str) -> str:
        """nmcli, which has to succeed; what it says."""
        done = self.host.run(NMCLI, "-t", *words)
        assert done.code == 0, f"nmcli {' '.join(words)}: {done.err}\n{self.log}"
        return done.out

    def load(self, profiles: Mapping[str, str]) -> None:
        """Keyfiles, by name."""
        files = {f"{PROFILES}/{name}.nmconnection": text for name, text in profiles.items()}
        for path, text in files.items():
            inside = Path(f"/proc/{self.host.holder}/root{path}")
            inside.touch(0o600)
            inside.write_text(text)
        self.cli("connection", "load", *files)

    def devices(self, *names: str) -> dict[str, str]:
        """The state of each, as nmcli spells it."""
        found = dict(line.split(":") for line in self.cli("-f", "DEVICE,STATE", "device").splitlines())
        return {name: found.get(name, "") for name in names}

    def started(self) -> int:
        """The process id of the teamd that it started last."""
        return int(re.findall(r"started teamd \[pid (\d+)\]", self.log)[-1])

    def waited(self) -> float:
        """Seconds from the last start of a teamd to its name on the bus."""
        return self._when("teamd appeared on D-Bus") - self._when(r"Activation: \(team\) started teamd")

    def _when(self, text: str) -> float:
        """Of the last such line."""
        return float(re.findall(rf"\[(\d+\.\d+)\] device \(\w+\): {text}", self.log)[-1])

    def trusts(self) -> None:
        """Wait until a teamd that ends is started again: one that does within 5 s, by a
        clock of whole seconds, is given up."""
        age = time.time() - self._when(r"Activation: \(team\) started teamd")
        time.sleep(max(0.0, 6.5 - age))

    def teamd_answers(self) -> bool:
        """Whether the teamd that it started last does, and its name is on the bus."""
        said = self.log.rpartition("started teamd [pid ")[2]
        return "teamd appeared on D-Bus" in said


@contextmanager
def manager(host: Host) -> Iterator[Manager]:
    """Runs; what it starts ends with its host."""
    host.sh(PREPARED)
    bus = Bus(host.directory, USUAL, host.within(), f"/proc/{host.holder}/root")
    made = Manager(host)
    try:
        bus.start(POLICY)
        made.start()
        yield made
    finally:
        with suppress(ProcessLookupError):
            made.stop(signal.SIGKILL)
        bus.stop()


def team(config: Mapping[str, Any], more: str = "") -> str:
    """The profile of a team with an address."""
    return f"""\
[connection]
id=team0
uuid=aaaaaaaa-0000-4000-8000-000000000000
type=team
interface-name=team0
autoconnect-slaves=1
[team]
config={json.dumps(config)}
[ipv4]
method=manual
address1=192.0.2.1/24
[ipv6]
method=disabled
{more}
"""


def port(name: str, config: Mapping[str, Any] | None = None) -> str:
    """The profile of a port of it; ``name`` ends with a digit."""
    return f"""\
[connection]
id={name}
uuid=aaaaaaaa-0000-4000-8000-00000000001{name[-1]}
type=ethernet
interface-name={name}
master=team0
slave-type=team
autoconnect=false
[ethernet]
[team-port]
{"" if config is None else f"config={json.dumps(config)}"}
"""
