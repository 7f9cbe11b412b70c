"""A system bus of a test's own: Debian's dbus-daemon, its system policy, and ours."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.netns.teams import ENVIRONMENT, PATIENCE, Host, wait_for

POLICY: Final = Path(__file__).parents[2] / "dbus/org.libteam.teamd.conf"
OURS: Final = f"<include>{POLICY}</include>"
#: Everybody may everything.
LAX: Final = """<policy context="default"><allow own="*"/><allow send_destination="*"/></policy>"""
#: Where a system bus is when nobody says otherwise.
USUAL: Final = "/run/dbus/system_bus_socket"
#: What a system bus allows, short of services (dbus-daemon(1)).
CONFIG: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  {more}
</busconfig>
"""


@dataclass
class Bus:
    """``before`` are words ahead of the command, such as those that enter a namespace; ``root`` is where
    its files are seen from here.
    """

    directory: Path
    socket: str
    before: Sequence[str] = ()
    root: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def address(self) -> str:
        return f"unix:path={self.socket}"

    def start(self, policy: str = OURS) -> None:
        """Until it listens. The policy is what the configuration has beside the usual."""
        config = self.directory / "bus.conf"
        config.write_text(CONFIG.format(socket=self.socket, more=policy))
        with (self.directory / "bus.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=ENVIRONMENT,
            )
        wait_for(self._listens, "the bus to listen")

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.directory / "bus.log").read_text()
        with socket.socket(socket.AF_UNIX) as guest:
            return guest.connect_ex(self.root + self.socket) == 0

    def stop(self) -> None:
        """As its restart does: without a word to anybody."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None
            Path(self.root + self.socket).unlink(missing_ok=True)

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def bus() -> Iterator[Bus]:
    """A bus that everybody on this machine can reach, who knows its address."""
    with tempfile.TemporaryDirectory(prefix="pyteam-bus-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with running(Bus(directory, f"{name}/socket")) as made:
            yield made


@contextmanager
def bus_of(host: Host) -> Iterator[Bus]:
    """The system bus of a host, where everybody looks for it."""
    host.sh("mkdir -p /run/dbus")
    with running(Bus(host.directory, USUAL, host.within(), f"/proc/{host.holder}/root")) as made:
        yield made


@contextmanager
def running(made: Bus) -> Iterator[Bus]:
    try:
        made.start()
        yield made
    finally:
        made.stop()
