"""One team device, by its names: what users of libteam do with it.

Owns the way from names to indexes and from values to option types; the messages are netlink's. Must
not decide anything: no runner, no link watch.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Final, Self

from pyteam.libteam.watch import Watch
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl
from pyteam.netlink.team import OptionState, PortState, TeamFamily
from pyteam.options import OptionKey, OptionValue

#: IFLA_INFO_KIND of the driver's devices.
KIND: Final = "team"
NO_DRIVER: Final = (
    "this kernel has no team driver: load it (modprobe team); teamd does without (--datapath ebpf)"
)


@dataclass(frozen=True, slots=True)
class Port:
    """A port as the driver sees it; ``speed`` in Mb/s, ``duplex`` 0 half, 1 full, 255 unknown.

    Both are 0 while the link is down. ``changed``: since somebody last asked.
    """

    ifindex: int
    name: str
    link_up: bool
    speed: int
    duplex: int
    changed: bool = False
    removed: bool = False

    @classmethod
    def of(cls, state: PortState, name: str) -> Self:
        return cls(
            state.ifindex, name, state.link_up, state.speed, state.duplex, state.changed, state.removed
        )


class Team:
    """An existing team device of the network namespace in which this is made.

    ENODEV: there is none of this name or index. EINVAL: it is no team of the kernel's driver. Interfaces
    are given by name or index. Leaving a ``with`` block closes the sockets and leaves the device as it
    is.
    """

    def __init__(self, device: str | int, *, timeout: float = 5.0) -> None:
        """``timeout`` in seconds guards every wait for the kernel."""
        with ExitStack() as opened:
            self._rtnl = opened.enter_context(Rtnl(timeout=timeout))
            info = self._find(device)
            if info.kind != KIND:
                raise NetlinkError(errno.EINVAL, f"{info.name} is no team device")
            self._family = opened.enter_context(TeamFamily(timeout=timeout))
            self.ifindex = info.ifindex
            self._opened = opened.pop_all()

    @classmethod
    def create(cls, name: str = "") -> Self:
        """Make a new device; without a name the first free ``team<N>``.

        EEXIST: the name is taken. EOPNOTSUPP: this kernel has no team driver (modprobe team).
        """
        candidates = [name] if name else (f"{KIND}{number}" for number in count())
        with Rtnl() as rtnl:
            for candidate in candidates:
                try:
                    return cls(rtnl.add_link(candidate, KIND).ifindex)
                except NetlinkError as error:
                    if error.errno == errno.EOPNOTSUPP:
                        raise NetlinkError(
                            errno.EOPNOTSUPP, f"cannot create {candidate}", NO_DRIVER
                        ) from error
                    if name or error.errno != errno.EEXIST:
                        raise
        raise AssertionError("numbers never end")

    @classmethod
    def recreate(cls, name: str) -> Self:
        """Delete whatever interface has this name, if any, and make a new device."""
        with Rtnl() as rtnl:
            try:
                rtnl.delete_link(rtnl.link_by_name(name).ifindex)
            except NetlinkError as error:
                if error.errno != errno.ENODEV:
                    raise
        return cls.create(name)

    def destroy(self) -> None:
        """Delete the device, which gives its ports back as they were, and close."""
        self._rtnl.delete_link(self.ifindex)
        self.close()

    def close(self) -> None:
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The device as an interface

    @property
    def link(self) -> LinkInfo:
        """The device, read now."""
        return self._rtnl.link(self.ifindex)

    @property
    def name(self) -> str:
        return self.link.name

    @property
    def address(self) -> bytes:
        """The MAC; setting it may change those of the ports, as the mode has it."""
        return self.link.address

    @address.setter
    def address(self, address: bytes) -> None:
        self._rtnl.set_link(self.ifindex, address=address)

    @property
    def carrier(self) -> bool:
        """Follows the ports until it is set for the first time; then only what is set counts."""
        return self.link.carrier_on

    @carrier.setter
    def carrier(self, up: bool) -> None:
        self._rtnl.set_link(self.ifindex, carrier=up)

    # Ports

    def ports(self) -> list[Port]:
        """Oldest first."""
        names = {link.ifindex: link.name for link in self._rtnl.links(master=self.ifindex)}
        return [Port.of(port, names.get(port.ifindex, "")) for port in self._family.ports(self.ifindex)]

    def add_port(self, port: str | int) -> None:
        """EBUSY: it is up. EINVAL: loopback, or the device itself. Leaves another master by itself."""
        self._rtnl.set_link(self._index(port), master=self.ifindex)

    def remove_port(self, port: str | int) -> None:
        """It goes down and gets back its own MAC and MTU. ENODEV: it is no port of this device."""
        self._rtnl.set_link(self._own(port), master=0)

    # Options

    def options(self) -> list[OptionState]:
        """Every instance of every option, oldest first; `pyteam.options` says what they mean."""
        return self._family.options(self.ifindex)

    def option(self, name: str, *, port: str | int = 0, index: int = 0) -> OptionState:
        """One of them. ENOENT: none of this name, port and array index."""
        key = OptionKey(name, self._own(port) if port else 0, index)
        for option in self.options():
            if option.key == key:
                return option
        raise NetlinkError(errno.ENOENT, f"no option {_describe(key)}")

    def get(self, name: str, *, port: str | int = 0, index: int = 0) -> OptionValue:
        """The value of an option. ENOENT as of `option`."""
        return self.option(name, port=port, index=index).value

    def set(self, name: str, value: OptionValue, *, port: str | int = 0, index: int = 0) -> None:
        """Change the value of an option; its type is the driver's. ENOENT as of `option`."""
        self.write(self.option(name, port=port, index=index)._replace(value=value))

    def write(self, *options: OptionState) -> None:
        """Set options that were read before, in one request; after an error those before it stay set."""
        self._family.set(self.ifindex, *options)

    @property
    def mode(self) -> str:
        """How packets are spread; can be set while there are no ports."""
        return str(self.get("mode"))

    @mode.setter
    def mode(self, mode: str) -> None:
        self.set("mode", mode)

    @property
    def active_port(self) -> int:
        """ifindex of the port that carries the traffic, 0 for none (mode ``activebackup``)."""
        return int(self.get("activeport"))

    @active_port.setter
    def active_port(self, port: str | int) -> None:
        self.set("activeport", self._index(port))

    # Changes

    def watch(self) -> Watch:
        """From now on; independent of the options and ports that are read here."""
        return Watch(self._rtnl, self._family, self.ifindex)

    def _find(self, interface: str | int) -> LinkInfo:
        if isinstance(interface, int):
            return self._rtnl.link(interface)
        return self._rtnl.link_by_name(interface)

    def _index(self, interface: str | int) -> int:
        return interface if isinstance(interface, int) else self._find(interface).ifindex

    def _own(self, interface: str | int) -> int:
        info = self._find(interface)
        if info.master != self.ifindex:
            raise NetlinkError(errno.ENODEV, f"{info.name} is no port of this team")
        return info.ifindex


def _describe(key: OptionKey) -> str:
    where = f" of port {key.port}" if key.port else ""
    return f"{key.name}[{key.array_index}]{where}" if key.array_index else f"{key.name}{where}"
