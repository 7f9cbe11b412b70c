"""The world that simulations run in: interfaces, cables, and what the kernel keeps of a team.

Knows no engine, no owner of a team but as somebody who listens, and no clock of its own: time is
what a test says. Devices outlive their owners, as in a kernel, so that crashes can be played.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from pyteam.datapath.interface import DatapathError
from pyteam.link import DUPLEX_FULL
from pyteam.options import NO_MODE, OPTIONS, OptionKey, OptionValue, Scope, Type

#: Modes in which the kernel itself gives the team's MAC to every port.
ONE_ADDRESS: Final = ("broadcast", "roundrobin", "random")
_HASHES: Final = 256
ANNOUNCEMENTS: Final = ("notify_peers", "mcast_rejoin")

#: What an option is before anybody sets it, where that is not zero, false or empty.
_INITIAL: Final[dict[str, OptionValue]] = {
    "mode": NO_MODE,
    "enabled": True,
    "rx_enabled": True,
    "tx_enabled": True,
    "lb_tx_method": "hash",
    "lb_hash_stats": bytes(8),
    "lb_port_stats": bytes(8),
}
ZERO: Final[dict[Type, OptionValue]] = {
    Type.U32: 0,
    Type.S32: 0,
    Type.BOOL: False,
    Type.STRING: "",
    Type.BINARY: b"",
}


@dataclass(slots=True)
class Interface:
    """One network device. ``cable``: the other end is up."""

    ifindex: int
    name: str
    address: bytes
    mtu: int = 1500
    up: bool = False
    cable: bool = True
    speed: int = 1000
    duplex: int = DUPLEX_FULL
    loopback: bool = False
    #: Index of the team it is a port of; 0 none, -1 one that is not in this world.
    team: int = 0

    @property
    def usable(self) -> bool:
        return self.up and self.cable


@dataclass(slots=True)
class Device:
    """What the kernel keeps of a team device."""

    interface: Interface
    options: dict[OptionKey, OptionValue] = field(default_factory=dict)
    #: Ports and the (MAC, MTU) that each gets back, oldest first.
    ports: dict[int, tuple[bytes, int]] = field(default_factory=dict)
    #: What user space made of the carrier; None: it never did.
    carrier: bool | None = None
    owned: bool = False
    #: Announcements still to send: how many, and when the next.
    pending: dict[str, tuple[int, float]] = field(default_factory=dict)
    announced: Counter[str] = field(default_factory=Counter)
    moved: dict[int, Counter[str]] = field(default_factory=dict)
    turn: int = 0
    #: Bytes sent in mode ``loadbalance``, by the option that shows them; and when it will.
    sent: Counter[OptionKey] = field(default_factory=Counter)
    refresh_due: float | None = None

    @property
    def mode(self) -> str:
        return str(self.options[OptionKey("mode")])

    def flag(self, name: str, port: int) -> bool:
        return bool(self.options[OptionKey(name, port)])

    @property
    def active(self) -> int:
        return int(self.options[OptionKey("activeport")])


class Listener(Protocol):
    """Who wants to know what changes."""

    def links_changed(self, changed: set[int]) -> None: ...

    def option_changed(self, device: Device, key: OptionKey) -> None: ...


class World:
    """The interfaces of one namespace, and what people and cables do to them from outside."""

    def __init__(self) -> None:
        self.now = 0.0
        self._interfaces: dict[int, Interface] = {}
        self._devices: dict[int, Device] = {}
        self._listeners: list[Listener] = []
        self._next_ifindex = 2

    def plug(
        self,
        name: str,
        *,
        ifindex: int = 0,
        address: bytes = b"",
        up: bool = False,
        cable: bool = True,
        speed: int = 1000,
        duplex: int = DUPLEX_FULL,
        mtu: int = 1500,
        loopback: bool = False,
    ) -> int:
        """A new interface; its index, and by default its MAC, were never used before."""
        if name in (interface.name for interface in self._interfaces.values()):
            raise DatapathError(errno.EEXIST, f"{name}: an interface of that name exists")
        ifindex = ifindex or self._next_ifindex
        self._next_ifindex = max(self._next_ifindex, ifindex) + 1
        address = address or b"\x02\x00" + ifindex.to_bytes(4)
        self._interfaces[ifindex] = Interface(ifindex, name, address, mtu, up, cable, speed, duplex, loopback)
        self.touch(ifindex)
        return ifindex

    def unplug(self, name: str) -> None:
        """Delete it, or move it to another namespace: the same from here."""
        interface = self.find(name)
        if interface.ifindex in self._devices:
            for port in list(self._devices[interface.ifindex].ports):
                self.release_port(self._devices[interface.ifindex], self.interface(port))
            del self._devices[interface.ifindex]
        if interface.team > 0:
            self.release_port(self._devices[interface.team], interface)
        del self._interfaces[interface.ifindex]
        self.touch(interface.ifindex)

    def rename(self, name: str, new_name: str) -> None:
        self.find(name).name = new_name
        self.touch(self.find(new_name).ifindex)

    def cut(self, name: str) -> None:
        self._cable(name, False)

    def mend(self, name: str) -> None:
        self._cable(name, True)

    def _cable(self, name: str, cable: bool) -> None:
        self.find(name).cable = cable
        self.touch(self.find(name).ifindex)

    def set_up(self, name: str, up: bool) -> None:
        self.find(name).up = up
        self.touch(self.find(name).ifindex)

    def set_speed(self, name: str, speed: int, duplex: int = DUPLEX_FULL) -> None:
        self.find(name).speed, self.find(name).duplex = speed, duplex
        self.touch(self.find(name).ifindex)

    def set_address(self, name: str, address: bytes) -> None:
        interface = self.find(name)
        device = self._devices.get(interface.ifindex)
        followers = device.ports if device and device.mode in ONE_ADDRESS else ()
        for changed in (interface, *map(self.interface, followers)):
            changed.address = address
            self.touch(changed.ifindex)

    def set_mtu(self, name: str, mtu: int) -> None:
        """The team's goes to its ports; a port's alone is refused, as by the kernel driver."""
        interface = self.find(name)
        if interface.team > 0:
            raise DatapathError(errno.EPERM, f"{name}: the MTU of a port is the team's")
        device = self._devices.get(interface.ifindex)
        for changed in (interface, *map(self.interface, device.ports if device else ())):
            changed.mtu = mtu
            self.touch(changed.ifindex)

    def enslave(self, name: str, team: str) -> None:
        """As ``ip link set NAME master TEAM``."""
        self.add_port(self._devices[self.find(team).ifindex], self.find(name))

    def release(self, name: str) -> None:
        """As ``ip link set NAME nomaster``."""
        interface = self.find(name)
        self.release_port(self._devices[interface.team], interface)

    def lend(self, name: str) -> None:
        """Somebody else's team takes it."""
        self.find(name).team, self.find(name).up = -1, True
        self.touch(self.find(name).ifindex)

    # From here on: for datapaths.

    def find(self, name: str) -> Interface:
        for interface in self._interfaces.values():
            if interface.name == name:
                return interface
        raise DatapathError(errno.ENODEV, f"{name}: no such interface")

    def interface(self, ifindex: int) -> Interface:
        if ifindex not in self._interfaces:
            raise DatapathError(errno.ENODEV, f"interface {ifindex}: it does not exist")
        return self._interfaces[ifindex]

    def interfaces(self) -> Iterator[Interface]:
        return iter(self._interfaces.values())

    def device(self, ifindex: int) -> Device:
        if ifindex not in self._devices:
            raise DatapathError(errno.ENODEV, f"interface {ifindex}: no team device")
        return self._devices[ifindex]

    def make_device(self, name: str) -> int:
        ifindex = self.plug(name, cable=False)
        device = self._devices[ifindex] = Device(self.interface(ifindex))
        self._make_options(device)
        return ifindex

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def stop_listening(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    def add_port(self, device: Device, interface: Interface) -> None:
        if interface.team == device.interface.ifindex:
            return
        if interface.loopback or interface.ifindex == device.interface.ifindex:
            raise DatapathError(errno.EINVAL, f"{interface.name}: it cannot be a port")
        if interface.team or interface.up:
            why = "is in a team" if interface.team else "is up, set it down"
            raise DatapathError(errno.EBUSY, f"{interface.name}: it {why}")
        device.ports[interface.ifindex] = interface.address, interface.mtu
        interface.team, interface.up = device.interface.ifindex, True
        interface.mtu = device.interface.mtu
        if device.mode in ONE_ADDRESS:
            interface.address = device.interface.address
        self._make_options(device, interface.ifindex)
        self.announce(device)
        self.touch(interface.ifindex)

    def release_port(self, device: Device, interface: Interface) -> None:
        interface.address, interface.mtu = device.ports.pop(interface.ifindex)
        interface.team, interface.up = 0, False
        for key, value in list(device.options.items()):
            if key.port == interface.ifindex:
                del device.options[key]
            elif key.name in ("activeport", "lb_tx_hash_to_port_mapping") and value == interface.ifindex:
                self.set_option(device, key, 0)
        for key in [key for key in device.sent if key.port == interface.ifindex]:
            del device.sent[key]
        self.touch(interface.ifindex)

    def set_option(self, device: Device, key: OptionKey, value: OptionValue) -> None:
        device.options[key] = value
        for listener in self._listeners:
            listener.option_changed(device, key)
        if key.port:
            # Nothing else can change the carrier.
            self.touch()

    def change_mode(self, device: Device, mode: str) -> None:
        self.set_option(device, OptionKey("mode"), mode)
        for key in [key for key in device.options if OPTIONS[key.name].mode not in ("", mode)]:
            del device.options[key]
        device.sent.clear()
        device.refresh_due = None
        self._make_options(device)

    def announce(self, device: Device) -> None:
        """Start the bursts; one that runs already grows, as in the kernel."""
        for kind in ANNOUNCEMENTS:
            left, due = device.pending.get(kind, (0, self.now))
            count = left + int(device.options[OptionKey(f"{kind}_count")])
            if count:
                device.pending[kind] = count, due

    def _make_options(self, device: Device, port: int = 0) -> None:
        mode = device.options.get(OptionKey("mode"), NO_MODE)
        for spec in OPTIONS.values():
            if spec.mode not in ("", mode) or (spec.scope is Scope.PORT) != (port > 0):
                continue
            for index in range(_HASHES if spec.scope is Scope.ARRAY else 1):
                key = OptionKey(spec.name, port, index)
                if key not in device.options:
                    self.set_option(device, key, _INITIAL.get(spec.name, ZERO[spec.type]))

    def touch(self, *changed: int) -> None:
        """Tell the listeners, and let the carrier of teams follow from their ports."""
        touched = set(changed)
        for device in self._devices.values():
            carrier = any(self.linkup(device, port) for port in device.ports)
            if device.carrier is not None:
                carrier = device.carrier
            if device.interface.cable != carrier:
                device.interface.cable = carrier
                touched.add(device.interface.ifindex)
        for listener in self._listeners:
            listener.links_changed(touched)

    def linkup(self, device: Device, port: int) -> bool:
        """The effective link of a port."""
        if device.options.get(OptionKey("user_linkup_enabled", port)):
            return device.flag("user_linkup", port)
        return self.interface(port).usable
