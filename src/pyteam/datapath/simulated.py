"""A datapath in memory: the kernel driver's rules, and fail-over inside it, without a kernel.

Owns one team device of a `World`, as a process would, and can say what no kernel tells: by which
ports a packet would leave now. Knows no engine.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Sequence, Set
from typing import Final

from pyteam.datapath import simulated_spread as spread
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.simulated_world import Device, World
from pyteam.engine.desired import Actual
from pyteam.engine.events import Event, LinkGone, LinkSeen, OptionSeen
from pyteam.engine.hashtable import MAPPING
from pyteam.link import Link
from pyteam.options import NO_MODE, OPTIONS, OptionKey, OptionValue, fits

MODES: Final = ("broadcast", "roundrobin", "random", "activebackup", "loadbalance")
_TX_QUEUES: Final = 16


class SimulatedDatapath:
    """`pyteam.datapath.interface.Datapath` over a `World`, and what a test wants to know of it."""

    kind = "simulated"
    separates = True

    def __init__(self, world: World, ifindex: int) -> None:
        """Not to be called: see `create` and `adopt`."""
        device = world.device(ifindex)
        if device.owned:
            raise DatapathError(errno.EBUSY, f"{device.interface.name}: another process owns it")
        device.owned = True
        self.ifindex = ifindex
        self.world = world
        self._links: dict[int, None] = {}
        self._options: dict[OptionKey, None] = {}
        world.listen(self)

    @classmethod
    def create(cls, world: World, name: str) -> SimulatedDatapath:
        """EEXIST when there is an interface of that name."""
        return cls(world, world.make_device(name))

    @classmethod
    def adopt(cls, world: World, name: str) -> SimulatedDatapath:
        """ENODEV when there is no such team, EBUSY while somebody else owns it."""
        return cls(world, world.find(name).ifindex)

    @property
    def _device(self) -> Device:
        return self.world.device(self.ifindex)

    def link(self, ifindex: int) -> Link:
        interface = self.world.interface(ifindex)
        permanent, _ = self._device.ports.get(ifindex, (interface.address, 0))
        return Link(
            ifindex=ifindex,
            name=interface.name,
            address=interface.address,
            permanent_address=permanent,
            mtu=interface.mtu,
            up=interface.up,
            carrier=interface.usable,
            speed=interface.speed,
            duplex=interface.duplex,
            member=interface.team == self.ifindex,
            loopback=interface.loopback,
        )

    def find(self, name: str) -> Link:
        return self.link(self.world.find(name).ifindex)

    def follow(self, names: Set[str]) -> None:
        """Everything is told of."""

    def links(self) -> Sequence[Link]:
        return [self.link(interface.ifindex) for interface in self.world.interfaces()]

    def actual(self) -> Actual:
        device = self._device
        return Actual(
            ifindex=self.ifindex,
            members=frozenset(device.ports),
            options=dict(device.options),
            addresses={i: self.world.interface(i).address for i in (self.ifindex, *device.ports)},
            carrier=device.interface.cable,
            carrier_is_set=device.carrier is not None,
        )

    def add_port(self, ifindex: int) -> None:
        self.world.add_port(self._device, self.world.interface(ifindex))

    def remove_port(self, ifindex: int) -> None:
        if ifindex not in self._device.ports:
            raise DatapathError(errno.ENODEV, f"interface {ifindex}: it is no port of this team")
        self.world.release_port(self._device, self.world.interface(ifindex))

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        keys = [OptionKey(MAPPING, array_index=entry) for entry in entries]
        for key in keys:
            if key not in self._device.options:
                raise DatapathError(errno.ENOENT, f"{key}: no such option")
        for key in keys:
            self.set_option(key, port)

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        device = self._device
        if key not in device.options:
            raise DatapathError(errno.ENOENT, f"{key}: no such option")
        refusal = self._refusal(device, key, value)
        if refusal:
            raise DatapathError(refusal, f"{key}: {value!r} is refused")
        if key.name == "mode":
            self.world.change_mode(device, str(value))
            return
        if device.options[key] == value and key == spread.INTERVAL:
            return
        rose = value is True and not device.options[key]
        self.world.set_option(device, key, value)
        if key.name == "enabled":
            for half in ("rx_enabled", "tx_enabled"):
                self.world.set_option(device, OptionKey(half, key.port), value)
        elif key.name in ("rx_enabled", "tx_enabled"):
            both = device.flag("rx_enabled", key.port) and device.flag("tx_enabled", key.port)
            self.world.set_option(device, OptionKey("enabled", key.port), both)
        if key.name in ("enabled", "tx_enabled") and not value:
            spread.clear_entries(self.world, device, key.port)
        if key == spread.INTERVAL:
            spread.start_refreshing(self.world, device)
        if key.name == "activeport" or (key.name == "enabled" and rose):
            self.world.announce(device)

    def set_options(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        for key, value in options:
            self.set_option(key, value)

    @staticmethod
    def _refusal(device: Device, key: OptionKey, value: OptionValue) -> int:
        spec = OPTIONS[key.name]
        if not fits(value, spec.type):
            return errno.EINVAL
        if not spec.writable:
            return errno.EOPNOTSUPP
        match key.name:
            case "mode" if device.ports:
                return errno.EBUSY
            case "mode":
                return 0 if value in MODES and value != device.mode else errno.EINVAL
            case "queue_id":
                return 0 if int(value) < _TX_QUEUES else errno.EINVAL
            case "activeport":
                return 0 if value in device.ports else errno.ENOENT
            case "failover_order":
                return 0 if isinstance(value, bytes) and len(value) % 4 == 0 else errno.EINVAL
            case "lb_tx_method":
                return 0 if value in spread.METHODS else errno.EINVAL
            case "bpf_hash_func":
                # The kernel checks the program, too; this is all that one can see of it from afar.
                return 0 if isinstance(value, bytes) and len(value) % 8 == 0 else errno.EINVAL
            case "lb_tx_hash_to_port_mapping":
                usable = value in device.ports and device.flag("enabled", int(value))
                return 0 if usable else errno.ENODEV
        return 0

    def set_address(self, ifindex: int, address: bytes) -> None:
        self.world.set_address(self.world.interface(ifindex).name, address)

    def set_carrier(self, up: bool) -> None:
        self._device.carrier = up
        self.world.touch()

    def statistics(self, ifindex: int) -> dict[str, int]:
        moved = self._device.moved.get(ifindex, Counter())
        return {name: moved[name] for name in ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")}

    def files(self) -> Sequence[int]:
        return ()

    def receive(self) -> list[Event]:
        """Each thing that changed once, as it is now."""
        present = {interface.ifindex for interface in self.world.interfaces()}
        if self.ifindex not in present:
            return [LinkGone(self.ifindex)]
        events: list[Event] = [
            LinkSeen(self.link(ifindex)) if ifindex in present else LinkGone(ifindex)
            for ifindex in self._links
        ]
        options = self._device.options
        events += [OptionSeen(key, options[key]) for key in self._options if key in options]
        self._links.clear()
        self._options.clear()
        return events

    def repair(self) -> Sequence[str]:
        return ()

    def next_timeout(self) -> float | None:
        due = [due for _, due in self._device.pending.values()]
        refresh = self._device.refresh_due
        return min((*due, refresh) if refresh is not None else due, default=None)

    def handle_timeout(self, now: float) -> None:
        device = self._device
        spread.refresh(self.world, device, now)
        for kind, (left, due) in list(device.pending.items()):
            interval = int(device.options[OptionKey(f"{kind}_interval")]) / 1000
            while left and due <= now:
                device.announced[kind] += 1
                left, due = left - 1, due + interval
            device.pending[kind] = left, due
            if not left:
                del device.pending[kind]

    def destroy(self) -> None:
        self.world.unplug(self._device.interface.name)
        self.world.stop_listening(self)

    def close(self) -> None:
        self._device.owned = False
        self.world.stop_listening(self)

    # What a kernel would not tell.

    @property
    def announced(self) -> Counter[str]:
        """How many ``notify_peers`` and ``mcast_rejoin`` were sent."""
        return self._device.announced

    def sending(self) -> frozenset[int]:
        """The ports that a packet sent now could leave by, and arrive."""
        device = self._device
        able = [port for port in device.ports if self.world.interface(port).usable]
        if device.mode == "activebackup":
            order = (device.active, *_spares(device))
            return frozenset([port for port in order if port in able][:1])
        enabled = [port for port in able if device.mode != NO_MODE and device.flag("tx_enabled", port)]
        return frozenset(port for port in enabled if self.world.linkup(device, port))

    def listening(self) -> frozenset[int]:
        """The ports of which a frame that arrives now is the team's."""
        device = self._device
        able = frozenset(port for port in device.ports if self.world.interface(port).usable)
        enabled = frozenset(port for port in device.ports if device.flag("rx_enabled", port))
        if device.mode == "activebackup":
            # Where the active port has no carrier, or is not in use, the other side has diverted, too.
            return able & enabled & {device.active} or able
        return able & enabled if device.mode != NO_MODE else frozenset()

    def transmit(self, size: int = 64, hash_: int = 0) -> frozenset[int]:
        """Send one packet and count it; the ports that it left by, none when it was lost.

        ``hash_``, 0 to 255, is what the hash function would make of it.
        """
        device = self._device
        able = sorted(self.sending())
        if able and device.mode == "loadbalance":
            able = [spread.port_of(device, hash_, able)]
            spread.count(device, hash_, able[0], size)
        elif able and device.mode != "broadcast":
            device.turn += 1
            able = [able[device.turn % len(able)]]
        for port in able:
            device.moved.setdefault(port, Counter()).update(tx_packets=1, tx_bytes=size)
        return frozenset(able)

    def deliver(self, ifindex: int, size: int = 64) -> bool:
        """A frame arrives on a port; true when it becomes the team's."""
        if ifindex not in self.listening():
            return False
        self._device.moved.setdefault(ifindex, Counter()).update(rx_packets=1, rx_bytes=size)
        return True

    # Called by the world.

    def links_changed(self, changed: set[int]) -> None:
        self._links.update(dict.fromkeys(changed))

    def option_changed(self, device: Device, key: OptionKey) -> None:
        if device.interface.ifindex == self.ifindex:
            self._options[key] = None


def _spares(device: Device) -> list[int]:
    order = device.options[OptionKey("failover_order")]
    assert isinstance(order, bytes)
    return memoryview(order).cast("I").tolist()
