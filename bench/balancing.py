"""How well the TX balancer balances, in virtual time:

    python -m bench.balancing

Each row is one kind of load on three ports, from many seeds. The engine's part is played, its table and its
balancer, fed with what each entry of the table would have sent. What no table could do better is there to
compare: an entry cannot be divided.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bench.loads import ENTRIES, LOADS, Load
from pyteam.config import TxBalancer
from pyteam.engine.hashtable import KEYS
from pyteam.engine.spread import Spread
from pyteam.options import OptionKey

SEEDS: Final = 30
INTERVALS: Final = 60
#: Intervals that it has to learn.
LEARNING: Final = 3
#: Intervals within which an entry that goes back where it was has moved in vain.
_SOON: Final = 10
_SECONDS: Final = 5.0
_SCALE: Final = 1000
_SETS: Final[tuple[Mapping[int, int], ...]] = ({1: 1, 2: 1, 3: 1}, {1: 1, 2: 2, 3: 4})


@dataclass(frozen=True, slots=True)
class Interval:
    """``worst``: load of the most loaded port, by its share. ``possible``: what it could have been."""

    worst: float
    possible: float
    moves: int
    #: Of the moves: those that undo another one of a short while ago.
    in_vain: int


def play(load: Load, seed: int, weights: Mapping[int, int], *, balance: bool = True) -> list[Interval]:
    """One run; each interval is measured as it was before the balancer moved anything because of it."""
    spread = Spread(("eth",), TxBalancer("basic" if balance else None, round(_SECONDS * 10)))
    spread.use(weights)
    keys = [OptionKey("lb_hash_stats", array_index=entry) for entry in range(ENTRIES)]
    counters = [0] * ENTRIES
    was: dict[int, tuple[int, int]] = {}
    played = []
    for number, loads in enumerate(islice(load(random.Random(seed)), INTERVALS)):
        owners = table(spread)
        now = (number + 1) * _SECONDS
        for entry, sent in enumerate(loads):
            counters[entry] += round(sent * _SCALE)
            spread.see(now, keys[entry], counters[entry].to_bytes(8, sys.byteorder))
        spread.expire(now + _SECONDS / 2)
        moved = [entry for entry, port in enumerate(table(spread)) if port != owners[entry]]
        in_vain = 0
        for entry in moved:
            port, when = was.get(entry, (0, 0))
            in_vain += port == table(spread)[entry] and number - when <= _SOON
            was[entry] = owners[entry], number
        burdens = dict.fromkeys(weights, 0.0)
        for owner, sent in zip(owners, loads, strict=True):
            burdens[owner] += sent
        played.append(Interval(worst(burdens, weights), best(loads, weights), len(moved), in_vain))
    return played


def table(spread: Spread) -> list[int]:
    options = spread.options()
    return [int(options[key]) for key in KEYS]


def worst(burdens: Mapping[int, float], weights: Mapping[int, int]) -> float:
    share = sum(burdens.values()) / sum(weights.values())
    return max(burden / weights[port] for port, burden in burdens.items()) / share


def best(loads: Sequence[float], weights: Mapping[int, int]) -> float:
    """With a table made for these loads: the heaviest entries first, each to the port with most room."""
    burdens = dict.fromkeys(weights, 0.0)
    for sent in sorted(loads, reverse=True):
        port = min(burdens, key=lambda port: (burdens[port] + sent) / weights[port])
        burdens[port] += sent
    return worst(burdens, weights)


def quantile(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[round(part * (len(ordered) - 1))]


def row(load: Load, weights: Mapping[int, int]) -> str:
    runs = [play(load, seed, weights) for seed in range(SEEDS)]
    late = [interval for run in runs for interval in run[LEARNING:]]
    without = [interval for seed in range(SEEDS) for interval in play(load, seed, weights, balance=False)]
    first = sum(interval.moves for run in runs for interval in run[:LEARNING]) / SEEDS
    cells = [
        load.__name__.replace("_", " "),
        ":".join(map(str, weights.values())),
        *(f"{quantile((i.worst for i in without), part):.2f}" for part in (0.5, 0.95)),
        *(f"{quantile((i.possible for i in late), part):.2f}" for part in (0.5, 0.95)),
        *(f"{quantile((i.worst for i in late), part):.2f}" for part in (0.5, 0.95)),
        f"{max(run[LEARNING].worst for run in runs):.2f}",
        f"{first:.1f}",
        f"{sum(i.moves for i in late) / len(late):.2f}",
        f"{max(i.moves for i in late)}",
        f"{sum(i.in_vain for i in late)}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print(
        "| load | weights | no balancer: median | 95 % | possible: median | 95 % | reached: median | 95 % "
        f"| worst after {LEARNING} | moves in the first {LEARNING} | later, an interval | most | in vain |"
    )
    print("|---" * 13 + "|")
    for weights in _SETS:
        for load in LOADS:
            print(row(load, weights), flush=True)


if __name__ == "__main__":
    main()
