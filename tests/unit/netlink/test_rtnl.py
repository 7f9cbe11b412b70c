"""What we encode, pyroute2 encodes the same; what pyroute2 encodes, we read."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from pyteam.link import Link
from pyteam.netlink import linkinfo
from pyteam.netlink import message as nl
from pyteam.netlink.rtnl import (
    Address,
    LinkChange,
    VethOptions,
    decode_address,
    encode_add_veth,
    encode_set_link,
)

MAC = bytes.fromhex("02000000000a")

# Types of attributes that hold attributes, by the path to them; behind VETH_INFO_PEER comes a header.
NESTS = {(18,): 0, (18, 2): 0, (18, 2, 1): linkinfo.HEADER_SIZE, (26,): 0, (26, 10): 0}


def tree(data: bytes, offset: int, path: tuple[int, ...] = ()) -> list[Any]:
    """Attributes in an order of their own, nested ones opened."""
    found: list[Any] = []
    for kind, value in nl.walk(data, offset):
        inner = (*path, kind)
        if inner in NESTS:
            found.append((kind, value[: NESTS[inner]], tree(value, NESTS[inner], inner)))
        else:
            found.append((kind, value, []))
    return sorted(found)


def pyroute2_link(attributes: list[Any], **header: int) -> bytes:
    message = ifinfmsg()
    for key, value in header.items():
        message[key] = value
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data[nl.HEADER_SIZE :])


CHANGES: list[tuple[LinkChange, list[Any], dict[str, int]]] = [
    ({}, [], {}),
    ({"up": True}, [], {"flags": 1, "change": 1}),
    ({"up": False}, [], {"flags": 0, "change": 1}),
    ({"up": None, "address": None, "mtu": None}, [], {}),
    ({"promiscuous": True, "allmulticast": False}, [], {"flags": 0x100, "change": 0x300}),
    ({"address": MAC}, [("IFLA_ADDRESS", MAC.hex(":"))], {}),
    ({"mtu": 9000}, [("IFLA_MTU", 9000)], {}),
    ({"master": 7}, [("IFLA_MASTER", 7)], {}),
    ({"master": 0}, [("IFLA_MASTER", 0)], {}),
    ({"name": "team0"}, [("IFLA_IFNAME", "team0")], {}),
    ({"carrier": False}, [("IFLA_CARRIER", 0)], {}),
    ({"namespace": 5}, [("IFLA_NET_NS_FD", 5)], {}),
    (
        {"addrgenmode": "none"},
        [("IFLA_AF_SPEC", {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", 1)]})]})],
        {},
    ),
    (
        {"up": True, "mtu": 1400, "master": 3},
        [("IFLA_MTU", 1400), ("IFLA_MASTER", 3)],
        {"flags": 1, "change": 1},
    ),
]


@pytest.mark.parametrize(("change", "attributes", "header"), CHANGES)
def test_set_link_is_what_pyroute2_sends(
    change: LinkChange, attributes: list[Any], header: dict[str, int]
) -> None:
    ours = encode_set_link(42, **change)
    theirs = pyroute2_link(attributes, index=42, **header)
    size = linkinfo.HEADER_SIZE
    assert ours[:size] == theirs[:size]
    assert tree(ours, size) == tree(theirs, size)


def test_alias_goes_without_a_nul() -> None:
    # The kernel counts a NUL as part of it; pyroute2 sends one.
    assert nl.attributes(encode_set_link(1, alias="up"), linkinfo.HEADER_SIZE) == {20: b"up"}
    assert nl.attributes(encode_set_link(1, alias=""), linkinfo.HEADER_SIZE) == {20: b""}


def test_veth_is_what_pyroute2_sends() -> None:
    options: VethOptions = {
        "address": MAC,
        "peer_address": MAC,
        "mtu": 1400,
        "txqueues": 4,
        "up": True,
        "peer_namespace": 5,
    }
    ours = encode_add_veth("a0", "b0", **options)
    common = [("IFLA_ADDRESS", MAC.hex(":")), ("IFLA_MTU", 1400)]
    peer = {"attrs": [*common, ("IFLA_IFNAME", "b0"), ("IFLA_NET_NS_FD", 5)]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]}
    own = [*common, ("IFLA_NUM_TX_QUEUES", 4), ("IFLA_IFNAME", "a0"), ("IFLA_LINKINFO", info)]
    theirs = pyroute2_link(own, flags=1, change=1)
    size = linkinfo.HEADER_SIZE
    assert ours[:size] == theirs[:size]
    assert tree(ours, size) == tree(theirs, size)


def test_bad_values_are_refused_before_they_are_sent() -> None:
    for change in ({"mtu": -1}, {"mtu": 1 << 32}, {"name": "a\0b"}, {"address": bytes(70000)}):
        with pytest.raises(nl.NetlinkFormatError):
            encode_set_link(1, **change)
    with pytest.raises(nl.NetlinkFormatError, match="no interface index"):
        encode_set_link(-1, up=True)


names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=15)
u31 = st.integers(0, 0x7FFFFFFF)


@given(
    ifindex=u31,
    name=names,
    flags=st.integers(0, 0x7FFFF),
    mtu=st.integers(0, 0xFFFFFFFF),
    master=u31,
    link=u31,
    netnsid=st.none() | st.integers(0, 1000),
    kind=st.sampled_from(["", "veth", "vlan", "team"]),
    queues=st.integers(1, 4096),
    promiscuity=st.integers(0, 100),
)
def test_links_that_pyroute2_wrote(
    ifindex: int,
    name: str,
    flags: int,
    mtu: int,
    master: int,
    link: int,
    netnsid: int | None,
    kind: str,
    queues: int,
    promiscuity: int,
) -> None:
    attributes: list[Any] = [
        ("IFLA_IFNAME", name),
        ("IFLA_ADDRESS", MAC.hex(":")),
        ("IFLA_PERM_ADDRESS", MAC),
        ("IFLA_MTU", mtu),
        ("IFLA_MASTER", master),
        ("IFLA_LINK", link),
        ("IFLA_NUM_TX_QUEUES", queues),
        ("IFLA_PROMISCUITY", promiscuity),
        ("IFLA_IFALIAS", "alias"),
    ]
    if netnsid is not None:
        attributes.append(("IFLA_LINK_NETNSID", netnsid))
    if kind:
        attributes.append(("IFLA_LINKINFO", {"attrs": [("IFLA_INFO_KIND", kind)]}))
    payload = pyroute2_link(attributes, index=ifindex, flags=flags)
    assert linkinfo.decode(payload) == linkinfo.LinkInfo(
        ifindex=ifindex,
        name=name,
        address=MAC,
        permanent_address=MAC,
        mtu=mtu,
        flags=flags,
        master=master,
        link=link,
        link_netnsid=netnsid,
        kind=kind,
        alias="alias",
        num_tx_queues=queues,
        promiscuity=promiscuity,
    )
    assert linkinfo.peek(payload) == (0, ifindex, name)


def test_what_the_kernel_left_out_has_its_default() -> None:
    assert linkinfo.decode(linkinfo.header(3)) == linkinfo.LinkInfo(3, "")
    assert linkinfo.peek(linkinfo.header(3)) == (0, 3, "")


@given(st.binary(max_size=120))
def test_garbage(payload: bytes) -> None:
    for read in (linkinfo.decode, linkinfo.peek, linkinfo.decode_event, decode_address):
        for data in (payload, linkinfo.header(1) + payload):
            with suppress(nl.NetlinkFormatError):
                read(data)


@pytest.mark.parametrize(
    ("flags", "up", "carrier", "loopback"),
    [(0, 0, 0, 0), (0x1, 1, 0, 0), (0x10000, 0, 1, 0), (0x8, 0, 0, 1), (0x10049, 1, 1, 1)],
)
def test_flags(flags: int, up: int, carrier: int, loopback: int) -> None:
    info = linkinfo.LinkInfo(1, "eth0", flags=flags)
    assert (info.up, info.carrier, info.loopback) == (bool(up), bool(carrier), bool(loopback))


def test_engine_view() -> None:
    other = bytes.fromhex("02000000000b")
    info = linkinfo.LinkInfo(3, "eth0", MAC, mtu=1400, flags=0x10001)
    assert linkinfo.to_link(info, member=True, permanent_address=other, speed=1000, duplex=1) == Link(
        3, "eth0", MAC, other, 1400, True, True, 1000, 1, True, False
    )
    assert linkinfo.to_link(info, member=False).permanent_address == MAC
    hardware = linkinfo.LinkInfo(3, "eth0", MAC, permanent_address=other)
    assert linkinfo.to_link(hardware, member=False).permanent_address == other


@pytest.mark.parametrize(
    ("family", "text", "flags"), [(socket.AF_INET, "10.5.0.1", 0x80), (socket.AF_INET6, "fd00::1", 0x282)]
)
def test_addresses_that_pyroute2_wrote(family: int, text: str, flags: int) -> None:
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["index"], message["scope"] = family, 24, 7, 253
    message["flags"] = flags & 0xFF
    message["attrs"] = [("IFA_ADDRESS", text), ("IFA_FLAGS", flags)]
    message.encode()
    payload = bytes(message.data[nl.HEADER_SIZE :])
    assert decode_address(payload) == Address(7, family, socket.inet_pton(family, text), 24, 253, flags)


def test_point_to_point_address_is_the_own_end() -> None:
    message = ifaddrmsg()
    message["family"], message["prefixlen"], message["index"], message["flags"] = socket.AF_INET, 32, 7, 0x80
    message["attrs"] = [("IFA_ADDRESS", "10.0.0.2"), ("IFA_LOCAL", "10.0.0.1")]
    message.encode()
    address = decode_address(bytes(message.data[nl.HEADER_SIZE :]))
    assert address.address == bytes((10, 0, 0, 1))
    assert address.flags == 0x80
