"""What became of numbered packets: lost, doubled, out of order, and for how long none came through.

Pure. A sender's `Sent` and a receiver's `Arrived`, both in ns of CLOCK_MONOTONIC, are accounted to
`Window`s of time. A packet belongs to the window in which it was *sent*, so that windows that touch
account for every packet exactly once.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Self


def _empty() -> array[int]:
    return array("q")


@dataclass
class Arrays:
    """A dataclass of 64-bit arrays that can be kept in a file: one line of JSON, then the arrays."""

    def save(self, path: Path) -> None:
        arrays: dict[str, array[int]] = vars(self)
        with path.open("wb") as file:
            file.write(json.dumps({name: len(values) for name, values in arrays.items()}).encode() + b"\n")
            for values in arrays.values():
                values.tofile(file)

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays: dict[str, array[int]] = {}
        with path.open("rb") as file:
            for name, length in json.loads(file.readline()).items():
                arrays[name] = _empty()
                arrays[name].fromfile(file, length)
        return cls(**arrays)


@dataclass
class Sent(Arrays):
    """What a sender did: burst ``i`` began at ``at[i]`` with packet number ``first[i]``.

    One more entry at the end holds the time of the end and the number of packets in all.
    """

    at: array[int] = field(default_factory=_empty)
    first: array[int] = field(default_factory=_empty)

    @property
    def packets(self) -> int:
        return self.first[-1] if self.first else 0

    @property
    def rate(self) -> float:
        """Packets a second over the whole time."""
        took = self.at[-1] - self.at[0] if self.at else 0
        return self.packets * 1e9 / took if took else 0.0

    def number_at(self, moment: int) -> int:
        """The number of the first packet sent at ``moment`` or later."""
        burst = bisect_left(self.at, moment)
        return self.first[burst] if burst < len(self.first) else self.packets

    def moment_of(self, number: int) -> int:
        """When the burst of this packet began."""
        return self.at[bisect_right(self.first, number) - 1]


@dataclass
class Arrived(Arrays):
    """What a receiver saw: packet ``n`` first came at ``at[n]``; 0 is never."""

    at: array[int] = field(default_factory=_empty)
    #: Numbers that came once more, and numbers that came after a higher one.
    again: array[int] = field(default_factory=_empty)
    late: array[int] = field(default_factory=_empty)
    #: One value: packets that the receiver itself was too slow to fetch. Not the network's fault.
    missed: array[int] = field(default_factory=_empty)

    def add(self, numbers: Sequence[int], times: Sequence[int]) -> None:
        """Enter packets in their order of arrival."""
        count = len(numbers)
        if not count:
            return
        if numbers[0] >= len(self.at) and list(numbers) == list(range(numbers[0], numbers[0] + count)):
            self.at.frombytes(bytes(8 * (numbers[0] - len(self.at))))
            self.at.extend(times)
            return
        for number, time in zip(numbers, times, strict=True):
            missing = number - len(self.at)
            if missing >= 0:
                self.at.frombytes(bytes(8 * missing))
                self.at.append(time)
            elif self.at[number]:
                self.again.append(number)
            else:
                self.at[number] = time
                self.late.append(number)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time around one event: from ``start`` up to, and without, ``end`` (ns)."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What one flow suffered in one window."""

    name: str
    sent: int
    lost: int
    #: The longest time (ns) that packets were on their way and none arrived.
    dark: int
    duplicated: int
    reordered: int


def windows(marks: Sequence[tuple[str, int]], end: int) -> list[Window]:
    """Windows that touch: each event's lasts until the next event."""
    ends = [moment for _, moment in marks[1:]] + [end]
    return [Window(name, start, stop) for (name, start), stop in zip(marks, ends, strict=True)]


def tally(sent: Sent, arrived: Arrived, window: Window) -> Tally:
    """The account of one window."""
    first, end = sent.number_at(window.start), sent.number_at(window.end)
    came = arrived.at[first:end]
    count = end - first
    received = len(came) - came.count(0)
    return Tally(
        window.name,
        sent=count,
        lost=count - received,
        dark=_dark(sent, arrived, first, end),
        duplicated=sum(first <= number < end for number in arrived.again),
        reordered=sum(first <= number < end for number in arrived.late),
    )


def _dark(sent: Sent, arrived: Arrived, first: int, end: int) -> int:
    """The longest wait for an arrival, counted from the oldest packet then unanswered.

    Counting from the last arrival instead would blame the network when the sender itself paused. A
    wait that outlasts the window lasts until the first arrival behind it.
    """
    longest = 0
    # The number of the oldest packet sent since the last arrival, and that arrival.
    waiting, last = first, 0
    for number, moment in enumerate(arrived.at[first:end], first):
        if not moment:
            continue
        if moment - last > longest:
            longest = max(longest, moment - max(last, sent.moment_of(waiting)))
        waiting, last = number + 1, max(last, moment)
    if waiting < end:
        behind = next((moment for moment in islice(arrived.at, end, None) if moment), sent.at[-1])
        longest = max(longest, behind - sent.moment_of(waiting))
    return longest
