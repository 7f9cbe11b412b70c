"""Who is told of changes: each listener, once after every batch of events that changed something.

Without listeners it costs nothing: no snapshot is taken. Must not know who listens, or why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from pyteam.control.core import Listener
from pyteam.engine.snapshot import TeamSnapshot

log = logging.getLogger(__name__)


class Audience:
    """``look`` takes a snapshot of the team."""

    def __init__(self, look: Callable[[], TeamSnapshot]) -> None:
        self._look = look
        self._listeners: list[Listener] = []
        self._last: TeamSnapshot | None = None

    def join(self, listener: Listener) -> Callable[[], None]:
        """Have the listener called from now on; the answer ends that, also when called twice."""
        if not self._listeners:
            self._last = self._look()
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def tell(self) -> None:
        """Something may have changed. A listener that fails harms nobody."""
        if not self._listeners:
            return
        before, after = self._last, self._look()
        if before is None or before == after:
            return
        self._last = after
        for listener in list(self._listeners):
            try:
                listener(before, after)
            except Exception:
                log.exception("Telling of a change failed")
