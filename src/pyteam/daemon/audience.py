"""Who is told of changes: each listener, soon after a batch of events that changed something.

Without listeners it costs nothing: no snapshot is taken. With them it may take no more than a part
of the daemon's time, however many ports there are; what comes and goes meanwhile is not told. Must
not know who listens, or why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from pyteam.control.core import Listener
from pyteam.engine.snapshot import TeamSnapshot

log = logging.getLogger(__name__)

#: So many times as long as telling took, nothing is told. A snapshot of 512 ports with LACP alone is 10 ms.
LEISURE: Final = 10.0


class Timer(Protocol):
    """Something that a loop is to do later."""

    def cancel(self) -> None: ...


class Audience:
    """``look`` takes a snapshot of the team."""

    def __init__(self, look: Callable[[], TeamSnapshot]) -> None:
        self._look = look
        self._listeners: list[Listener] = []
        self._last: TeamSnapshot | None = None
        self._next: Timer | None = None
        self._pause = 0.0

    def join(self, listener: Listener) -> Callable[[], None]:
        """Have the listener called from now on; the answer ends that, also when called twice."""
        if not self._listeners:
            self._last = self._look()
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def stir(self, call_later: Callable[[float, Callable[[], object]], Timer]) -> None:
        """Something may have changed: tell when what is more urgent has been done."""
        if self._listeners and self._next is None:
            self._next = call_later(self._pause, self._tell)

    def stop(self) -> None:
        """Tell nothing any more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _tell(self) -> None:
        """A listener that fails harms nobody."""
        self._next = None
        started = time.perf_counter()
        before, after = self._last, self._look()
        if before is not None and before != after:
            self._last = after
            for listener in list(self._listeners):
                try:
                    listener(before, after)
                except Exception:
                    log.exception("Telling of a change failed")
        self._pause = LEISURE * (time.perf_counter() - started)
