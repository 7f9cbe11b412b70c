"""When which port wants to be looked at next. What that costs does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from math import inf

from pyteam.engine.lacp.port import LacpPort


class Agenda:
    """A heap with at least one entry for each port that has a timer, at or before it.

    A timer that is put off leaves its entry where it is: it is found out when its time comes.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, LacpPort]] = []
        self._order = count()

    def note(self, port: LacpPort) -> None:
        """The port's timers may have changed."""
        when = port.next_timer()
        if when < port.alarm:
            port.alarm = when
            heappush(self._heap, (when, next(self._order), port))

    def deadline(self) -> float:
        """The first timer of all; ``inf``: none runs."""
        heap = self._heap
        while heap:
            when, _, port = heap[0]
            if when == port.alarm:
                first = port.next_timer()
                if first <= when:
                    return when
                heappop(heap)
                port.alarm = inf
                self.note(port)
            else:
                heappop(heap)
        return inf

    def due(self, now: float) -> Iterator[LacpPort]:
        """Ports with a timer that has expired; each has to be noted again."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, port = heappop(heap)
            if when == port.alarm:
                port.alarm = inf
                if port.next_timer() <= now:
                    yield port
                else:
                    self.note(port)

    @staticmethod
    def forget(port: LacpPort) -> None:
        """The port is gone."""
        port.alarm = inf
