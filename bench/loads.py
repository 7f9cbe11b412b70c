"""Loads to balance, from a seeded generator: what each entry of a table of 256 sends in each interval.

Rates and sizes of flows are heavy-tailed, as everywhere: most are small, and a few are most of the traffic.
Must not know who balances.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

ENTRIES: Final = 256
FLOWS: Final = 600
#: Exponent of the Pareto distribution: the variance is infinite, were it not for `_MOST`.
TAIL: Final = 1.2
_MOST: Final = 1000.0

Load = Callable[[random.Random], Iterator[list[float]]]


def _rate(dice: random.Random) -> float:
    return min(dice.paretovariate(TAIL), _MOST)


def _flows(dice: random.Random) -> list[tuple[int, float]]:
    """Entry and rate of each."""
    return [(dice.randrange(ENTRIES), _rate(dice)) for _ in range(FLOWS)]


def _interval(dice: random.Random, flows: list[tuple[int, float]], shaking: float = 0.1) -> list[float]:
    loads = [0.0] * ENTRIES
    for entry, rate in flows:
        loads[entry] += rate * dice.uniform(1 - shaking, 1 + shaking)
    return loads


def skewed(dice: random.Random) -> Iterator[list[float]]:
    """Flows that stay, each a tenth up or down from interval to interval."""
    flows = _flows(dice)
    while True:
        yield _interval(dice, flows)


def shaking(dice: random.Random) -> Iterator[list[float]]:
    """The same, each up or down by half of what it is."""
    flows = _flows(dice)
    while True:
        yield _interval(dice, flows, 0.5)


def bursty(dice: random.Random) -> Iterator[list[float]]:
    """The same, each silent half of the time: three intervals on average, and three not."""
    flows = _flows(dice)
    silent = [dice.random() < 1 / 2 for _ in flows]
    while True:
        silent = [now != (dice.random() < 1 / 3) for now in silent]
        yield _interval(dice, [flow for flow, now in zip(flows, silent, strict=True) if not now])


def shifting(dice: random.Random) -> Iterator[list[float]]:
    """Every 15 intervals all flows end, and others begin."""
    while True:
        flows = _flows(dice)
        for _ in range(15):
            yield _interval(dice, flows)


def coming_and_going(dice: random.Random) -> Iterator[list[float]]:
    """Some 200 new flows an interval, at one of three speeds, until each has sent what it has to send."""
    flows: list[tuple[int, float, float]] = []
    while True:
        for _ in range(round(dice.gauss(200, 14))):
            flows.append((dice.randrange(ENTRIES), _rate(dice) * 10, dice.choice([1.0, 3.0, 10.0])))
        loads = [0.0] * ENTRIES
        for entry, left, speed in flows:
            loads[entry] += min(left, speed)
        flows = [(entry, left - speed, speed) for entry, left, speed in flows if left > speed]
        yield loads


def elephant(dice: random.Random) -> Iterator[list[float]]:
    """One flow sends as much as all the others together."""
    entry = dice.randrange(ENTRIES)
    for loads in skewed(dice):
        loads[entry] += sum(loads)
        yield loads


LOADS: Final[tuple[Load, ...]] = (skewed, shaking, bursty, shifting, coming_and_going, elephant)
