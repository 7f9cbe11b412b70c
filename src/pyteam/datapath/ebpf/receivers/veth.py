"""The receiver that every kernel has: team0 is one end of a veth pair.

Ports redirect frames to its ingress. The other end is idle, carries team0's carrier by being up or
down, and forwards what team0 really transmits, which it does only for a tap or a filter.
"""

from __future__ import annotations

import errno
from typing import Final

from pyteam.datapath.ebpf import quiet
from pyteam.datapath.ebpf.receivers import TX_QUEUES
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.ports import new_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl

_ALIAS: Final = "pyteam: other end of "
_LONGEST_NAME: Final = 15


class VethReceiver:
    """See `Receiver`."""

    kind = "veth"

    def __init__(self, rtnl: Rtnl, device: LinkInfo) -> None:
        self._rtnl = rtnl
        self.ifindex = device.ifindex
        self.other_end = device.link

    @classmethod
    def create(cls, rtnl: Rtnl, name: str) -> VethReceiver:
        """EEXIST: the name is taken."""
        device = None
        for peer in _peer_names(name):
            try:
                device = rtnl.add_veth(
                    name,
                    peer,
                    address=new_address(),
                    peer_address=new_address(),
                    txqueues=TX_QUEUES,
                )
                break
            except NetlinkError as error:
                if error.errno != errno.EEXIST or _exists(rtnl, name):
                    raise
        if device is None:
            raise DatapathError(errno.EEXIST, f"no free name for the other end of {name}")
        receiver = cls(rtnl, device)
        quiet.silence(rtnl, receiver.other_end, peer)
        rtnl.set_link(receiver.other_end, alias=_ALIAS + name)
        return receiver

    @classmethod
    def find(cls, rtnl: Rtnl, name: str) -> VethReceiver | None:
        """The one that a predecessor made; None when the device is something else. ENODEV: none."""
        device = rtnl.link_by_name(name)
        if device.kind != cls.kind or device.link_netnsid is not None:
            return None
        if not rtnl.link(device.link).alias.startswith(_ALIAS):
            return None
        return cls(rtnl, device)

    def carrier(self) -> bool:
        return self._rtnl.link(self.other_end).up

    def set_carrier(self, up: bool) -> None:
        self._rtnl.set_link(self.other_end, up=up)

    def set_mtu(self, mtu: int) -> None:
        self._rtnl.set_link(self.other_end, mtu=mtu)

    def delete(self) -> None:
        self._rtnl.delete_link(self.ifindex)


def _peer_names(team: str) -> list[str]:
    """The telling one first; long team names may have to share their first letters."""
    stem = team.encode()[: _LONGEST_NAME - len("-peer")].decode(errors="ignore")
    return [f"{stem}-peer", *(f"{stem}-pee{digit}" for digit in range(10))]


def _exists(rtnl: Rtnl, name: str) -> bool:
    try:
        rtnl.link_by_name(name)
    except NetlinkError:
        return False
    return True
