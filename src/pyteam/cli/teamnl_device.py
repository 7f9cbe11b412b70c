"""The team device that ``teamnl`` is about, on whichever datapath: what it has, set and watched.

Owns the choice between the two. Must not print.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from pyteam.client import Client, ClientError, ConnectError
from pyteam.control.methods import OPTION_ERRNO
from pyteam.libteam import LinkInfo, NetlinkError, OptionState, Port, PortState, Team
from pyteam.libteam.watch import Change
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team_table import TeamTable
from pyteam.options import OPTIONS, Scope, show_value

if TYPE_CHECKING:
    from pyteam.datapath.ebpf.view import View

#: Seconds between two looks at a team whose datapath tells no news by itself.
POLL: Final = 0.5


class Refused(OSError):
    """A command failed; ``strerror`` is what to say before the errno's own words, may be empty."""


class Device(Protocol):
    """One team device. Calls raise an OSError whose errno is the kernel's."""

    ifindex: int

    def links(self) -> list[LinkInfo]:
        """Every interface of the namespace."""

    def ports(self) -> list[Port]:
        """Oldest first."""

    def options(self) -> list[OptionState]:
        """Oldest first."""

    def write(self, option: OptionState) -> None: ...

    def news(self) -> Iterator[Sequence[Change]]:
        """For ever: what has changed since the last time, each thing once."""


class KernelDevice:
    """Of the kernel's team driver."""

    def __init__(self, rtnl: Rtnl, team: Team) -> None:
        self.ifindex = team.ifindex
        self.links = rtnl.links
        self._team = team

    # The kernel's marks of what changed are of no use here: they tell of anything since anybody asked.

    def ports(self) -> list[Port]:
        return [replace(port, changed=False) for port in self._team.ports()]

    def options(self) -> list[OptionState]:
        return [option._replace(changed=False) for option in self._team.options()]

    def write(self, option: OptionState) -> None:
        self._team.write(option)

    def news(self) -> Iterator[Sequence[Change]]:
        with self._team.watch() as watch:
            while True:
                yield watch.wait()


class EbpfDevice:
    """Of the eBPF datapath: read from what its owner writes down, set by the owner."""

    def __init__(self, rtnl: Rtnl, view: View, name: str, run_dir: str | None) -> None:
        self.ifindex = view.ifindex
        self.links = rtnl.links
        self._rtnl = rtnl
        self._view = view
        self._name = name
        self._run_dir = run_dir

    def ports(self) -> list[Port]:
        known = {link.ifindex: link for link in self.links()}
        members = (known[ifindex] for ifindex in self._view.record().ports if ifindex in known)
        return [self._port(link) for link in members]

    def _port(self, link: LinkInfo) -> Port:
        # As the kernel's driver has it: no speed without a link.
        speed, duplex = self._rtnl.speed_duplex(link.name) if link.carrier else (0, 0)
        return Port(link.ifindex, link.name, link.carrier, speed, duplex)

    def options(self) -> list[OptionState]:
        return [
            OptionState(key, OPTIONS[key.name].type, value, OPTIONS[key.name].scope is Scope.ARRAY)
            for key, value in self._view.options().items()
        ]

    def write(self, option: OptionState) -> None:
        try:
            self._tell_daemon(option)
        except ConnectError as error:
            self._set(option, error)
        except ClientError as error:
            raise Refused(OPTION_ERRNO.get(error.code, error.errno), error.text or str(error)) from error

    def _tell_daemon(self, option: OptionState) -> None:
        """It owns the team: what was set behind its back would not be known to it."""
        key, names = option.key, {0: "", **{link.ifindex: link.name for link in self.links()}}
        if key.port not in names:
            raise Refused(errno.ENODEV, "")
        with Client(self._name, self._run_dir) as daemon:
            daemon.option_set(key.name, names[key.port], str(key.array_index), show_value(option.value))

    def _set(self, option: OptionState, unreachable: ConnectError) -> None:
        """As its owner for a moment: nobody else is."""
        from pyteam.datapath.ebpf.datapath import EbpfDatapath

        if not self._view.released():
            # It may be alive, which the lock would tell; or dead, and its successor is to know.
            raise Refused(
                errno.EBUSY,
                f"{self._name} belongs to a daemon that cannot be asked: {unreachable} (see --run-dir)",
            )
        try:
            datapath = EbpfDatapath.adopt(self._name)
            try:
                datapath.set_option(option.key, option.value)
            finally:
                datapath.close()
        except OSError as error:
            raise Refused(error.errno, error.strerror) from error

    def news(self) -> Iterator[Sequence[Change]]:
        table = TeamTable(0, self.ifindex)
        table.learn(self._all())
        while True:
            time.sleep(POLL)
            table.resynchronize(self._all())
            yield table.take()

    def _all(self) -> list[OptionState | PortState]:
        ports = (PortState(port.ifindex, port.link_up, port.speed, port.duplex) for port in self.ports())
        return [*self.options(), *ports]


@contextmanager
def open_device(name: str, run_dir: str | None = None) -> Iterator[Device]:
    """ENODEV: there is no such interface. EINVAL: it is no team. ``run_dir`` as `Client` has it."""
    with Rtnl() as rtnl:
        info = rtnl.link_by_name(name)
        if info.kind == "team":
            with Team(info.ifindex) as team:
                yield KernelDevice(rtnl, team)
            return
        if info.kind == "veth":
            # Late: the kernel's teams need no libbpf.
            from pyteam.datapath.ebpf.view import View

            view = View.find(rtnl, name)
            if view is not None:
                yield EbpfDevice(rtnl, view, name, run_dir)
                return
        raise NetlinkError(errno.EINVAL, f"{name} is no team device")
