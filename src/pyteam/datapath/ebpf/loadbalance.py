"""Mode ``loadbalance``: its options, and which port each of the 256 hashes belongs to.

Pure: works on the `Record`; what a hash function is for the programs, `hashfunction` knows. The rules
are the kernel driver's (drivers/net/team/team_mode_loadbalance.c): a port's index for the remainder
counts from when it was enabled, an entry without an enabled port goes by the remainder, and a port that
is disabled takes no entry along.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from itertools import cycle
from typing import Final

from pyteam.datapath.ebpf.record import Record, pack, unpack
from pyteam.datapath.ebpf.shared import ENTRIES
from pyteam.datapath.interface import DatapathError
from pyteam.options import OptionKey, OptionValue

LOADBALANCE: Final = "loadbalance"
MAPPING: Final = "lb_tx_hash_to_port_mapping"
#: A hash function, as the kernel driver takes it or as only this datapath does.
HASH_FUNCTIONS: Final = (OptionKey("bpf_hash_func"), OptionKey("ebpf_hash_func"))
METHOD: Final = OptionKey("lb_tx_method")
INTERVAL: Final = OptionKey("lb_stats_refresh_interval")
#: Characters of a packed hash function; the rest of the record needs room, too.
_MOST_REMEMBERED: Final = 48 * 1024
_BY_TABLE: Final = "hash_to_port_mapping"
_METHODS: Final = ("hash", _BY_TABLE)


def options(record: Record) -> dict[OptionKey, OptionValue]:
    """All but the counters."""
    values: dict[OptionKey, OptionValue] = {
        METHOD: record.options.get(METHOD.name, _METHODS[0]),
        INTERVAL: record.options.get(INTERVAL.name, 0),
    }
    for key in HASH_FUNCTIONS:
        values[key] = unpack(record.hash_function) if key.name == record.hash_option else b""
    values |= {OptionKey(MAPPING, 0, at): port for at, port in enumerate(_entries(record))}
    return values


def put(record: Record, key: OptionKey, value: OptionValue) -> bool:
    """Whether it is an option of this mode; then it is set. EINVAL, ENODEV: it cannot be this."""
    if key in HASH_FUNCTIONS:
        assert isinstance(value, bytes)
        packed = pack(value)
        if len(packed) > _MOST_REMEMBERED:
            raise DatapathError(
                errno.EFBIG, f"{key.name} is too big ({len(value)} bytes): strip it (llvm-strip -g)"
            )
        record.hash_function, record.hash_option = packed, key.name
    elif key == METHOD:
        if value not in _METHODS:
            raise DatapathError(errno.EINVAL, f"{key.name} is one of {', '.join(_METHODS)}, not {value!r}")
        record.options[key.name] = value
    elif key.name == MAPPING:
        set_entries(record, int(value), (key.array_index,))
    else:
        return False
    return True


def set_entries(record: Record, port: int, entries: Sequence[int]) -> None:
    """ENODEV: it is no port that is enabled. ENOENT: there is no such entry. Then none is set."""
    if any(not 0 <= entry < ENTRIES for entry in entries):
        raise DatapathError(errno.ENOENT, f"{MAPPING} has entries 0 to {ENTRIES - 1}")
    if port not in record.ports or not record.ports[port].tx_enabled:
        raise DatapathError(errno.ENODEV, f"interface {port} is no enabled port of this team")
    owners = _entries(record)
    for entry in entries:
        owners[entry] = port
    record.entries = owners


def enabled(record: Record) -> list[int]:
    """The ports that may send, in the order in which they were enabled."""
    able = [port for port, of in record.ports.items() if of.tx_enabled]
    return sorted(able, key=lambda port: record.enabled.index(port) if port in record.enabled else len(able))


def follow(record: Record) -> None:
    """A port may have been enabled or disabled, may have come or gone."""
    record.enabled = enabled(record)
    if not set(record.entries) <= {0, *record.enabled}:
        record.entries = [port if port in record.enabled else 0 for port in record.entries]


def destinations(record: Record, senders: Sequence[int]) -> list[int]:
    """By hash: where it goes, as an index of ``senders``; empty when there are none.

    Those are the enabled ports without the ones of which user space says that they cannot carry traffic.
    """
    if not senders:
        return []
    order = enabled(record)
    by_table = record.options.get(METHOD.name) == _BY_TABLE
    index = {port: at for at, port in enumerate(senders)}
    turns = cycle(index.values())
    found = []
    for entry, owner in enumerate(_entries(record)):
        port = owner if by_table and owner in order else order[entry % len(order)]
        found.append(index[port] if port in index else next(turns))
    return found


def interval(record: Record) -> int:
    """In tenths of a second; 0: counters are not shown anew."""
    return int(record.options.get(INTERVAL.name, 0))


def reset(record: Record) -> None:
    """The mode begins anew."""
    record.entries, record.hash_function, record.hash_option = [], "", ""
    for key in (METHOD, INTERVAL):
        record.options.pop(key.name, None)


def _entries(record: Record) -> list[int]:
    return list(record.entries) or [0] * ENTRIES
