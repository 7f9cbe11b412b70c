"""What happens to one team device, its options, its ports, and the interfaces around it.

Owns the two subscriptions that this takes. Must not know an event loop (`aio` does) nor print.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from pyteam.netlink.linktable import Change as LinkChange
from pyteam.netlink.monitor import LinkMonitor
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import Change as TeamChange
from pyteam.netlink.team import TeamFamily, TeamMonitor

Change = LinkChange | TeamChange


class Watch:
    """Subscribed from the moment it is made, in the network namespace of its `Team`.

    Each thing that changed is told once a call, as it is now: `OptionState` and `PortState` of the
    device (``removed``: there no longer), `LinkInfo` and `LinkGone` of any interface of the
    namespace. When the kernel had to drop messages, all is read anew and the difference told.
    """

    def __init__(self, rtnl: Rtnl, family: TeamFamily, ifindex: int) -> None:
        with ExitStack() as opened:
            self._team = opened.enter_context(closing(TeamMonitor(family, ifindex)))
            self._links = opened.enter_context(LinkMonitor(rtnl))
            self._files = opened.enter_context(closing(select.epoll()))
            for monitor in (self._links, self._team):
                self._files.register(monitor.fileno(), select.EPOLLIN)
            self._team.snapshot()
            self._links.snapshot()
            self._opened = opened.pop_all()

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Readable when `receive` has something; for select, epoll, asyncio's ``add_reader``."""
        return self._files.fileno()

    def receive(self) -> list[Change]:
        """What happened since the last call, without blocking; links first."""
        return [*self._links.receive(), *self._team.receive()]

    def wait(self, timeout: float | None = None) -> list[Change]:
        """The same, but waits until there is something; empty after ``timeout`` seconds without."""
        self._files.poll(timeout)
        return self.receive()

    def __iter__(self) -> Iterator[Change]:
        """Every change, for ever."""
        while True:
            yield from self.wait()
