"""One host: a network namespace with the ends of cables in it. Must not know who speaks LACP there."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside


@dataclass(frozen=True)
class End:
    """``address``: of its one aggregate."""

    netns: int
    address: str

    def sh(self, script: str) -> str:
        """What has to work; its output."""
        with inside(self.netns):
            done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{script}: {done.stderr}"
        return done.stdout

    def tries(self, command: str) -> bool:
        """Whether it works."""
        with inside(self.netns):
            return not subprocess.run(command.split(), capture_output=True, check=False).returncode

    def up(self, device: str) -> None:
        """The aggregate is made, and gets its address."""
        self.sh(f"ip addr replace {self.address}/24 dev {device}; ip link set {device} up")

    def set_up(self, name: str, up: bool) -> None:
        with inside(self.netns), Rtnl() as rtnl:
            rtnl.set_link(rtnl.link_by_name(name).ifindex, up=up)

    def carrier(self, name: str) -> bool:
        with inside(self.netns), Rtnl() as rtnl:
            return rtnl.link_by_name(name).carrier

    def received(self) -> dict[str, int]:
        """Packets that came in, by interface."""
        with inside(self.netns), open("/proc/thread-self/net/dev") as file:
            lines = [line.replace(":", " ").split() for line in file.readlines()[2:]]
        return {words[0]: int(words[2]) for words in lines}
