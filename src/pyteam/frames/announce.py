"""What a host tells its network when its traffic takes another way: here I am, these groups I need.

The same frames as the kernel sends for NETDEV_NOTIFY_PEERS and NETDEV_RESEND_IGMP. Pure: which
addresses and groups, and when, is for the caller to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyteam.frames import icmpv6, igmp, mld
from pyteam.frames.arp import REQUEST, Arp
from pyteam.frames.ethernet import BROADCAST, ETH_P_ARP, Frame, FrameError, sized
from pyteam.frames.ip import IPV6_SIZE


def gratuitous_arp(mac: bytes, ipv4: bytes) -> bytes:
    """Tells everybody that ``ipv4`` is at ``mac``: a request for the own address, as the kernel's."""
    message = Arp(REQUEST, mac, ipv4, bytes(6), ipv4)
    return Frame(BROADCAST, mac, ETH_P_ARP, message.build()).build()


def unsolicited_na(mac: bytes, ipv6: bytes, *, router: bool = False) -> bytes:
    """The same for IPv6. ``router``: whether the interface forwards."""
    return icmpv6.advertisement(mac, ipv6, router=router)


def igmp_report(
    mac: bytes, source: bytes, groups: Sequence[bytes], version: int = 3, *, mtu: int = 1500
) -> list[bytes]:
    """Frames that join IPv4 ``groups`` anew; 224.0.0.1 is left out, as it is never reported."""
    wanted = [group for group in groups if group != igmp.ALL_HOSTS]
    if version < 3:
        return [igmp.report(mac, source, group, version=version) for group in wanted]
    room = (mtu - igmp.V3_OVERHEAD) // igmp.V3_RECORD_SIZE
    return [igmp.report_v3(mac, source, part) for part in _parts(wanted, room)]


def mld_report(
    mac: bytes, source: bytes, groups: Sequence[bytes], version: int = 2, *, mtu: int = 1500
) -> list[bytes]:
    """Frames that join IPv6 ``groups`` anew; ``source`` is the link-local address.

    RFC 3810, 6: all-nodes, and groups that do not leave the host (scopes 0 and 1), are never reported.
    """
    wanted = [group for group in groups if group != icmpv6.ALL_NODES and _scope(group) > 1]
    if version < 2:
        return [mld.report(mac, source, group) for group in wanted]
    room = (mtu - mld.V2_OVERHEAD) // mld.V2_RECORD_SIZE
    return [mld.report_v2(mac, source, part) for part in _parts(wanted, room)]


def _scope(group: bytes) -> int:
    """RFC 4291, 2.7."""
    return sized(group, IPV6_SIZE, "IPv6 group")[1] & 0x0F


def _parts(groups: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    if size < 1:
        raise FrameError("MTU too small for a group report")
    for start in range(0, len(groups), size):
        yield groups[start : start + size]
