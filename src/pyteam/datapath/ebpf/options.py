"""What the options of a team are, and what they mean: who may send, in which order, whose frames are ours.

Pure: works on the `Record`, which outlives the daemon; the datapath carries the meaning to the programs.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Sequence
from typing import Final

from pyteam.datapath.ebpf import loadbalance
from pyteam.datapath.ebpf.hooks import TRANSMIT
from pyteam.datapath.ebpf.loadbalance import LOADBALANCE
from pyteam.datapath.ebpf.receivers import TX_QUEUES
from pyteam.datapath.ebpf.record import PortRecord, Record
from pyteam.datapath.ebpf.shared import ENTRIES
from pyteam.datapath.interface import DatapathError
from pyteam.options import NO_MODE, OPTIONS, OptionKey, OptionSpec, OptionValue, Scope, fits, show_value

BURSTS: Final = (
    "notify_peers_count",
    "notify_peers_interval",
    "mcast_rejoin_count",
    "mcast_rejoin_interval",
)
_OF_PORTS: Final = (
    "enabled",
    "rx_enabled",
    "tx_enabled",
    "user_linkup",
    "user_linkup_enabled",
    "priority",
    "queue_id",
)
_ACTIVE_BACKUP: Final = "activebackup"


class Options:
    """The options of one team, over its record."""

    def __init__(self, record: Record) -> None:
        self._record = record

    @property
    def mode(self) -> str:
        return str(self._record.options.get("mode", NO_MODE))

    @property
    def active(self) -> int:
        """ifindex; 0: none."""
        return int(self._record.options.get("activeport", 0))

    def all(self) -> dict[OptionKey, OptionValue]:
        """Every option that the team has in its mode."""
        record = self._record
        values: dict[OptionKey, OptionValue] = {OptionKey("mode"): self.mode}
        values |= {OptionKey(name): record.options.get(name, 0) for name in BURSTS}
        if self.mode == _ACTIVE_BACKUP:
            order = record.failover_order
            values[OptionKey("activeport")] = self.active
            values[OptionKey("failover_order")] = struct.pack(f"={len(order)}I", *order)
        elif self.mode == LOADBALANCE:
            values |= loadbalance.options(record)
        for ifindex, port in record.ports.items():
            values |= {OptionKey(name, ifindex): getattr(port, name) for name in _OF_PORTS}
        return values

    def put(self, key: OptionKey, value: OptionValue) -> None:
        """Any option but the mode. ENOENT: the team does not have it. EINVAL: no such value."""
        spec = self._need(key)
        if not fits(value, spec.type):
            raise DatapathError(
                errno.EINVAL, f"{key.name} cannot be {show_value(value)}: it is a {spec.type}"
            )
        if not spec.writable:
            raise DatapathError(errno.EOPNOTSUPP, f"{key.name} can only be read")
        if key.name == "queue_id" and int(value) >= TX_QUEUES:
            raise DatapathError(errno.EINVAL, f"queue_id is less than {TX_QUEUES}, not {show_value(value)}")
        if key.port:
            loadbalance.follow(self._record)
            _set_port_option(self._record.ports[key.port], key.name, value)
            loadbalance.follow(self._record)
        elif self.mode == LOADBALANCE and loadbalance.put(self._record, key, value):
            return
        elif isinstance(value, bytes):
            self._set_failover_order(value)
        else:
            if key.name == "activeport" and value not in self._record.ports:
                raise DatapathError(errno.ENOENT, f"interface {value} is no port of this team")
            self._record.options[key.name] = value

    def _need(self, key: OptionKey) -> OptionSpec:
        spec = OPTIONS.get(key.name)
        if spec is None or spec.mode not in ("", self.mode) or not self._has(key, spec.scope):
            owner = f"port {key.port}" if key.port else "the team"
            raise DatapathError(errno.ENOENT, f"no option {key.name!r} of {owner} on this datapath")
        return spec

    def _has(self, key: OptionKey, scope: Scope) -> bool:
        if scope == Scope.PORT:
            return key.port in self._record.ports and not key.array_index
        return not key.port and key.array_index in range(ENTRIES if scope == Scope.ARRAY else 1)

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        """See `Datapath.set_entries`."""
        if self.mode != LOADBALANCE:
            raise DatapathError(errno.ENOENT, f"mode {self.mode} has no table of ports")
        loadbalance.set_entries(self._record, port, entries)

    def check_mode(self, mode: OptionValue) -> str:
        """Whether the mode may become this one. EBUSY: there are ports. EINVAL: unknown, or it is already."""
        if self._record.ports:
            raise DatapathError(errno.EBUSY, "the mode cannot change while the team has ports")
        if mode == self.mode:
            raise DatapathError(errno.EINVAL, f"the mode is {mode} already")
        if mode not in TRANSMIT:
            raise DatapathError(errno.EINVAL, f"no mode {mode!r} on the eBPF datapath")
        return str(mode)

    def _set_failover_order(self, value: bytes) -> None:
        if len(value) % 4:
            raise DatapathError(errno.EINVAL, "failover_order is an array of 32-bit interface indexes")
        self._record.failover_order = list(struct.unpack(f"={len(value) // 4}I", value))

    def forget_port(self, ifindex: int) -> None:
        """It is no port any more."""
        self._record.ports.pop(ifindex, None)
        loadbalance.follow(self._record)
        if self.active == ifindex:
            self._record.options["activeport"] = 0

    # What they mean

    @property
    def spare(self) -> bool:
        """Whether any port receives while the first that sends is dead."""
        return self.mode == _ACTIVE_BACKUP

    def senders(self) -> list[int]:
        """The ports that may send, in the order in which they are tried, or take turns."""
        ports = self._record.ports
        if self.mode != _ACTIVE_BACKUP:
            return [ifindex for ifindex in loadbalance.enabled(self._record) if _verdict(ports[ifindex])]
        # Without an active port (it vanished, or all watches say down) whatever has carrier will do:
        # nothing is gained by dropping what might arrive.
        wanted = (self.active, *self._record.failover_order)
        return [port for port in dict.fromkeys(wanted) if port in ports]

    def destinations(self) -> list[int]:
        """Which of the `senders` each hash goes to, by index; empty where hashes do not count."""
        if self.mode != LOADBALANCE:
            return []
        return loadbalance.destinations(self._record, self.senders())

    def queues(self) -> dict[int, tuple[int, int]]:
        """The ports that may send and have a queue of their own: which, and their priority."""
        return {
            ifindex: (port.queue_id, port.priority)
            for ifindex, port in self._record.ports.items()
            if port.tx_enabled and port.queue_id
        }

    def receivers(self) -> set[int]:
        """The ports whose frames are the team's."""
        ports = self._record.ports
        receiving = {ifindex for ifindex, port in ports.items() if port.rx_enabled}
        if self.mode != _ACTIVE_BACKUP:
            return receiving
        return receiving & {self.active} or set(ports)


def _set_port_option(port: PortRecord, name: str, value: OptionValue) -> None:
    if name == "enabled":
        port.rx_enabled = port.tx_enabled = bool(value)
    else:
        setattr(port, name, value)


def _verdict(port: PortRecord) -> bool:
    """User space's word on the link, where it is asked for; the raw link is the programs' to see."""
    return port.user_linkup or not port.user_linkup_enabled
