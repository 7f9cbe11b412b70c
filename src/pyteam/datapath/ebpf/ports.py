"""Making an interface a port and giving it back: MTU, flags, IPv6, MAC. Knows no programs."""

from __future__ import annotations

import errno

from pyteam.datapath.ebpf import quiet
from pyteam.datapath.ebpf.record import Original
from pyteam.datapath.interface import DatapathError
from pyteam.link import format_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl


def check(link: LinkInfo, team: int) -> None:
    """Refuse, with the kernel driver's errno, what cannot be a port of the team device."""
    if link.ifindex == team:
        raise DatapathError(errno.EINVAL, f"{link.name} is the team device itself")
    if link.loopback:
        raise DatapathError(errno.EINVAL, f"{link.name} is a loopback: no frame leaves by it")
    if len(link.address) != 6:
        raise DatapathError(errno.EINVAL, f"{link.name} is no Ethernet interface")
    if link.up:
        raise DatapathError(
            errno.EBUSY, f"{link.name} is up: set it down first (ip link set {link.name} down)"
        )


def remember(link: LinkInfo) -> Original:
    """What `give_back` will need."""
    return Original(
        address=format_address(link.address),
        mtu=link.mtu,
        # Asked for by the administrator; the kernel's own count does not show in these flags.
        promiscuous=link.promiscuous,
        allmulticast=link.allmulticast,
        disable_ipv6=quiet.is_silent(link.name),
    )


def prepare(rtnl: Rtnl, link: LinkInfo, mtu: int) -> None:
    """Leave another master, take the team's MTU, hear every frame.

    Promiscuous, because nothing tells a port which addresses are in use above team0 (a bridge, a
    macvlan, groups joined): the veth receiver does not hand its lists down.
    """
    if link.master:
        rtnl.set_link(link.ifindex, master=0)
        rtnl.set_link(link.ifindex, up=False)
    quiet.silence(rtnl, link.ifindex, link.name)
    if link.mtu != mtu:
        rtnl.set_link(link.ifindex, mtu=mtu)
    rtnl.set_link(link.ifindex, promiscuous=True, allmulticast=True)


def give_back(rtnl: Rtnl, link: LinkInfo, original: Original) -> None:
    """Down, and as it was. All that can be restored is, also when one thing cannot."""
    problems = []
    changes = (
        {"up": False},
        {"promiscuous": original.promiscuous, "allmulticast": original.allmulticast},
        {"mtu": original.mtu} if link.mtu != original.mtu else {},
        {"address": parse_address(original.address)}
        if format_address(link.address) != original.address
        else {},
    )
    for change in changes:
        try:
            if change:
                rtnl.set_link(link.ifindex, **change)
        except NetlinkError as error:
            problems.append(error)
    if original.disable_ipv6 is False:
        quiet.restore(rtnl, link.ifindex, link.name)
    if problems:
        raise problems[0]


def set_address(rtnl: Rtnl, link: LinkInfo, address: bytes) -> None:
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


def parse_address(text: str) -> bytes:
    """The inverse of `format_address`."""
    return bytes.fromhex(text.replace(":", ""))
