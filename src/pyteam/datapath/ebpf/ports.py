"""Making an interface a port, keeping it one, giving it back: MTU, flags, IPv6, MAC. Knows no programs."""

from __future__ import annotations

import contextlib
import logging

from pyteam.datapath.ebpf import quiet
from pyteam.datapath.ebpf.hooks import take_off_orphan
from pyteam.datapath.ebpf.record import Original, OtherVersionError, Record
from pyteam.link import format_address, parse_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl

log = logging.getLogger(__name__)


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
    """Leave another master, take the team's MTU, hear every frame, come up.

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
    rtnl.set_link(link.ifindex, up=True)


def free_orphan(rtnl: Rtnl, link: LinkInfo) -> bool:
    """Give back a port whose team device somebody deleted while no daemon ran; whether it was one."""
    data = take_off_orphan(link.ifindex)
    if not data:
        return False
    log.warning("%s was a port of a team that is gone: giving it back first.", link.name)
    with contextlib.suppress(OtherVersionError):
        port = Record.decode(data).ports.get(link.ifindex)
        if port is not None:
            give_back(rtnl, link, port.original)
    return True


def uphold(rtnl: Rtnl, link: LinkInfo) -> None:
    """Put right what somebody else changed of what `prepare` did."""
    if not (link.promiscuous and link.allmulticast):
        log.warning("Repairing what was changed from outside: set promiscuous mode of %s.", link.name)
        rtnl.set_link(link.ifindex, promiscuous=True, allmulticast=True)
    if quiet.is_silent(link.name) is False:
        log.warning("Repairing what was changed from outside: silence IPv6 on %s.", link.name)
        quiet.silence(rtnl, link.ifindex, link.name)


def follow_mtu(rtnl: Rtnl, link: LinkInfo, mtu: int) -> None:
    """The team's has changed, or somebody changed the port's."""
    if link.mtu == mtu:
        return
    try:
        rtnl.set_link(link.ifindex, mtu=mtu)
    except NetlinkError as error:
        log.warning("%s: cannot follow the team's MTU of %d: %s", link.name, mtu, error)


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
