"""Making an interface a port and giving it back: MTU, flags, IPv6, MAC. Knows no programs."""

from __future__ import annotations

from pyteam.datapath.ebpf import quiet
from pyteam.datapath.ebpf.record import Original
from pyteam.link import format_address, parse_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl


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
