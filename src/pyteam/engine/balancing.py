"""``tx_balancer`` ``basic``: moves entries of the table so that every port sends its share.

Owns what is known of the load of entries, and which of them should move. Knows ports by index and
weight, and time as it is told; neither the datapath nor how the table began (`hashtable`).

An entry is a bundle of flows, and a move may put their packets out of order, so it must be worth it:

* A port gives something away only when it sends considerably more than its share, and more than what
  the last forecast was wrong by: of a load that is never the same, nobody knows where it should be.
* A move must help by what the last interval says as well as by the average of the last few.
* The entry is taken whose move helps most: few and heavy ones. Where none helps, as with one that is more
  than a port's share all by itself, none moves.
* Who has moved rests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pyteam.engine.hashtable import ENTRIES

#: Weight of the last interval in the average; the first few count alike.
_FRESH: Final = 0.3
#: Load above a port's share, as a part of that share: where it begins to give, and where it stops.
_TOO_MUCH: Final = 0.05
_ENOUGH: Final = 0.02
#: What a move must help at least, in the same measure.
_WORTH: Final = 0.003
#: While no port has more than this, two entries may move in an interval.
_URGENT: Final = 0.1
_CALM_MOVES: Final = 2
#: Intervals for which an entry that moved stays where it is.
_REST: Final = 10
#: Seconds, at most: what belongs to one interval is told within.
_TELLING: Final = 0.1


class Balancer:
    """Counters go in (`see`), moves come out (`rebalance`, when it is due)."""

    def __init__(self, interval: float) -> None:
        """``interval``: seconds between two tellings of the counters, above 0."""
        self._interval = interval
        #: Bytes an interval, by entry: on average, and in the last one.
        self._average = [0.0] * ENTRIES
        self._last = [0.0] * ENTRIES
        #: When `rebalance` is due.
        self.deadline: float | None = None
        #: Bytes that each entry has sent, as they were last told.
        self.told = [0] * ENTRIES
        self._counted = [0] * ENTRIES
        self._measured: float | None = None
        self._intervals = 0
        self._unsteadiness = 0.0
        self._resting = [0] * ENTRIES

    def begin(self, counted: Sequence[int]) -> None:
        """What the device that is taken over has counted so far, in bytes by entry."""
        self.told = list(counted)
        self._counted = list(counted)

    def start(self, now: float) -> None:
        """The device begins to tell its counters now; what it tells at once is not of an interval."""
        if not self._intervals:
            self._measured = now

    def see(self, now: float, entry: int, count: int) -> None:
        """An entry has sent so many bytes since the device exists."""
        self.told[entry] = count
        if self.deadline is None:
            self.deadline = now + min(_TELLING, self._interval / 5)

    def place(self, owners: Sequence[int], weights: Mapping[int, int]) -> list[int]:
        """The table with a port for each entry that has load and lost its own, the heaviest first."""
        result = list(owners)
        if not weights:
            return result
        view = _View(self._average, owners, weights)
        orphans = [entry for entry in range(ENTRIES) if owners[entry] not in weights and self._average[entry]]
        for entry in sorted(orphans, key=lambda entry: -self._average[entry]):
            result[entry] = min(sorted(weights), key=view.burdens.__getitem__)
            view.add(entry, result[entry])
        return result

    def rebalance(self, now: float, owners: Sequence[int], weights: Mapping[int, int]) -> dict[int, int]:
        """Measure the interval that has passed; the entries to move, each with its new port."""
        self.deadline = None
        before = self._average
        if not self._measure(now) or not weights or not any(self._last):
            return {}
        forecast, average, last = (
            _View(loads, owners, weights) for loads in (before, self._average, self._last)
        )
        if forecast.share:
            errors = (
                abs(forecast.burdens[port] / forecast.share - last.burdens[port] / last.share)
                for port in weights
            )
            self._unsteadiness += _FRESH * (sum(errors) / len(weights) - self._unsteadiness)
        moves = dict(self._moves(list(owners), (average, last)))
        for entry in moves:
            self._resting[entry] = _REST
        return moves

    def _measure(self, now: float) -> bool:
        """Take what was told since the last time for the load of an interval. False: it is none."""
        passed = 1 if self._measured is None else round((now - self._measured) / self._interval)
        if not passed:
            # Late news of the interval before, which go with the next one; or the very first.
            self._counted = self._counted if self._intervals else list(self.told)
            return False
        self._measured = now
        self._intervals += passed
        # A counter that went back has begun anew.
        self._last = [
            float(told - counted if told >= counted else told)
            for told, counted in zip(self.told, self._counted, strict=True)
        ]
        self._counted = list(self.told)
        # Without traffic nothing is told: those intervals were empty.
        fresh = max(_FRESH, 1 / self._intervals)
        stale = (1 - fresh) * (1 - _FRESH) ** (passed - 1)
        self._average = [
            stale * old + fresh * new for old, new in zip(self._average, self._last, strict=True)
        ]
        self._resting = [max(0, rest - passed) for rest in self._resting]
        return True

    def _moves(self, owners: list[int], views: Sequence[_View]) -> Iterator[tuple[int, int]]:
        """One after the other, each counted as done when the next is looked for."""
        limits = dict.fromkeys(views[0].burdens, max(_TOO_MUCH, self._unsteadiness))
        calm = all(views[0].excess(port, limits) < _URGENT for port in limits)
        left = _CALM_MOVES if calm else ENTRIES
        while left:
            givers = {
                port
                for port, limit in limits.items()
                if all(view.excess(port, limits) > limit for view in views)
            }
            candidates = (
                (min(view.help(entry, owner, port) for view in views), -entry, -port)
                for entry, owner in enumerate(owners)
                if owner in givers and not self._resting[entry] and self._average[entry]
                for port in limits
            )
            worth, entry, port = max(candidates, default=(0.0, 0, 0))
            if worth < _WORTH:
                if not givers:
                    return
                # Nothing of theirs can move with profit: the others share what is left.
                for giver in givers:
                    del limits[giver]
                continue
            entry, port, left = -entry, -port, left - 1
            limits[owners[entry]] = _ENOUGH
            for view in views:
                view.remove(entry, owners[entry])
                view.add(entry, port)
            owners[entry] = port
            yield entry, port


class _View:
    """What each port would send, by one opinion of what each entry sends."""

    def __init__(self, loads: Sequence[float], owners: Sequence[int], weights: Mapping[int, int]) -> None:
        self._loads = loads
        self._weights = weights
        #: Load of each port by its weight.
        self.burdens = dict.fromkeys(sorted(weights), 0.0)
        #: What that would be if all were equal.
        self.share = sum(loads) / sum(weights.values())
        for entry, owner in enumerate(owners):
            if owner in self.burdens:
                self.add(entry, owner)

    def add(self, entry: int, port: int) -> None:
        self.burdens[port] += self._loads[entry] / self._weights[port]

    def remove(self, entry: int, port: int) -> None:
        self.burdens[port] -= self._loads[entry] / self._weights[port]

    def excess(self, port: int, among: Iterable[int]) -> float:
        """What it has above the mean of these, as a part of the share."""
        weight = sum(self._weights[other] for other in among)
        mean = sum(self.burdens[other] * self._weights[other] for other in among) / weight
        return (self.burdens[port] - mean) / self.share

    def help(self, entry: int, owner: int, port: int) -> float:
        """How much nearer the two ports come to each other by a move, as a part of the share."""
        difference = self.burdens[owner] - self.burdens[port]
        if difference <= 0:
            return 0.0
        shift = self._loads[entry] * (1 / self._weights[owner] + 1 / self._weights[port])
        return (difference - abs(difference - shift)) / self.share
