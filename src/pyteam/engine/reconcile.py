"""From what is to what should be: the fewest commands, in an order that never breaks before it makes.

Pure, and without memory: the same function starts a team, follows a decision, adopts a live device
and repairs what somebody else changed. It must not know why something is desired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Final

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

#: See `only_breaks`.
_BREAKS: Final = {
    ("enabled", False),
    ("rx_enabled", False),
    ("tx_enabled", False),
    ("user_linkup", False),
    ("user_linkup_enabled", True),
}
#: The order of the steps. One of them is never taken before one above it.
(
    # The one change that cannot be made under traffic: a mode is set while there are no ports.
    _EMPTY,
    _SET_MODE,
    # The ports that these leave may have failed, and those that they go to want for nothing.
    _ENTRIES_AT_ONCE,
    # Before any port is enabled: enabling starts the announcements that these count.
    _TEAM_OPTION,
    _EMPTY_TEAM_ADDRESS,
    _ADD,
    _ACTIVE_ADDRESS,
    # A lost active port is left as soon as can be: nothing is left to break, every packet until then is lost.
    _ORDER_IF_LOST,
    _SWITCH_IF_LOST,
    _MAKE,
    _ENTRIES,
    _CARRIER_UP,
    # Until the switch the old active port must work, after it the new one. The order comes first: the new
    # one may have no carrier yet, and the old one none any more.
    _ORDER,
    _SWITCH,
    _TEAM_ADDRESS,
    _ADDRESS,
    _BREAK,
    _CARRIER_DOWN,
    _REMOVE,
) = range(19)
_STEP: Final = itemgetter(0)


def commands(actual: Actual, desired: Desired) -> list[Command]:
    """What turns ``actual`` into ``desired``; empty when it is.

    An option or address that an existing device or port does not have is passed over. Of a port
    that is only being added, or a mode only being set, nobody knows yet what it has: its options
    are ordered, and a datapath without one answers ENOENT, which the caller may ignore.
    """
    todo: list[tuple[int, Command]] = []
    mode = desired.options.get(MODE)
    old_mode = actual.options.get(MODE)
    if mode is not None and old_mode is not None and mode != old_mode:
        todo += ((_EMPTY, RemovePort(port)) for port in sorted(actual.members))
        todo.append((_SET_MODE, SetOption(MODE, mode)))
        actual = _emptied(actual)

    added = desired.members - actual.members
    todo += ((_ADD, AddPort(port)) for port in sorted(added))
    lost = _is_lost(actual, desired)
    # In one look each: this is between a cut and its consequence.
    there = actual.options
    entries: list[SetOption] = []
    for key, value in desired.options.items():
        if there.get(key) == value or key == MODE or _is_halved(key, desired, there):
            continue
        if key in there or _is_coming(actual, desired, key, value):
            option = SetOption(key, value)
            if key.name == MAPPING:
                entries.append(option)
            else:
                todo.append((_option_step(option, lost), option))
    todo += _entries(entries, actual, desired)
    for ifindex, address in desired.addresses.items():
        if ifindex in added or actual.addresses.get(ifindex, address) != address:
            todo.append((_address_step(actual, desired, ifindex), SetAddress(ifindex, address)))
    if desired.carrier is not None and _carrier_differs(actual, desired):
        todo.append((_CARRIER_UP if desired.carrier else _CARRIER_DOWN, SetCarrier(desired.carrier)))
    todo += ((_REMOVE, RemovePort(port)) for port in sorted(actual.members - desired.members))
    todo.sort(key=_STEP)
    return [command for _, command in todo]


def only_breaks(option: SetOption) -> bool:
    """Setting it can only take a port out of use: there is no hurry."""
    return (option.key.name, option.value) in _BREAKS


def _option_step(option: SetOption, lost: bool) -> int:
    key = option.key
    if key.port:
        return _BREAK if only_breaks(option) else _MAKE
    if key == ACTIVE_PORT:
        return _SWITCH_IF_LOST if lost else _SWITCH
    if key == FAILOVER_ORDER:
        return _ORDER_IF_LOST if lost else _ORDER
    return _TEAM_OPTION


def _address_step(actual: Actual, desired: Desired, ifindex: int) -> int:
    if ifindex == actual.ifindex:
        return _TEAM_ADDRESS if actual.members else _EMPTY_TEAM_ADDRESS
    return _ACTIVE_ADDRESS if ifindex == desired.options.get(ACTIVE_PORT) else _ADDRESS


def _is_lost(actual: Actual, desired: Desired) -> bool:
    """The active port cannot carry traffic any more."""
    active = actual.options.get(ACTIVE_PORT, 0)
    return isinstance(active, int) and desired.options.get(OptionKey("user_linkup", active)) is False


def _entries(
    options: Sequence[SetOption], actual: Actual, desired: Desired
) -> Iterator[tuple[int, SetEntries]]:
    """Those of the table, by port; first those that go to ports that work."""
    by_port: dict[int, list[int]] = {}
    for option in options:
        by_port.setdefault(int(option.value), []).append(option.key.array_index)
    for port in sorted(by_port):
        working = port in desired.members and actual.options.get(OptionKey("enabled", port))
        yield _ENTRIES_AT_ONCE if working else _ENTRIES, SetEntries(port, tuple(sorted(by_port[port])))


def _emptied(actual: Actual) -> Actual:
    """The device without its ports; the options of its old mode are no longer asked about."""
    return replace(
        actual,
        members=frozenset(),
        options={key: value for key, value in actual.options.items() if not key.port},
        addresses={port: value for port, value in actual.addresses.items() if port == actual.ifindex},
    )


def _is_coming(actual: Actual, desired: Desired, key: OptionKey, value: OptionValue) -> bool:
    """An option that is not there will be, with a port or a mode, and then have another value."""
    if key.port:
        return key.port in desired.members - actual.members and FRESH_PORT.get(key.name) != value
    mode = desired.options.get(MODE)
    return mode != actual.options.get(MODE) and OPTIONS[key.name].mode == mode


def _is_halved(key: OptionKey, desired: Desired, there: Mapping[OptionKey, OptionValue]) -> bool:
    """Where a port has both directions apart, they say what it is together; setting that sets both."""
    if key.name != "enabled":
        return False
    half = OptionKey("rx_enabled", key.port)
    return half in desired.options and half in there


def _carrier_differs(actual: Actual, desired: Desired) -> bool:
    return not actual.carrier_is_set or actual.carrier != desired.carrier
