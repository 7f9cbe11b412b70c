"""How a team in mode ``loadbalance`` spreads what it sends: hash function, table, and who balances it.

A part of the runners that have that mode. Knows no port but by its index and weight; which of them are
in use is its runner's to say.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pyteam.config import TxBalancer
from pyteam.engine.balancing import Balancer
from pyteam.engine.desired import Actual
from pyteam.engine.hashfunction import TxHash, option_of
from pyteam.engine.hashtable import ENTRIES, KEYS, MAPPING, fill
from pyteam.options import OptionKey, OptionValue

#: The table decides, balancer or not: it spreads better than the remainder of a division, which is what
#: the driver's other method does, and only what must move does when a port comes or goes.
_METHOD: Final = "hash_to_port_mapping"
_INTERVAL: Final = "lb_stats_refresh_interval"
_COUNTERS: Final = "lb_hash_stats"


class Spread:
    """``use`` says which ports there are; ``options`` what follows for the datapath."""

    def __init__(self, tx_hash: TxHash, balancer: TxBalancer) -> None:
        #: Tenths of a second; 0: the load of ports does not matter.
        self._interval = 0
        self._balancer: Balancer | None = None
        #: What was counted while there was a balancer.
        self._counted: Sequence[int] = [0] * ENTRIES
        self.configure(tx_hash, balancer)
        #: By entry: index of the port that has it, or had it when it was last in use; 0: none yet.
        self._owners = [0] * ENTRIES
        self._weights: Mapping[int, int] = {}
        self._left: dict[int, frozenset[int]] = {}
        #: The datapath has said that it has a table: from now on moving an entry moves traffic.
        self._told = False
        self._options: Mapping[OptionKey, OptionValue] = MappingProxyType({})

    def configure(self, tx_hash: TxHash, balancer: TxBalancer) -> None:
        """From now on this. The table stays: a balancer moves entries once it knows their load."""
        self._function = option_of(tx_hash)
        interval = balancer.balancing_interval if balancer.name else 0
        if interval == self._interval:
            return
        if self._balancer:
            self._counted = self._balancer.told
        self._interval = interval
        self._balancer = Balancer(interval / 10) if interval else None
        if self._balancer:
            self._balancer.begin(self._counted)

    def adopt(self, actual: Actual) -> None:
        """The table of the device is where it begins."""
        self._owners = [int(actual.options.get(key, 0)) for key in KEYS]
        self._told = any(self._owners)
        if self._balancer:
            keys = (OptionKey(_COUNTERS, array_index=entry) for entry in range(ENTRIES))
            self._balancer.begin([_count(actual.options.get(key, 0)) for key in keys])

    def settings(self) -> dict[str, OptionValue]:
        """What the datapath is to be set to whatever the ports are."""
        return {**self._function, "lb_tx_method": _METHOD, _INTERVAL: self._interval}

    def remarks(self) -> list[str]:
        """Lines for the log, at the start."""
        if not self._balancer:
            return ["TX balancing disabled."]
        return ["TX balancing enabled.", f"Balancing interval {self._interval}."]

    def see(self, now: float, key: OptionKey, value: OptionValue) -> None:
        """News of an option."""
        self._told = self._told or key.name == MAPPING
        if self._balancer and key.name == _COUNTERS:
            self._balancer.see(now, key.array_index, _count(value))
        elif self._balancer and key.name == _INTERVAL:
            self._balancer.start(now)

    @property
    def deadline(self) -> float | None:
        """When `expire` is due."""
        return self._balancer.deadline if self._balancer else None

    def expire(self, now: float) -> bool:
        """Whether entries move."""
        if not self._balancer or self._balancer.deadline is None or now < self._balancer.deadline:
            return False
        moves = self._balancer.rebalance(now, self._owners, self._weights)
        self._settle([moves.get(entry, owner) for entry, owner in enumerate(self._owners)])
        return bool(moves)

    def use(self, weights: Mapping[int, int]) -> None:
        """The ports that carry traffic now, and the weight of each."""
        if weights == self._weights:
            return
        for port in self._weights.keys() - weights.keys():
            self._left[port] = frozenset(e for e, owner in enumerate(self._owners) if owner == port)
        self._weights = dict(weights)
        owners = self._owners if self._told else [0] * ENTRIES
        if self._balancer and any(owner in weights for owner in owners):
            # Who has more entries than others has lighter ones; that is not undone.
            joiners = [port for port in sorted(weights) if port not in owners]
            owners = self._balancer.place(owners, weights)
            for port in joiners:
                for entry in self._left.get(port, ()):
                    owners[entry] = port
            weights = _as_they_are(owners, weights)
        self._settle(fill(owners, weights, self._left))

    def _settle(self, owners: list[int]) -> None:
        self._owners = owners
        # Without any port there is nobody to give an entry to.
        owned = dict(zip(KEYS, owners, strict=True)) if self._weights else {}
        self._options = MappingProxyType(owned)

    def count(self, port: int) -> int:
        """How many entries the port has now."""
        return self._owners.count(port) if port in self._weights else 0

    def options(self) -> Mapping[OptionKey, OptionValue]:
        """The table, as far as there is one."""
        return self._options


def _as_they_are(owners: list[int], weights: Mapping[int, int]) -> dict[int, int]:
    """Weights by which those that have entries keep them, but for the part of those that have none."""
    counts = Counter(owner for owner in owners if owner in weights)
    rest = sum(weights[port] for port in counts)
    total = sum(counts.values())
    return {port: counts[port] * rest or weights[port] * total for port in weights}


def _count(value: OptionValue) -> int:
    return int.from_bytes(value, sys.byteorder) if isinstance(value, bytes) else 0
