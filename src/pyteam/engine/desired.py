"""The one answer of the engine: what the team device should be; and its counterpart, what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pyteam.options import OptionKey, OptionValue


@dataclass(frozen=True, slots=True)
class Desired:
    """What should be. What is absent (a port, an option, an address) is nobody's wish: left alone.

    ``carrier`` None: the datapath derives it from its ports, as the kernel driver does until user
    space sets it for the first time.
    """

    members: frozenset[int] = frozenset()
    options: Mapping[OptionKey, OptionValue] = field(default_factory=dict)
    #: MACs by ifindex: of the team device and of ports.
    addresses: Mapping[int, bytes] = field(default_factory=dict)
    carrier: bool | None = None


@dataclass(frozen=True, slots=True)
class Actual:
    """What is, read from a datapath. An option that the datapath does not have is absent."""

    ifindex: int
    members: frozenset[int] = frozenset()
    options: Mapping[OptionKey, OptionValue] = field(default_factory=dict)
    addresses: Mapping[int, bytes] = field(default_factory=dict)
    carrier: bool = False
    #: True once user space has set the carrier: the datapath derives it no longer.
    carrier_is_set: bool = False

    def options_of(self, port: int) -> dict[str, OptionValue]:
        """By name, arrays aside; of the team for 0."""
        found = self.options.items()
        return {key.name: value for key, value in found if key.port == port and not key.array_index}

    @property
    def active_port(self) -> int:
        """The one port that carries the traffic; 0: none, or all do."""
        active = self.options.get(OptionKey("activeport"), 0)
        return int(active) if self.options.get(OptionKey("enabled", int(active))) else 0


@dataclass(frozen=True, slots=True)
class AddPort:
    ifindex: int


@dataclass(frozen=True, slots=True)
class RemovePort:
    ifindex: int


class SetOption(NamedTuple):
    key: OptionKey
    value: OptionValue


@dataclass(frozen=True, slots=True)
class SetEntries:
    """Give a port these entries of the table (option ``lb_tx_hash_to_port_mapping``), at one go."""

    port: int
    entries: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SetAddress:
    ifindex: int
    address: bytes


@dataclass(frozen=True, slots=True)
class SetCarrier:
    up: bool


Command = AddPort | RemovePort | SetOption | SetEntries | SetAddress | SetCarrier
