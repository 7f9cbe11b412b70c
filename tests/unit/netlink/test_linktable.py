"""What is news about interfaces and what is noise."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.netlink import linkinfo
from pyteam.netlink import message as nl
from pyteam.netlink.linktable import LinkGone, LinkTable
from pyteam.netlink.rtnl import RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK

AF_BRIDGE = 7


def event(
    kind: int, ifindex: int, name: str, *, mtu: int = 1500, family: int = 0, extra: bytes = b""
) -> bytes:
    header = bytes((family,)) + linkinfo.header(ifindex)[1:]
    attributes = nl.attribute(linkinfo.IFLA_IFNAME, nl.from_text(name))
    attributes += nl.attribute(linkinfo.IFLA_MTU, nl.from_u32(mtu))
    return nl.pack(kind, 0, 0, header + attributes + extra)


def link(ifindex: int, name: str, mtu: int = 1500) -> linkinfo.LinkInfo:
    return linkinfo.LinkInfo(ifindex, name, mtu=mtu)


def seen(ifindex: int, name: str, mtu: int = 1500) -> bytes:
    return event(RTM_NEWLINK, ifindex, name, mtu=mtu)


def gone(ifindex: int, name: str) -> bytes:
    return event(RTM_DELLINK, ifindex, name)


def after(*datagrams: bytes, table: LinkTable | None = None) -> list[object]:
    table = table or LinkTable()
    for datagram in datagrams:
        table.feed(datagram)
    return list(table.take())


def test_last_state_in_the_order_of_the_last_changes() -> None:
    assert after(seen(1, "a", 1), seen(2, "b", 1), seen(1, "a", 2)) == [link(2, "b", 1), link(1, "a", 2)]


def test_several_messages_in_one_datagram() -> None:
    assert after(seen(1, "a") + seen(2, "b")) == [link(1, "a"), link(2, "b")]


def test_gone_hides_what_was_before_and_not_what_comes_after() -> None:
    assert after(seen(1, "a"), gone(1, "a")) == [LinkGone(1)]
    assert after(gone(1, "a"), seen(1, "a")) == [LinkGone(1), link(1, "a")]
    assert after(gone(1, "a"), seen(1, "a"), gone(1, "a")) == [LinkGone(1)]


def test_taken_once() -> None:
    table = LinkTable()
    assert after(seen(1, "a"), table=table) == [link(1, "a")]
    assert table.take() == []


@pytest.mark.parametrize(
    "noise",
    [
        event(RTM_NEWLINK, 1, "a", mtu=9, family=AF_BRIDGE),
        event(RTM_DELLINK, 1, "a", family=AF_BRIDGE),
        event(RTM_NEWADDR, 1, "a", mtu=9),
        event(RTM_NEWLINK, 1, "a", mtu=9, extra=nl.attribute(linkinfo.IFLA_WIRELESS, b"scan")),
        b"",
    ],
    ids=["bridge port", "left a bridge", "address", "wireless", "empty"],
)
def test_noise(noise: bytes) -> None:
    table = LinkTable()
    table.learn([link(1, "a")])
    assert after(noise, table=table) == []
    assert after(seen(1, "a", 9), table=table) == [link(1, "a", 9)]


def test_what_was_said_before_is_news_again() -> None:
    """In between the caller may have read something else: down, up again, and one message for both."""
    table = LinkTable()
    table.learn([link(1, "a")])
    assert after(seen(1, "a"), table=table) == [link(1, "a")]


def test_only_the_interesting_is_decoded() -> None:
    table = LinkTable(lambda ifindex, name: ifindex == 7 or name == "wanted")
    undecodable = nl.attribute(linkinfo.IFLA_LINK, b"!")
    assert after(event(RTM_NEWLINK, 1, "other", extra=undecodable), gone(1, "other"), table=table) == []
    assert after(seen(2, "wanted"), seen(7, "x"), table=table) == [link(2, "wanted"), link(7, "x")]
    with pytest.raises(nl.NetlinkFormatError):
        table.feed(event(RTM_NEWLINK, 7, "x", extra=undecodable))


def test_renamed_out_of_interest_is_told_once() -> None:
    table = LinkTable(lambda ifindex, name: name == "wanted")
    assert after(seen(1, "wanted"), table=table) == [link(1, "wanted")]
    assert after(seen(1, "other"), table=table) == [link(1, "other")]
    assert after(seen(1, "other", 9), gone(1, "other"), table=table) == []


def test_after_a_loss_the_list_is_the_truth() -> None:
    table = LinkTable(lambda ifindex, name: name != "other")
    table.learn([link(1, "a"), link(2, "b"), link(3, "c")])
    table.feed(seen(3, "c", 9))
    table.resynchronize([link(1, "a"), link(3, "c", 7), link(4, "d"), link(5, "other")])
    assert table.take() == [LinkGone(2), link(1, "a"), link(3, "c", 7), link(4, "d")]


steps = st.tuples(st.booleans(), st.integers(1, 3), st.integers(1, 3))


@given(st.lists(st.tuples(st.lists(steps), st.booleans())))
def test_whoever_follows_the_changes_knows_what_is_there(
    batches: list[tuple[list[tuple[bool, int, int]], bool]],
) -> None:
    table = LinkTable()
    truth: dict[int, linkinfo.LinkInfo] = {}
    follower: dict[int, linkinfo.LinkInfo] = {}
    for batch, lost in batches:
        for there, ifindex, mtu in batch:
            if there:
                truth[ifindex] = link(ifindex, "x", mtu)
            else:
                truth.pop(ifindex, None)
            if not lost:
                table.feed(seen(ifindex, "x", mtu) if there else gone(ifindex, "x"))
        if lost:
            table.resynchronize(truth.values())
        for change in table.take():
            if isinstance(change, LinkGone):
                follower.pop(change.ifindex, None)
            else:
                follower[change.ifindex] = change
        assert follower == truth


@given(st.binary(max_size=120))
def test_garbage(data: bytes) -> None:
    table = LinkTable()
    framed = nl.pack(RTM_NEWLINK, 0, 0, data)
    for datagram in (data, framed, struct.pack("=I", 16) + data):
        with suppress(nl.NetlinkFormatError):
            table.feed(datagram)
