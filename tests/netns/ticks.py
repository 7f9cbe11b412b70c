"""The kernel's clock tick, up to which the programs believe some of what they have looked at."""

from __future__ import annotations

import time
from typing import Final

_MONOTONIC_COARSE: Final = 6  # CLOCK_MONOTONIC_COARSE, uapi linux/time.h


def next_tick() -> None:
    """Wait until the tick that is now has passed: 1 to 10 ms."""
    now = time.clock_gettime_ns(_MONOTONIC_COARSE)
    # This clock moves with the tick, and after it.
    while time.clock_gettime_ns(_MONOTONIC_COARSE) == now:
        time.sleep(0.0002)
