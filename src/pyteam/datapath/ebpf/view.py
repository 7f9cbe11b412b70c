"""A team on the eBPF datapath, seen by a process that does not own it: reading never disturbs the owner."""

from __future__ import annotations

import contextlib
from typing import Self

from pyteam.datapath.ebpf import loadbalance
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.meter import Meter
from pyteam.datapath.ebpf.options import Options
from pyteam.datapath.ebpf.receivers.veth import VethReceiver
from pyteam.datapath.ebpf.record import OtherVersionError, Record
from pyteam.netlink.rtnl import NetlinkError, Rtnl
from pyteam.options import OptionKey, OptionValue


class View:
    """Made by `find`; each call reads anew. ``ifindex`` is the team device's."""

    def __init__(self, receiver: VethReceiver) -> None:
        self.ifindex = receiver.ifindex
        self._receiver = receiver

    @classmethod
    def find(cls, rtnl: Rtnl, name: str) -> Self | None:
        """None: the device is no team of this datapath. ENODEV: there is none."""
        receiver = VethReceiver.find(rtnl, name)
        return None if receiver is None else cls(receiver)

    def record(self) -> Record:
        """What its owner has written down; a blank one before it set a mode. EINVAL: not by this version."""
        return self._read()[0]

    def options(self) -> dict[OptionKey, OptionValue]:
        """Every option that the team has in its mode."""
        record, counters = self._read()
        return Options(record).all() | counters

    def _read(self) -> tuple[Record, dict[OptionKey, OptionValue]]:
        hooks = Hooks.find(self._receiver.ifindex, self._receiver.other_end)
        if hooks is None:
            return Record(), {}
        try:
            record, meter = Record.decode(hooks.read_record()), Meter()
            meter.start(loadbalance.interval(record), now=0)
            meter.refresh(0, hooks)
            return record, meter.shown(record)
        finally:
            hooks.close()

    def released(self) -> bool:
        """Whether its last owner left it on purpose: else it lives, or died and is to be succeeded."""
        try:
            return self.record().released
        except OtherVersionError:
            return False


def orphaned(name: str) -> bool:
    """Whether a device of this name is ours and its owner died without leaving on purpose.

    False also when it does not exist, or is somebody else's kind of device.
    """
    with contextlib.suppress(NetlinkError), Rtnl() as rtnl:
        view = View.find(rtnl, name)
        return view is not None and not view.released()
    return False
