"""One network interface as rtnetlink describes it, and the way from there to `pyteam.link.Link`.

Owns the decoding of RTM_NEWLINK (linux/if_link.h). Pure: knows no socket.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pyteam.link import Link
from pyteam.netlink import message as nl

IFF_UP: Final = 0x1
IFF_LOOPBACK: Final = 0x8
IFF_PROMISC: Final = 0x100
IFF_ALLMULTI: Final = 0x200
IFF_LOWER_UP: Final = 0x10000

IFLA_ADDRESS: Final = 1
IFLA_IFNAME: Final = 3
IFLA_MTU: Final = 4
IFLA_LINK: Final = 5
IFLA_MASTER: Final = 10
IFLA_WIRELESS: Final = 11
IFLA_LINKINFO: Final = 18
IFLA_IFALIAS: Final = 20
IFLA_STATS64: Final = 23
IFLA_AF_SPEC: Final = 26
IFLA_NET_NS_FD: Final = 28
IFLA_EXT_MASK: Final = 29
IFLA_PROMISCUITY: Final = 30
IFLA_NUM_TX_QUEUES: Final = 31
IFLA_CARRIER: Final = 33
IFLA_PHYS_PORT_ID: Final = 34
IFLA_LINK_NETNSID: Final = 37
IFLA_PERM_ADDRESS: Final = 54

IFLA_INFO_KIND: Final = 1
IFLA_INFO_DATA: Final = 2

#: struct ifinfomsg: family, type, index, flags, change.
_IFINFO: Final = struct.Struct("=BxHiII")
HEADER_SIZE: Final = _IFINFO.size
#: The head of struct rtnl_link_stats64.
_COUNTERS: Final = struct.Struct("=4Q")
#: What stands for a number that the kernel does not tell.
_ZERO: Final = nl.from_u32(0)
_ONE: Final = nl.from_u32(1)
COUNTERS: Final = ("rx_packets", "tx_packets", "rx_bytes", "tx_bytes")
IFINDEX_MAX: Final = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """One interface. Addresses are raw bytes; what the kernel does not tell has its default."""

    ifindex: int
    name: str
    address: bytes = b""
    #: The hardware's own address; empty where the driver knows none (every virtual device).
    permanent_address: bytes = b""
    mtu: int = 0
    #: ``IFF_*``, linux/if.h.
    flags: int = 0
    #: ifindex of the device that this one is a port of; 0: none.
    master: int = 0
    #: ifindex of the device below (VLAN, macvlan) or of the peer (veth); 0: none.
    link: int = 0
    #: Namespace id of ``link`` where that is not ours.
    link_netnsid: int | None = None
    #: ``veth``, ``team``, ``vlan``, ...; empty for hardware and loopback.
    kind: str = ""
    alias: str = ""
    num_tx_queues: int = 1
    #: How many have asked for promiscuous mode.
    promiscuity: int = 0
    phys_port_id: bytes = b""
    #: What the driver says of its carrier, also while the interface is down (`carrier` is false then).
    carrier_on: bool = False

    @property
    def up(self) -> bool:
        return bool(self.flags & IFF_UP)

    @property
    def carrier(self) -> bool:
        """IFF_LOWER_UP, not the operational state: that one lags behind by the kernel's link watch."""
        return bool(self.flags & IFF_LOWER_UP)

    @property
    def promiscuous(self) -> bool:
        """Set by an administrator; what the kernel itself asks for is in ``promiscuity`` only."""
        return bool(self.flags & IFF_PROMISC)

    @property
    def allmulticast(self) -> bool:
        return bool(self.flags & IFF_ALLMULTI)

    @property
    def loopback(self) -> bool:
        return bool(self.flags & IFF_LOOPBACK)


def header(ifindex: int = 0, flags: int = 0, change: int = 0) -> bytes:
    """What every message about a link begins with; ``change`` masks the ``flags`` to be set."""
    if not 0 <= ifindex <= IFINDEX_MAX:
        raise nl.NetlinkFormatError(f"{ifindex} is no interface index: 1 to {IFINDEX_MAX}")
    return _IFINFO.pack(0, 0, ifindex, flags, change)


def peek(payload: bytes) -> tuple[int, int, str]:
    """Address family, ifindex and name of an RTM_NEWLINK or RTM_DELLINK, without decoding the rest.

    The kernel puts the name first, so that this stays cheap for interfaces that nobody asked about.
    """
    family, _, ifindex, _, _ = _header(payload)
    for kind, value in nl.walk(payload, HEADER_SIZE):
        if kind == IFLA_IFNAME:
            return family, ifindex, nl.to_text(value)
    return family, ifindex, ""


def decode(payload: bytes) -> LinkInfo:
    """The payload of an RTM_NEWLINK. Raises `NetlinkFormatError`."""
    return _decode(payload, nl.attributes(payload, HEADER_SIZE))


def decode_event(payload: bytes) -> LinkInfo | None:
    """As `decode`; None for an event of a wireless driver, which lacks the attributes of the link."""
    found = nl.attributes(payload, HEADER_SIZE)
    return None if IFLA_WIRELESS in found else _decode(payload, found)


def _decode(payload: bytes, found: Mapping[int, bytes]) -> LinkInfo:
    _, _, ifindex, flags, _ = _header(payload)
    info = nl.attributes(found.get(IFLA_LINKINFO, b""))
    netnsid = found.get(IFLA_LINK_NETNSID)
    return LinkInfo(
        ifindex=ifindex,
        name=nl.to_text(found.get(IFLA_IFNAME, b"")),
        address=found.get(IFLA_ADDRESS, b""),
        permanent_address=found.get(IFLA_PERM_ADDRESS, b""),
        mtu=nl.to_u32(found.get(IFLA_MTU, _ZERO)),
        flags=flags,
        master=nl.to_u32(found.get(IFLA_MASTER, _ZERO)),
        link=nl.to_u32(found.get(IFLA_LINK, _ZERO)),
        link_netnsid=None if netnsid is None else nl.to_s32(netnsid),
        kind=nl.to_text(info.get(IFLA_INFO_KIND, b"")),
        alias=nl.to_text(found.get(IFLA_IFALIAS, b"")),
        num_tx_queues=nl.to_u32(found.get(IFLA_NUM_TX_QUEUES, _ONE)),
        promiscuity=nl.to_u32(found.get(IFLA_PROMISCUITY, _ZERO)),
        phys_port_id=found.get(IFLA_PHYS_PORT_ID, b""),
        carrier_on=found.get(IFLA_CARRIER, b"\0") != b"\0",
    )


def decode_statistics(payload: bytes) -> dict[str, int]:
    """The four counters of an RTM_NEWLINK that everybody wants; all 0 where it has none.

    Raises `NetlinkFormatError`.
    """
    found = nl.attributes(payload, HEADER_SIZE).get(IFLA_STATS64, bytes(_COUNTERS.size))
    if len(found) < _COUNTERS.size:
        raise nl.NetlinkFormatError(f"link statistics of {len(found)} bytes, {_COUNTERS.size} are needed")
    return dict(zip(COUNTERS, _COUNTERS.unpack_from(found), strict=True))


def to_link(
    info: LinkInfo,
    *,
    member: bool,
    permanent_address: bytes | None = None,
    speed: int = 0,
    duplex: int = 0,
    carrier: bool | None = None,
) -> Link:
    """The engine's view. ``speed`` in Mb/s; ``carrier`` where somebody knows better.

    ``permanent_address`` None: the hardware's where the kernel tells it, else the current one, which
    is right only for an interface that no team has changed; for a port pass the remembered one.
    """
    return Link(
        ifindex=info.ifindex,
        name=info.name,
        address=info.address,
        permanent_address=permanent_address or info.permanent_address or info.address,
        mtu=info.mtu,
        up=info.up,
        carrier=info.carrier if carrier is None else carrier,
        speed=speed,
        duplex=duplex,
        member=member,
        loopback=info.loopback,
    )


def _header(payload: bytes) -> tuple[int, int, int, int, int]:
    if len(payload) < HEADER_SIZE:
        raise nl.NetlinkFormatError(f"link message of {len(payload)} bytes, {HEADER_SIZE} are needed")
    family, device_type, ifindex, flags, change = _IFINFO.unpack_from(payload)
    return family, device_type, ifindex, flags, change
