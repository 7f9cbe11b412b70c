"""From what is to what should be: the fewest commands, in an order that never breaks before it makes.

Pure, and without memory: the same function starts a team, follows a decision, adopts a live device
and repairs what somebody else changed. It must not know why something is desired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from pyteam.engine.desired import (
    Actual,
    AddPort,
    Command,
    Desired,
    RemovePort,
    SetAddress,
    SetCarrier,
    SetEntries,
    SetOption,
)
from pyteam.engine.hashtable import MAPPING
from pyteam.options import OPTIONS, OptionKey, OptionValue

K = TypeVar("K")
C = TypeVar("C", bound=Command)

MODE: Final = OptionKey("mode")
ACTIVE_PORT: Final = OptionKey("activeport")
FAILOVER_ORDER: Final = OptionKey("failover_order")

#: Options of a port that was just added (the contract of `pyteam.datapath.interface`).
FRESH_PORT: Final[Mapping[str, OptionValue]] = {
    "enabled": True,
    "rx_enabled": True,
    "tx_enabled": True,
    "user_linkup": False,
    "user_linkup_enabled": False,
    "priority": 0,
    "queue_id": 0,
}

#: Setting one of these to this value can only take a port out of use: it comes last.
_BREAKS: Final = {
    ("enabled", False),
    ("rx_enabled", False),
    ("tx_enabled", False),
    ("user_linkup", False),
    ("user_linkup_enabled", True),
}
#: The moment of a change of the active port; until then the old one must work, after it the new one. In
#: this order: the new one may have no carrier yet, and the old one none any more.
_SWITCH: Final = (FAILOVER_ORDER, ACTIVE_PORT)


def commands(actual: Actual, desired: Desired) -> list[Command]:
    """What turns ``actual`` into ``desired``; empty when it is.

    An option or address that an existing device or port does not have is passed over. Of a port
    that is only being added, or a mode only being set, nobody knows yet what it has: its options
    are ordered, and a datapath without one answers ENOENT, which the caller may ignore.
    """
    return list(_commands(actual, desired))


def _commands(actual: Actual, desired: Desired) -> Iterator[Command]:
    mode = desired.options.get(MODE)
    old_mode = actual.options.get(MODE)
    if mode is not None and old_mode is not None and mode != old_mode:
        # The one change that cannot be made under traffic: a mode is set while there are no ports.
        for port in sorted(actual.members):
            yield RemovePort(port)
        yield SetOption(MODE, mode)
        actual = _emptied(actual)

    team, active = actual.ifindex, desired.options.get(ACTIVE_PORT)
    added = desired.members - actual.members
    options = {
        key: SetOption(key, value)
        for key, value in desired.options.items()
        if key != MODE and _differs(actual, desired, key, value)
    }
    addresses = {
        ifindex: SetAddress(ifindex, address)
        for ifindex, address in desired.addresses.items()
        if ifindex in added or actual.addresses.get(ifindex, address) != address
    }

    entries = _take(options, lambda option: option.key.name == MAPPING)
    working = {port for port in desired.members if actual.options.get(OptionKey("enabled", port))}
    # The ports that these leave may have failed, and those that they go to want for nothing.
    yield from _entries(entries, lambda port: port in working)
    # Before any port is enabled: enabling starts the announcements that these count.
    yield from _take(options, lambda option: not option.key.port and option.key not in _SWITCH)
    if not actual.members:
        yield from _take(addresses, lambda change: change.ifindex == team)
    yield from map(AddPort, sorted(added))
    yield from _take(addresses, lambda change: change.ifindex == active)
    if _is_lost(actual, desired):
        # There is nothing left to break, and every packet before the switch is lost.
        yield from _switch(options)
    yield from _take(
        options, lambda option: option.key.port != 0 and (option.key.name, option.value) not in _BREAKS
    )
    yield from _entries(entries, lambda port: port not in working)
    if desired.carrier and _carrier_differs(actual, desired):
        yield SetCarrier(True)
    yield from _switch(options)
    yield from _take(addresses, lambda change: change.ifindex == team)
    yield from addresses.values()
    yield from options.values()
    if desired.carrier is False and _carrier_differs(actual, desired):
        yield SetCarrier(False)
    yield from map(RemovePort, sorted(actual.members - desired.members))


def _is_lost(actual: Actual, desired: Desired) -> bool:
    """The active port cannot carry traffic any more."""
    active = actual.options.get(ACTIVE_PORT, 0)
    return isinstance(active, int) and desired.options.get(OptionKey("user_linkup", active)) is False


def _switch(options: dict[OptionKey, SetOption]) -> list[SetOption]:
    return [options.pop(key) for key in _SWITCH if key in options]


def _entries(options: Sequence[SetOption], wanted: Callable[[int], bool]) -> Iterator[SetEntries]:
    """Those of the table, by port."""
    by_port: dict[int, list[int]] = {}
    for option in options:
        by_port.setdefault(int(option.value), []).append(option.key.array_index)
    for port in sorted(filter(wanted, by_port)):
        yield SetEntries(port, tuple(sorted(by_port[port])))


def _take(commands: dict[K, C], wanted: Callable[[C], bool]) -> list[C]:
    """Remove and return those that are wanted now."""
    keys = [key for key, command in commands.items() if wanted(command)]
    return [commands.pop(key) for key in keys]


def _emptied(actual: Actual) -> Actual:
    """The device without its ports; the options of its old mode are no longer asked about."""
    return replace(
        actual,
        members=frozenset(),
        options={key: value for key, value in actual.options.items() if not key.port},
        addresses={port: value for port, value in actual.addresses.items() if port == actual.ifindex},
    )


def _differs(actual: Actual, desired: Desired, key: OptionKey, value: OptionValue) -> bool:
    if key in actual.options:
        return actual.options[key] != value
    if key.port:
        return key.port in desired.members - actual.members and FRESH_PORT.get(key.name) != value
    mode = desired.options.get(MODE)
    return mode != actual.options.get(MODE) and OPTIONS[key.name].mode == mode


def _carrier_differs(actual: Actual, desired: Desired) -> bool:
    return not actual.carrier_is_set or actual.carrier != desired.carrier
