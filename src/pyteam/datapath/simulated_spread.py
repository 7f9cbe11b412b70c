"""Mode ``loadbalance`` in memory: the table, who takes a packet, and the counters with their own pace.

The driver's rules: who is disabled or released loses its entries, an entry without a port falls back to
a division of the hash, and counters are shown anew once in ``lb_stats_refresh_interval``. And one of the
eBPF datapath: an entry whose port cannot send does, too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from pyteam.datapath.simulated_world import Device, World
from pyteam.engine.hashtable import MAPPING
from pyteam.options import OptionKey

METHODS: Final = ("hash", "hash_to_port_mapping")
INTERVAL: Final = OptionKey("lb_stats_refresh_interval")


def clear_entries(world: World, device: Device, port: int) -> None:
    """The port is enabled no longer."""
    for key, value in list(device.options.items()):
        if key.name == MAPPING and value == port:
            world.set_option(device, key, 0)


def port_of(device: Device, hash_: int, able: Sequence[int]) -> int:
    """The port by which a packet of this hash (0 to 255) leaves; ``able`` could carry it, oldest first."""
    if device.options[OptionKey("lb_tx_method")] != "hash":
        port = int(device.options[OptionKey(MAPPING, array_index=hash_)])
        if port in able:
            return port
    return able[hash_ % len(able)]


def count(device: Device, hash_: int, port: int, size: int) -> None:
    device.sent[OptionKey("lb_hash_stats", array_index=hash_)] += size
    device.sent[OptionKey("lb_port_stats", port)] += size


def start_refreshing(world: World, device: Device) -> None:
    """The interval was set."""
    device.refresh_due = world.now if device.options[INTERVAL] else None


def refresh(world: World, device: Device, now: float) -> None:
    """Show what was counted, if it is time."""
    if device.refresh_due is None or now < device.refresh_due:
        return
    for key, size in device.sent.items():
        shown = size.to_bytes(8, sys.byteorder)
        if device.options.get(key, shown) != shown:
            world.set_option(device, key, shown)
    device.refresh_due = now + int(device.options[INTERVAL]) / 10
