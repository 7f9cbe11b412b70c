"""The original teamd, on the kernel's driver."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from typing import Any, Final

from pyteam.client import Client, ClientError
from tests.interop.partner import TOO_SLOW, Partner, Wishes
from tests.lab.sidebyside import Daemon, fork, original, wait_for
from tests.netns.anonymous import inside

_SENDS: Final = 0x20  # Distributing, of an actor's state


class Original(Partner):
    title = "teamd 1.31"
    cannot = TOO_SLOW
    _daemon: Daemon | None = None
    _count = 0

    def start(self, wishes: Wishes) -> None:
        config: dict[str, Any] = {
            "device": self.device,
            "hwaddr": wishes.mac,
            "runner": {
                "name": "lacp",
                "active": wishes.active,
                "fast_rate": wishes.fast,
                "tx_hash": ["l3", "l4"],
            },
            "ports": {cable: {} for cable in self.cables},
        }
        for cable in self.cables:
            self.end.set_up(cable, False)
        self._count += 1
        log_file = self.directory / f"{self.device}.log{self._count}"
        with inside(self.end.netns):
            daemon = self._daemon = fork(lambda: original(["-c", json.dumps(config)]), log_file)
        wait_for(lambda: daemon.over() or self._state(), lambda: f"the original; it says:\n{daemon.log}")
        assert not daemon.over(), daemon.log
        self.end.up(self.device)

    def stop(self) -> None:
        assert self._daemon is not None
        self._daemon.end()

    def close(self) -> None:
        if self._daemon is not None and not self._daemon.over():
            self._daemon.end(signal.SIGKILL)

    def in_use(self) -> set[str]:
        return {
            name
            for name, port in self._state().get("ports", {}).items()
            if port["runner"]["actor_lacpdu_info"]["state"] & _SENDS
        }

    def _state(self) -> dict[str, Any]:
        with suppress(ClientError), Client(self.device) as client:
            return dict(json.loads(client.state_dump()))
        return {}
