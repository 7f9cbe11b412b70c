"""What a link watch is: it judges the link of one port. A new one is one file and one table row.

A watch knows its own configuration and state, the time it is given and the raw link of its port;
no team, no runner, no other watch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from pyteam.engine.snapshot import Setting, WatchHistory, WatchSnapshot

#: Where the count of downs stops (``INT_MAX``).
DOWN_COUNT_MAX: Final = 2**31 - 1


class LinkWatch(ABC):
    """``up`` is the verdict; times are in seconds of the clock that `Team.handle` is given."""

    name: ClassVar[str]
    #: The table of its keys, a dataclass. Read where a third party's is found; for ours see `pyteam.config`.
    record: ClassVar[type]
    #: It judges more than the carrier, so the datapath must take its word (``user_linkup_enabled``).
    probes: ClassVar[bool] = False

    def __init__(self, config: Any, up: bool = False) -> None:
        self.config = config
        self.up = up
        self.down_count = 0

    @property
    @abstractmethod
    def deadline(self) -> float | None:
        """When `expire` wants to be called."""

    @abstractmethod
    def see(self, now: float, usable: bool) -> bool:
        """The raw link is this now. True when ``up`` changed."""

    @abstractmethod
    def expire(self, now: float, usable: bool) -> bool:
        """``deadline`` has passed; the raw link is this now. True when ``up`` changed."""

    def settle(self, now: float, usable: bool) -> bool:
        """The raw link as a new daemon finds it: no change, no delay. True when ``up`` changed."""
        return self.see(now, usable)

    def settings(self) -> Mapping[str, Setting]:
        """State items of its own."""
        return {}

    def judge(self, up: bool) -> bool:
        """Set the verdict at once. True when it changed."""
        if up == self.up:
            return False
        self.up = up
        if not up:
            self.down_count = min(self.down_count + 1, DOWN_COUNT_MAX)
        return True

    def restore(self, history: WatchHistory) -> None:
        self.up = history.up
        self.down_count = history.down_count

    def save(self) -> WatchHistory:
        return WatchHistory(self.name, self.up, self.down_count)

    def snapshot(self) -> WatchSnapshot:
        return WatchSnapshot(self.name, self.up, self.down_count, self.settings())
