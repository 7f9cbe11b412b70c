"""Watch ``ethtool``: the link is what the carrier is, once it lasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pyteam.config import EthtoolWatch
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.snapshot import Setting


class Ethtool(LinkWatch):
    """A change counts after ``delay_up`` or ``delay_down``; one that goes back before never happened."""

    name: ClassVar[str] = "ethtool"
    config: EthtoolWatch
    _deadline: float | None = None

    @property
    def deadline(self) -> float | None:
        return self._deadline

    def see(self, now: float, usable: bool) -> bool:
        delay = self.config.delay_up if usable else self.config.delay_down
        if usable == self.up or not delay:
            return self.judge(usable)
        if self._deadline is None:
            self._deadline = now + delay / 1000
        return False

    def expire(self, now: float, usable: bool) -> bool:
        return self.judge(usable)

    def settle(self, now: float, usable: bool) -> bool:
        return self.judge(usable)

    def judge(self, up: bool) -> bool:
        self._deadline = None
        return super().judge(up)

    def settings(self) -> Mapping[str, Setting]:
        return {"delay_up": self.config.delay_up, "delay_down": self.config.delay_down}
