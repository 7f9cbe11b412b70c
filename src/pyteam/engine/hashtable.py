"""The table that says by which port a packet leaves: 256 entries, found by the hash of the packet.

Owns who gets which entry, by number alone: shares by weight, and as few entries as possible change
hands. Must not know traffic (`balancing`), nor why a port is in use. Nothing here depends on the order
in which ports are told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Final

from pyteam.options import OptionKey

#: Entries of the table: the kernel folds a hash to eight bits.
ENTRIES: Final = 256
MAPPING: Final = "lb_tx_hash_to_port_mapping"
#: The option that each entry is.
KEYS: Final = tuple(OptionKey(MAPPING, array_index=entry) for entry in range(ENTRIES))
_BITS: Final = range(ENTRIES.bit_length() - 1)

#: By port: the entries that it had when it was last lost. They are its own when it returns.
Left = Mapping[int, frozenset[int]]


def _place(entry: int) -> int:
    """Where the entry lies on a line of 256 places, which ports share as runs.

    Real hashes do not fill the table evenly: clients with neighbouring addresses, or every second source
    port (as Linux chooses them), differ in a few adjacent bits only, and exclusive or keeps it so.
    Therefore the first digits of a place are parities of bits, after Pascal's triangle modulo 2: any
    2^k entries that differ in k adjacent bits fall into 2^k different parts of the line, one into each.
    """
    digits = (sum(entry >> bit & 1 for bit in _BITS if bit & row == row) & 1 for row in _BITS)
    return sum(digit << row for row, digit in zip(reversed(_BITS), digits, strict=True))


_PLACES: Final = tuple(map(_place, range(ENTRIES)))
#: All entries in the order of their places.
LINE: Final = tuple(sorted(range(ENTRIES), key=_PLACES.__getitem__))
#: Sets of entries as numbers: a bit each, along the line.
_BIT: Final = tuple(1 << place for place in _PLACES)
_BETWEEN: Final = (1 << ENTRIES - 1) - 1


def fill(owners: Sequence[int], weights: Mapping[int, int], left: Left | None = None) -> list[int]:
    """Who owns each entry now: shares are proportional to ``weights`` within one entry.

    ``owners``: who owned each before; the ports that may own any are those with a weight (above 0).
    Entries move from ports without one and from those with too many, no others.
    """
    if not weights:
        return list(owners)
    left = left or {}
    counts = Counter(owner for owner in owners if owner in weights)
    # Who has none was lost, and what it had is about to go back.
    leaving = frozenset().union(*(left.get(port, ()) for port in weights if not counts[port]))
    targets = _targets(owners, weights, leaving)
    needs = {port: targets[port] - counts[port] for port in sorted(weights) if targets[port] > counts[port]}
    free = [entry for entry in LINE if owners[entry] not in weights]
    wanted = frozenset().union(*(left.get(port, ()) for port in needs))
    takers = _set(entry for entry in LINE if owners[entry] in needs) | _set(free)
    belongings: dict[int, list[int]] = {port: [] for port in weights}
    for entry in LINE:
        if owners[entry] in belongings:
            belongings[owners[entry]].append(entry)
    for port in sorted(weights):
        if counts[port] > targets[port]:
            own = left.get(port, frozenset())
            given = _given(belongings[port], counts[port] - targets[port], takers, wanted, own)
            free += given
            takers |= _set(given)
    result = list(owners)
    for entry, port in _dealt(free, needs, left):
        result[entry] = port
    return result


def _targets(owners: Sequence[int], weights: Mapping[int, int], leaving: frozenset[int]) -> dict[int, int]:
    """How many entries each port is to have. ``leaving``: those that somebody wants back."""
    total = sum(weights.values())
    targets = {port: weight * ENTRIES // total for port, weight in weights.items()}
    rests = {port: weight * ENTRIES % total for port, weight in weights.items()}
    counts = Counter(owners)
    kept = Counter(owner for entry, owner in enumerate(owners) if entry not in leaving)

    def claim(port: int) -> tuple[int, ...]:
        """To one of those that are left over: who has it need not be given it."""
        floor = targets[port]
        return counts[port] > floor, kept[port] > floor, rests[port], -port

    # Not to those whose share is whole already.
    claimants = sorted((port for port in weights if rests[port]), key=claim, reverse=True)
    for port in claimants[: ENTRIES - sum(targets.values())]:
        targets[port] += 1
    return targets


def _given(mine: Sequence[int], surplus: int, takers: int, wanted: Set[int], own: Set[int]) -> Sequence[int]:
    """What a port with too many gives: what others had before, then what it never lost, then its own.

    ``mine`` along the line; ``takers``: what those who get it have already.
    """
    given: list[int] = []
    kept = _set(mine)
    for want, keep in ((True, False), (True, True), (False, False), (False, True)):
        some = [entry for entry in mine if (entry in wanted, entry in own) == (want, keep)]
        count = min(len(some), surplus - len(given))
        if count:
            runs = {_set(run): run for run in _runs(some, count)}
            best = min(runs, key=lambda run: _borders(takers | run) + _borders(kept & ~run))
            given += runs[best]
            takers, kept = takers | best, kept & ~best
    return given


def _runs(entries: Sequence[int], count: int) -> list[Sequence[int]]:
    """The choices of so many entries that make few runs: those that begin or end where a run does."""
    starts = {0, len(entries) - count}
    for at, (before, after) in enumerate(pairwise(entries), start=1):
        if _PLACES[after] != _PLACES[before] + 1:
            starts |= {at, at - count}
    return [entries[at : at + count] for at in sorted(starts) if 0 <= at <= len(entries) - count]


def _set(entries: Iterable[int]) -> int:
    """Different ones, as a number."""
    return sum(_BIT[entry] for entry in entries)


def _borders(entries: int) -> int:
    """How often the line enters or leaves a set of entries."""
    return ((entries ^ entries >> 1) & _BETWEEN).bit_count()


def _dealt(free: Sequence[int], needs: Mapping[int, int], left: Left) -> Iterator[tuple[int, int]]:
    """Each free entry with its new owner: what a port had comes back, the rest goes in runs of the line."""
    needs = dict(needs)
    rest = []
    for entry in free:
        port = next((port for port, need in needs.items() if need and entry in left.get(port, ())), None)
        if port is None:
            rest.append(entry)
            continue
        needs[port] -= 1
        yield entry, port
    # The numbers fit: what is free is as much as is needed.
    rest.sort(key=_PLACES.__getitem__)
    entries = iter(rest)
    for port, need in needs.items():
        for _ in range(need):
            yield next(entries), port
