"""Network interfaces and addresses of one namespace: our handful of rtnetlink requests.

Owns the encoding of requests. Links are decoded in `linkinfo`, the socket is `transport`'s, changes
are heard by `monitor`. Must not know what a team is.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypedDict, Unpack

from pyteam.netlink import linkinfo as ifla
from pyteam.netlink import message as nl
from pyteam.netlink.ethtool import Ethtool
from pyteam.netlink.linkinfo import LinkInfo, to_link
from pyteam.netlink.transport import NetlinkError, Transport

__all__ = ["Address", "LinkChange", "LinkInfo", "NetlinkError", "Rtnl", "VethOptions", "to_link"]

NETLINK_ROUTE: Final = 0
RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18
RTM_SETLINK: Final = 19
RTM_NEWADDR: Final = 20
RTM_GETADDR: Final = 22

IFA_ADDRESS: Final = 1
IFA_LOCAL: Final = 2
IFA_FLAGS: Final = 8

VETH_INFO_PEER: Final = 1
IFLA_INET6_ADDR_GEN_MODE: Final = 8
#: enum in6_addr_gen_mode
ADDR_GEN_MODES: Final = {"eui64": 0, "none": 1, "stable_secret": 2, "random": 3}

#: Longest interface name in bytes (IFNAMSIZ - 1).
NAME_MAX: Final = 15

#: struct ifaddrmsg: family, prefixlen, flags, scope, index.
_IFADDR: Final = struct.Struct("=BBBBI")
#: RTEXT_FILTER_SKIP_STATS: they are most of an answer, and nobody here reads them.
_SKIP_STATISTICS: Final = nl.attribute(ifla.IFLA_EXT_MASK, nl.from_u32(1 << 3))


class LinkChange(TypedDict, total=False):
    """What `Rtnl.set_link` can change; None is the same as absent."""

    up: bool | None
    address: bytes | None
    mtu: int | None
    #: ifindex; 0 releases.
    master: int | None
    name: str | None
    carrier: bool | None
    promiscuous: bool | None
    allmulticast: bool | None
    #: How IPv6 makes its link-local address: a key of `ADDR_GEN_MODES`.
    addrgenmode: str | None
    #: Empty removes it.
    alias: str | None
    #: File descriptor of the network namespace to move to.
    namespace: int | None


class VethOptions(TypedDict, total=False):
    """Options of `Rtnl.add_veth`."""

    address: bytes | None
    peer_address: bytes | None
    #: Of both ends.
    mtu: int | None
    #: Of ``name``'s end.
    txqueues: int | None
    up: bool
    #: Only for a peer that stays in this namespace.
    peer_up: bool
    #: File descriptor of the network namespace in which the peer is born.
    peer_namespace: int | None


_FLAGS: Final[dict[str, int]] = {
    "up": ifla.IFF_UP,
    "promiscuous": ifla.IFF_PROMISC,
    "allmulticast": ifla.IFF_ALLMULTI,
}

_ATTRIBUTES: Final[dict[str, Callable[[Any], bytes]]] = {
    "address": lambda value: nl.attribute(ifla.IFLA_ADDRESS, value),
    "mtu": lambda value: nl.attribute(ifla.IFLA_MTU, nl.from_u32(value)),
    "master": lambda value: nl.attribute(ifla.IFLA_MASTER, nl.from_u32(value)),
    "name": lambda value: nl.attribute(ifla.IFLA_IFNAME, nl.from_text(value)),
    "carrier": lambda value: nl.attribute(ifla.IFLA_CARRIER, nl.from_u8(value)),
    # Without its NUL, which the kernel would count as part of it.
    "alias": lambda value: nl.attribute(ifla.IFLA_IFALIAS, nl.from_text(value)[:-1]),
    "addrgenmode": lambda value: nl.nested(
        ifla.IFLA_AF_SPEC,
        nl.nested(socket.AF_INET6, nl.attribute(IFLA_INET6_ADDR_GEN_MODE, nl.from_u8(ADDR_GEN_MODES[value]))),
    ),
    "namespace": lambda value: nl.attribute(ifla.IFLA_NET_NS_FD, nl.from_u32(value)),
    "txqueues": lambda value: nl.attribute(ifla.IFLA_NUM_TX_QUEUES, nl.from_u32(value)),
}


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address of an interface. ``address`` is 4 or 16 bytes; ``scope`` and ``flags`` as the
    kernel counts them (RT_SCOPE_*, linux/rtnetlink.h; IFA_F_*, linux/if_addr.h)."""

    ifindex: int
    family: int
    address: bytes
    prefixlen: int
    scope: int
    flags: int


class Rtnl:
    """Requests to the kernel about interfaces, each answered before it returns.

    Belongs to the network namespace in which it was made. Calls raise `NetlinkError` with the
    kernel's errno, and `NetlinkFormatError` for a value that no netlink message can hold.
    ``timeout`` in seconds.
    """

    def __init__(self, *, timeout: float = 5.0) -> None:
        self._transport = Transport(NETLINK_ROUTE, timeout=timeout)
        try:
            self._ethtool = Ethtool()
        except BaseException:
            self._transport.close()
            raise

    def close(self) -> None:
        self._transport.close()
        self._ethtool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def links(self, master: int = 0) -> list[LinkInfo]:
        """Every interface of the namespace, or the ports of the device with the index ``master``."""
        wanted = _ATTRIBUTES["master"](master) if master else b""
        answers = self._transport.dump(
            RTM_GETLINK, ifla.header() + _SKIP_STATISTICS + wanted, what="cannot list interfaces"
        )
        found = [ifla.decode(message.payload) for message in answers if message.kind == RTM_NEWLINK]
        # Kernels without strict checking may ignore the master in the request.
        return [link for link in found if not master or link.master == master]

    def link(self, ifindex: int) -> LinkInfo:
        """ENODEV: there is none with this index."""
        what = f"cannot read interface {ifindex}"
        _need_index(ifindex, what)
        return self._get(ifla.header(ifindex), what)

    def link_by_name(self, name: str) -> LinkInfo:
        """By name, or by one of its alternative names. ENODEV: there is none."""
        what = f"cannot read interface {name!r}"
        if not name or "\0" in name or len(name.encode("utf-8", "surrogateescape")) > NAME_MAX:
            raise NetlinkError(errno.ENODEV, what)
        return self._get(ifla.header() + _ATTRIBUTES["name"](name), what)

    def statistics(self, ifindex: int) -> dict[str, int]:
        """``rx_packets tx_packets rx_bytes tx_bytes`` of the interface. ENODEV: there is none."""
        what = f"cannot read statistics of interface {ifindex}"
        _need_index(ifindex, what)
        for message in self._transport.request(RTM_GETLINK, ifla.header(ifindex), what=what):
            if message.kind == RTM_NEWLINK:
                return ifla.decode_statistics(message.payload)
        raise NetlinkError(errno.ENODEV, what)

    def addresses(self, ifindex: int = 0) -> list[Address]:
        """The IP addresses of one interface, or of all. ENODEV: there is none with this index."""
        what = f"cannot list IP addresses of interface {ifindex}" if ifindex else "cannot list IP addresses"
        if ifindex:
            _need_index(ifindex, what)
        answers = self._transport.dump(RTM_GETADDR, _IFADDR.pack(0, 0, 0, 0, ifindex), what=what)
        found = [decode_address(message.payload) for message in answers if message.kind == RTM_NEWADDR]
        # Kernels without strict checking ignore the index in the request.
        return [address for address in found if ifindex in (0, address.ifindex)]

    def speed_duplex(self, name: str) -> tuple[int, int]:
        """Mb/s and 0 half, 1 full, 255 unknown; (0, 0) when the driver refuses. See `Ethtool`."""
        return self._ethtool.speed_duplex(name)

    def set_link(self, ifindex: int, **change: Unpack[LinkChange]) -> None:
        """Change what is given, in one request, in the kernel's own order.

        After an error the part before it stays changed. ENODEV: there is none with this index.
        """
        given = ", ".join(
            f"{key} {value.hex(':') if isinstance(value, bytes) else value}"
            for key, value in change.items()
            if value is not None
        )
        what = f"cannot set {given} of interface {ifindex}"
        _need_index(ifindex, what)
        self._transport.request(RTM_SETLINK, encode_set_link(ifindex, **change), what=what)

    def add_link(self, name: str, kind: str, address: bytes | None = None) -> LinkInfo:
        """Create an interface that needs no parameters (``team``, ``bond``, ``bridge``, ``dummy``).

        Without ``address`` the kernel chooses one, and udev perhaps another. EEXIST: the name is taken.
        EOPNOTSUPP: the kernel does not know the kind.
        """
        info = nl.nested(ifla.IFLA_LINKINFO, nl.attribute(ifla.IFLA_INFO_KIND, nl.from_text(kind)))
        header = encode_set_link(0, name=name, address=address)
        self._create(header + info, f"cannot create {kind} {name!r}")
        return self.link_by_name(name)

    def load_kind(self, kind: str) -> None:
        """Let the kernel load the module for a kind of interface, if it has one; creates none."""
        info = nl.nested(ifla.IFLA_LINKINFO, nl.attribute(ifla.IFLA_INFO_KIND, nl.from_text(kind)))
        # Only a request to create one loads it. A namespace that cannot be ends that before the device.
        nowhere = nl.attribute(ifla.IFLA_NET_NS_FD, b"\xff\xff\xff\xff")
        with contextlib.suppress(NetlinkError):
            self._create(ifla.header() + nowhere + info, f"cannot load the module for {kind}")

    def add_veth(self, name: str, peer: str, **options: Unpack[VethOptions]) -> LinkInfo:
        """Create a pair. The answer is ``name``'s end; its ``link`` is the peer's ifindex.

        EEXIST: a name is taken.
        """
        peer_up = options.get("peer_up", False)
        if peer_up and options.get("peer_namespace") is not None:
            raise ValueError(f"{peer!r} goes to another namespace: bring it up with a Rtnl made there")
        self._create(encode_add_veth(name, peer, **options), f"cannot create veth pair {name!r} and {peer!r}")
        info = self.link_by_name(name)
        if peer_up:
            # Not in the same request: the kernel opens the peer before it has paired the two.
            self.set_link(info.link, up=True)
            info = self.link(info.ifindex)
        return info

    def delete_link(self, ifindex: int) -> None:
        """ENODEV: gone already. EOPNOTSUPP: hardware cannot be deleted."""
        what = f"cannot delete interface {ifindex}"
        _need_index(ifindex, what)
        self._transport.request(RTM_DELLINK, ifla.header(ifindex), what=what)

    def _get(self, payload: bytes, what: str) -> LinkInfo:
        for message in self._transport.request(RTM_GETLINK, payload + _SKIP_STATISTICS, what=what):
            if message.kind == RTM_NEWLINK:
                return ifla.decode(message.payload)
        raise NetlinkError(errno.ENODEV, what)

    def _create(self, payload: bytes, what: str) -> None:
        self._transport.request(RTM_NEWLINK, payload, flags=nl.NLM_F_CREATE | nl.NLM_F_EXCL, what=what)


def encode_set_link(ifindex: int, **change: Unpack[LinkChange]) -> bytes:
    """The payload of RTM_SETLINK."""
    flags = mask = 0
    parts = []
    for key, value in change.items():
        if value is None:
            continue
        if key in _FLAGS:
            mask |= _FLAGS[key]
            flags |= _FLAGS[key] if value else 0
        else:
            parts.append(_ATTRIBUTES[key](value))
    return ifla.header(ifindex, flags, mask) + b"".join(parts)


def encode_add_veth(name: str, peer: str, **options: Unpack[VethOptions]) -> bytes:
    """The payload of RTM_NEWLINK for a pair; ``peer_up`` is not in it."""
    mtu, queues = options.get("mtu"), options.get("txqueues")
    suffix = b"" if queues is None else _ATTRIBUTES["txqueues"](queues)
    own = encode_set_link(0, name=name, address=options.get("address"), mtu=mtu, up=options.get("up"))
    other = encode_set_link(
        0,
        name=peer,
        address=options.get("peer_address"),
        mtu=mtu,
        namespace=options.get("peer_namespace"),
    )
    info = nl.nested(
        ifla.IFLA_LINKINFO,
        nl.attribute(ifla.IFLA_INFO_KIND, nl.from_text("veth")),
        nl.nested(ifla.IFLA_INFO_DATA, nl.nested(VETH_INFO_PEER, other)),
    )
    return own + suffix + info


def decode_address(payload: bytes) -> Address:
    """The payload of an RTM_NEWADDR. Raises `NetlinkFormatError`."""
    if len(payload) < _IFADDR.size:
        raise nl.NetlinkFormatError(f"address message of {len(payload)} bytes, {_IFADDR.size} are needed")
    family, prefixlen, flags, scope, ifindex = _IFADDR.unpack_from(payload)
    found = nl.attributes(payload, _IFADDR.size)
    wide = found.get(IFA_FLAGS)
    return Address(
        ifindex=ifindex,
        family=family,
        # On point-to-point links IFA_ADDRESS is the other end's.
        address=found.get(IFA_LOCAL, found.get(IFA_ADDRESS, b"")),
        prefixlen=prefixlen,
        scope=scope,
        flags=flags if wide is None else nl.to_u32(wide),
    )


def _need_index(ifindex: int, what: str) -> None:
    if not 0 < ifindex <= ifla.IFINDEX_MAX:
        raise NetlinkError(errno.ENODEV, what)
