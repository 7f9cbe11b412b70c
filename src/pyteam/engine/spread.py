"""How a team in mode ``loadbalance`` spreads what it sends: hash function, table, and who balances it.

A part of the runners that have that mode. Knows no port but by its index and weight; which of them are
in use is its runner's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pyteam.config.values import Fragment
from pyteam.engine.desired import Actual
from pyteam.engine.hashtable import ENTRIES, KEYS, MAPPING, fill
from pyteam.options import OptionKey, OptionValue
from pyteam.txhash import hash_program

#: The table decides, balancer or not: it spreads better than the remainder of a division, which is what
#: the driver's other method does, and only what must move does when a port comes or goes.
_METHOD: Final = "hash_to_port_mapping"


class Spread:
    """``use`` says which ports there are; ``options`` what follows for the datapath."""

    def __init__(self, tx_hash: tuple[Fragment, ...]) -> None:
        self._program = hash_program(tx_hash)
        #: By entry: index of the port that has it, or had it when it was last in use; 0: none yet.
        self._owners = [0] * ENTRIES
        self._weights: Mapping[int, int] = {}
        self._left: dict[int, frozenset[int]] = {}
        #: The datapath has said that it has a table: from now on moving an entry moves traffic.
        self._told = False
        self._options: Mapping[OptionKey, OptionValue] = MappingProxyType({})

    def adopt(self, actual: Actual) -> None:
        """The table of the device is where it begins."""
        self._owners = [int(actual.options.get(key, 0)) for key in KEYS]
        self._told = any(self._owners)

    def settings(self) -> dict[str, OptionValue]:
        """What the datapath is to be set to whatever the ports are."""
        return {"bpf_hash_func": self._program, "lb_tx_method": _METHOD}

    def see(self, key: OptionKey) -> None:
        """News of an option."""
        self._told = self._told or key.name == MAPPING

    def use(self, weights: Mapping[int, int]) -> None:
        """The ports that carry traffic now, and the weight of each."""
        if weights == self._weights:
            return
        for port in self._weights.keys() - weights.keys():
            self._left[port] = frozenset(e for e, owner in enumerate(self._owners) if owner == port)
        self._weights = dict(weights)
        self._owners = fill(self._owners if self._told else [0] * ENTRIES, weights, self._left)
        # Without any port there is nobody to give an entry to.
        owned = dict(zip(KEYS, self._owners, strict=True)) if weights else {}
        self._options = MappingProxyType(owned)

    def count(self, port: int) -> int:
        """How many entries the port has now."""
        return self._owners.count(port) if port in self._weights else 0

    def options(self) -> Mapping[OptionKey, OptionValue]:
        """The table, as far as there is one."""
        return self._options
