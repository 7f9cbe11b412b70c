"""A team on the eBPF datapath, seen by a process that does not own it: reading never disturbs the owner."""

from __future__ import annotations

import errno
from typing import Self

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.options import Options
from pyteam.datapath.ebpf.receivers.veth import VethReceiver
from pyteam.datapath.ebpf.record import Record
from pyteam.datapath.interface import DatapathError
from pyteam.netlink.rtnl import Rtnl
from pyteam.options import OptionKey, OptionValue


class View:
    """Made by `find`; each call reads anew. ``ifindex`` is the team device's."""

    def __init__(self, rtnl: Rtnl, receiver: VethReceiver, name: str) -> None:
        self.ifindex = receiver.ifindex
        self._rtnl = rtnl
        self._receiver = receiver
        self._name = name

    @classmethod
    def find(cls, rtnl: Rtnl, name: str) -> Self | None:
        """None: the device is no team of this datapath. ENODEV: there is none."""
        receiver = VethReceiver.find(rtnl, name)
        return None if receiver is None else cls(rtnl, receiver, name)

    def record(self) -> Record:
        """What its owner has written down; a blank one before it set a mode."""
        hooks = Hooks.find(self._receiver.ifindex, self._receiver.other_end)
        if hooks is None:
            return Record()
        try:
            return Record.decode(hooks.read_record())
        except ValueError as error:
            raise DatapathError(
                errno.EINVAL, f"{self._name} was made by another version of pyteam: {error}"
            ) from error
        finally:
            hooks.close()

    def options(self) -> dict[OptionKey, OptionValue]:
        """Every option that the team has in its mode."""
        return Options(self.record()).all()

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        """EBUSY: a daemon owns the team, and nobody may change it beside that. Else as `Datapath`."""
        if not self.record().released:
            # It may be alive, which the lock will tell; or dead, and its successor needs to know.
            raise DatapathError(
                errno.EBUSY,
                f"{self._name} belongs to a daemon: on the eBPF datapath its options are changed by that "
                "alone (teamdctl, or the configuration)",
            )
        datapath = EbpfDatapath.adopt(self._name)
        try:
            datapath.set_option(key, value)
        finally:
            datapath.close()
