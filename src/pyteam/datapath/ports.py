"""What a team's devices and ports have in common, whatever moves the packets."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from pyteam.datapath.interface import DatapathError
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl


def new_address() -> bytes:
    """A MAC for a new team device, until it has a port's; locally administered.

    One that the kernel chose would be udev's to change, at any moment (``MACAddressPolicy=persistent``).
    """
    first, *others = os.urandom(6)
    return bytes((first & 0xFC | 0x02, *others))


def check(link: LinkInfo, team: int, read: Callable[[int], LinkInfo]) -> None:
    """Refuse, with the kernel driver's errno, what cannot be a port of the team device.

    ``read``: an interface by ifindex, to name the one that has it.
    """
    if link.ifindex == team:
        raise DatapathError(errno.EINVAL, f"{link.name} is the team device itself")
    if link.loopback:
        raise DatapathError(errno.EINVAL, f"{link.name} is a loopback: no frame leaves by it")
    if len(link.address) != 6:
        raise DatapathError(errno.EINVAL, f"{link.name} is no Ethernet interface")
    if link.up and link.master:
        # Not "set it down": that would cut off whoever uses it.
        raise DatapathError(
            errno.EBUSY,
            f"{link.name} is up, as a port of {read(link.master).name}: "
            f"release it there first (ip link set {link.name} nomaster)",
        )
    if link.up:
        raise DatapathError(
            errno.EBUSY, f"{link.name} is up: set it down first (ip link set {link.name} down)"
        )


def change_address(rtnl: Rtnl, link: LinkInfo, address: bytes) -> None:
    """Some drivers change their MAC only while they are down: then down it goes, for a moment."""
    try:
        rtnl.set_link(link.ifindex, address=address)
    except NetlinkError as error:
        if error.errno != errno.EBUSY or not link.up:
            raise
        rtnl.set_link(link.ifindex, up=False)
        try:
            rtnl.set_link(link.ifindex, address=address)
        finally:
            rtnl.set_link(link.ifindex, up=True)
