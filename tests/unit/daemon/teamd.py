"""teamd as a process, on the simulated datapath; what is to go wrong is the first word.

Needs no privileges: run it with ``--run-dir``. By its name it passes for a teamd.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from pyteam.cli.teamd import main
from pyteam.daemon import background, device
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World


class Datapath(SimulatedDatapath):
    """A simulated one that may fail."""

    failure = ""

    def destroy(self) -> None:
        if self.failure == "destroy":
            raise OSError(5, "cannot delete it")
        super().destroy()

    def set_option(self, key: Any, value: Any) -> None:
        if self.failure == "start":
            raise ZeroDivisionError("a defect")
        super().set_option(key, value)

    def handle_timeout(self, now: float) -> None:
        if self.failure == "loop":
            self.failure = ""
            raise ZeroDivisionError("a defect")
        super().handle_timeout(now)

    def next_timeout(self) -> float | None:
        return 0.0 if self.failure == "loop" else super().next_timeout()


def open_datapath(name: str, *_: object) -> tuple[SimulatedDatapath, bool]:
    match sys.argv[1]:
        case "die":
            os._exit(3)
        case "refuse":
            raise OSError(28, "No space left on device")
        case "hang":
            time.sleep(60)
        case "dawdle":
            # As long as somebody waits in the foreground.
            while os.path.exists(os.environ["FOREGROUND"]):
                time.sleep(0.01)
    world = World()
    world.plug("eth0")
    Datapath.failure = sys.argv[1]
    return Datapath.create(world, name), False


if __name__ == "__main__":
    device.open_datapath = open_datapath  # type: ignore[assignment]
    device.free_name = lambda: "team0"
    background.PATIENCE = 0.5 if sys.argv[1] == "hang" else 20.0  # type: ignore[misc]
    sys.exit(main(["teamd", *sys.argv[2:]]))
