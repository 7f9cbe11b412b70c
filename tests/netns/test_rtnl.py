"""rtnetlink requests against the real kernel; pyroute2 reads the same interfaces as a second opinion."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from pyteam.link import DUPLEX_FULL
from pyteam.netlink.multicast import read_groups
from pyteam.netlink.rtnl import Address, LinkChange, NetlinkError, Rtnl
from tests.netns.anonymous import inside, namespace

MAC_A = bytes.fromhex("02000000000a")
MAC_B = bytes.fromhex("02000000000b")


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    with namespace() as made, inside(made), Rtnl() as opened:
        yield opened


def test_pair_is_made_as_asked(rtnl: Rtnl) -> None:
    end = rtnl.add_veth(
        "a0", "b0", address=MAC_A, peer_address=MAC_B, mtu=1400, txqueues=3, up=True, peer_up=True
    )
    peer = rtnl.link(end.link)
    assert (end.name, end.address, end.mtu, end.num_tx_queues, end.kind) == ("a0", MAC_A, 1400, 3, "veth")
    assert (peer.name, peer.address, peer.mtu) == ("b0", MAC_B, 1400)
    assert peer.link == end.ifindex
    assert end.up
    assert peer.up
    assert end.carrier


def test_pair_across_namespaces(rtnl: Rtnl) -> None:
    with namespace() as other:
        end = rtnl.add_veth("a0", "b0", peer_namespace=other)
        with inside(other), Rtnl() as there:
            assert there.link_by_name("b0").link == end.ifindex
    assert end.link_netnsid is not None
    with pytest.raises(ValueError, match="another namespace"):
        rtnl.add_veth("a1", "b1", peer_namespace=0, peer_up=True)


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        ({"up": True}, "up", True),
        ({"address": MAC_B}, "address", MAC_B),
        ({"mtu": 2000}, "mtu", 2000),
        ({"name": "renamed"}, "name", "renamed"),
        ({"alias": "upstairs"}, "alias", "upstairs"),
        ({"promiscuous": True}, "promiscuity", 1),
    ],
)
def test_change(rtnl: Rtnl, change: LinkChange, attribute: str, value: object) -> None:
    end = rtnl.add_veth("a0", "b0", address=MAC_A)
    assert getattr(end, attribute) != value
    rtnl.set_link(end.ifindex, **change)
    assert getattr(rtnl.link(end.ifindex), attribute) == value


def test_flags_are_set_and_cleared_one_by_one(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    rtnl.set_link(end.ifindex, up=True, promiscuous=True, allmulticast=True)
    rtnl.set_link(end.ifindex, allmulticast=False)
    link = rtnl.link(end.ifindex)
    assert link.flags & (0x1 | 0x100 | 0x200) == 0x1 | 0x100


def test_alias_is_removed_by_an_empty_one(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    rtnl.set_link(end.ifindex, alias="upstairs")
    rtnl.set_link(end.ifindex, alias="")
    assert rtnl.link(end.ifindex).alias == ""


def test_master(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    bridge = rtnl.add_link("br0", "bridge")
    assert bridge.kind == "bridge"
    rtnl.set_link(end.ifindex, master=bridge.ifindex)
    assert rtnl.link(end.ifindex).master == bridge.ifindex
    rtnl.set_link(end.ifindex, master=0)
    assert rtnl.link(end.ifindex).master == 0


def test_carrier_follows_the_other_end(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0", up=True, peer_up=True)
    assert rtnl.link(end.ifindex).carrier
    rtnl.set_link(end.link, up=False)
    assert not rtnl.link(end.ifindex).carrier


def test_link_local_address_can_be_prevented(rtnl: Rtnl) -> None:
    def link_local(ifindex: int) -> list[Address]:
        return [found for found in rtnl.addresses(ifindex) if found.family == socket.AF_INET6]

    end = rtnl.add_veth("a0", "b0")
    rtnl.set_link(end.ifindex, addrgenmode="none")
    rtnl.set_link(end.ifindex, up=True)
    rtnl.set_link(end.link, up=True)
    assert link_local(end.ifindex) == []
    assert [found.address[:2] for found in link_local(end.link)] == [b"\xfe\x80"]


def test_move_to_another_namespace(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    with namespace() as other:
        rtnl.set_link(end.ifindex, namespace=other)
        with pytest.raises(NetlinkError) as caught:
            rtnl.link(end.ifindex)
        assert caught.value.errno == errno.ENODEV
        with inside(other), Rtnl() as there:
            assert there.link_by_name("a0").ifindex == end.ifindex


def test_delete(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    rtnl.delete_link(end.ifindex)
    assert [link.name for link in rtnl.links()] == ["lo"]


def test_refusals_carry_the_kernels_errno_and_text(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0")
    refused: list[tuple[int, str, Callable[[], object]]] = [
        (errno.EEXIST, "veth pair 'a0' and 'b1'", lambda: rtnl.add_veth("a0", "b1")),
        (errno.EOPNOTSUPP, "create nonsense 'x0'", lambda: rtnl.add_link("x0", "nonsense")),
        (errno.EINVAL, "mtu 1 of interface", lambda: rtnl.set_link(end.ifindex, mtu=1)),
        (errno.ENODEV, "set up True of interface 4711", lambda: rtnl.set_link(4711, up=True)),
        (errno.ENODEV, "read interface 4711", lambda: rtnl.link(4711)),
        (errno.ENODEV, "read interface 0", lambda: rtnl.link(0)),
        (errno.ENODEV, "interface -1", lambda: rtnl.delete_link(-1)),
        (errno.ENODEV, str(1 << 40), lambda: rtnl.addresses(1 << 40)),
        (errno.ENODEV, "read interface 'nope'", lambda: rtnl.link_by_name("nope")),
        (errno.ENODEV, "read interface ''", lambda: rtnl.link_by_name("")),
        (errno.ENODEV, "sixteen-letters!", lambda: rtnl.link_by_name("sixteen-letters!")),
        (errno.EOPNOTSUPP, "delete interface 1", lambda: rtnl.delete_link(1)),
    ]
    for code, text, call in refused:
        with pytest.raises(NetlinkError) as caught:
            call()
        assert caught.value.errno == code, text
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(NetlinkError, match="mtu less than device minimum") as caught:
        rtnl.set_link(end.ifindex, mtu=1)
    assert caught.value.reason == "mtu less than device minimum"


def test_undecodable_name_survives(rtnl: Rtnl) -> None:
    name = b"\xff\xfe\xe2\x80\xa8".decode("utf-8", "surrogateescape")
    end = rtnl.add_veth(name, "b0", up=True, peer_up=True)
    assert end.name == name
    assert rtnl.link_by_name(name) == end
    assert rtnl.speed_duplex(name) == (10000, DUPLEX_FULL)
    assert read_groups(end.ifindex).ipv4 == (bytes((224, 0, 0, 1)),)


def test_speed_and_duplex(rtnl: Rtnl) -> None:
    rtnl.add_veth("a0", "b0")
    assert rtnl.speed_duplex("a0") == (10000, DUPLEX_FULL)
    assert rtnl.speed_duplex("lo") == (0, 0)
    assert rtnl.speed_duplex("nope") == (0, 0)


def test_it_belongs_to_the_namespace_it_was_made_in(rtnl: Rtnl) -> None:
    rtnl.add_veth("a0", "b0")
    with namespace() as other, inside(other):
        assert [link.name for link in rtnl.links()] == ["lo", "b0", "a0"]
        assert rtnl.speed_duplex("a0") == (10000, DUPLEX_FULL)


def test_more_links_than_one_datagram_holds(rtnl: Rtnl) -> None:
    for number in range(60):
        rtnl.add_veth(f"a{number}", f"b{number}")
    links = rtnl.links()
    assert len({link.ifindex for link in links}) == len(links) == 121
    assert [rtnl.link(link.ifindex) for link in links] == links


def test_pyroute2_sees_the_same_links_and_addresses(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0", address=MAC_A, up=True, peer_up=True, txqueues=2)
    bridge = rtnl.add_link("br0", "bridge")
    rtnl.set_link(end.link, master=bridge.ifindex, alias="port", promiscuous=True)
    with IPRoute() as oracle:
        oracle.link("add", ifname="mv0", kind="macvlan", link=end.ifindex)
        oracle.addr("add", index=end.ifindex, address="10.5.0.1", prefixlen=24)
        oracle.addr("add", index=end.ifindex, address="fd00::1", prefixlen=64)
        theirs = {message["index"]: message for message in oracle.get_links()}
        addresses = {
            (m["index"], m["family"], _packed(m), m["prefixlen"], m["scope"], m.get_attr("IFA_FLAGS"))
            for m in oracle.get_addr()
        }
    links = rtnl.links()
    assert {link.ifindex for link in links} == theirs.keys()
    for link in links:
        assert _as_pyroute2_says(theirs[link.ifindex]) == {
            "name": link.name,
            "address": link.address.hex(":"),
            "mtu": link.mtu,
            "flags": link.flags,
            "master": link.master,
            "link": link.link,
            "kind": link.kind,
            "alias": link.alias,
            "num_tx_queues": link.num_tx_queues,
            "promiscuity": link.promiscuity,
        }
    found = {(a.ifindex, a.family, a.address, a.prefixlen, a.scope, a.flags) for a in rtnl.addresses()}
    # Duplicate address detection may end between the two readings: the flags are left out.
    assert {row[:5] for row in found} == {row[:5] for row in addresses}
    assert {row[:5] for row in found if row[0] == end.ifindex} == {
        (a.ifindex, a.family, a.address, a.prefixlen, a.scope) for a in rtnl.addresses(end.ifindex)
    }


def test_joined_groups(rtnl: Rtnl) -> None:
    end = rtnl.add_veth("a0", "b0", address=MAC_A, up=True, peer_up=True)
    group4, group6 = bytes((239, 1, 2, 3)), socket.inet_pton(socket.AF_INET6, "ff15::1234")
    index = end.ifindex
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six,
    ):
        request = group4 + bytes(4) + index.to_bytes(4, "little")
        four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group6 + index.to_bytes(4, "little"))
        groups = read_groups(index)
        assert set(groups.ipv4) == {group4, bytes((224, 0, 0, 1))}
        assert group6 in groups.ipv6
        assert (groups.igmp_version, groups.mld_version) == (3, 2)
        Path("/proc/sys/net/ipv4/conf/a0/force_igmp_version").write_text("2")
        Path("/proc/sys/net/ipv6/conf/a0/force_mld_version").write_text("1")
        groups = read_groups(index)
        assert (groups.igmp_version, groups.mld_version) == (2, 1)
    assert group4 not in read_groups(index).ipv4
    assert read_groups(4711).ipv4 == ()


def test_nothing_stays_open(rtnl: Rtnl) -> None:
    before = os.listdir("/proc/self/fd")
    with Rtnl() as another:
        another.links()
    assert os.listdir("/proc/self/fd") == before


def _packed(message: Any) -> bytes:
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return socket.inet_pton(message["family"], text)


def _as_pyroute2_says(message: Any) -> dict[str, object]:
    info = message.get_attr("IFLA_LINKINFO")
    return {
        "name": message.get_attr("IFLA_IFNAME"),
        "address": message.get_attr("IFLA_ADDRESS"),
        "mtu": message.get_attr("IFLA_MTU"),
        "flags": message["flags"],
        "master": message.get_attr("IFLA_MASTER") or 0,
        "link": message.get_attr("IFLA_LINK") or 0,
        "kind": (info.get_attr("IFLA_INFO_KIND") if info else None) or "",
        "alias": message.get_attr("IFLA_IFALIAS") or "",
        "num_tx_queues": message.get_attr("IFLA_NUM_TX_QUEUES"),
        "promiscuity": message.get_attr("IFLA_PROMISCUITY"),
    }
