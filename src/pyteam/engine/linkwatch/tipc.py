"""Watch ``tipc``: the link is up while TIPC, the cluster protocol of the kernel, has a link over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from pyteam.config import TipcWatch
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.snapshot import Setting

#: Seconds in which the kernel has told of every link that there is.
_SETTLED: Final = 1.0


class Tipc(LinkWatch):
    """One link to any neighbour is enough. Links are told by their names: ``own:bearer-peer:bearer``."""

    name: ClassVar[str] = "tipc"
    probes: ClassVar[bool] = True
    config: TipcWatch
    _deadline: float | None = None

    def __init__(self, config: TipcWatch, up: bool = False) -> None:
        super().__init__(config, up)
        self._links: set[str] = set()

    @property
    def deadline(self) -> float | None:
        return self._deadline

    def see(self, now: float, usable: bool) -> bool:
        # A daemon that took over may have found it up; only links that are up are told of.
        if self._deadline is None and self.up and not self._links:
            self._deadline = now + _SETTLED
        return False

    def expire(self, now: float, usable: bool) -> bool:
        self._deadline = None
        return self.judge(bool(self._links))

    def learn(self, link: str, up: bool) -> bool:
        """A link of this node came up or went down. True when ``self.up`` changed."""
        _, _, behind = link.partition(":")
        if not behind.startswith(f"{self.config.tipc_bearer}-"):
            return False
        (self._links.add if up else self._links.discard)(link)
        self._deadline = None
        return self.judge(bool(self._links))

    def settings(self) -> Mapping[str, Setting]:
        return {"tipc_bearer": self.config.tipc_bearer}
