"""The kernel's bonding driver, mode 802.3ad."""

from __future__ import annotations

import re
from typing import Final

from tests.interop.partner import TOO_SLOW, Partner, Wishes
from tests.netns.anonymous import inside

_SENDS: Final = 0x20  # Distributing, of an actor's state
_USED: Final = re.compile(r"Active Aggregator Info:\n\tAggregator ID: (\d+)")
_PORT: Final = re.compile(
    r"Slave Interface: (\S+)\nMII Status: up\n.*?^Aggregator ID: (\d+)\n"
    r".*?details actor lacp pdu:.*?port state: (\d+)",
    re.DOTALL | re.MULTILINE,
)


class Bonding(Partner):
    title = "bonding"
    cannot = TOO_SLOW

    def start(self, wishes: Wishes) -> None:
        options = (
            f"mode 802.3ad miimon 100 xmit_hash_policy layer3+4 "
            f"lacp_rate {'fast' if wishes.fast else 'slow'} lacp_active {'on' if wishes.active else 'off'} "
            f"ad_actor_system {wishes.mac}"
        )
        lines = [f"ip link add {self.device} type bond {options}"]
        for cable in self.cables:
            lines += [f"ip link set {cable} down", f"ip link set {cable} master {self.device}"]
        self.end.sh("\n".join(lines))
        self.end.up(self.device)

    def stop(self) -> None:
        self.end.sh(f"ip link delete {self.device}")

    def in_use(self) -> set[str]:
        try:
            with inside(self.end.netns), open(f"/proc/thread-self/net/bonding/{self.device}") as file:
                said = file.read()
        except FileNotFoundError:
            return set()
        used = _USED.search(said)
        return {
            port
            for part in said.split("\n\n")
            for port, aggregator, state in _PORT.findall(part)
            if used and aggregator == used[1] and int(state) & _SENDS
        }
