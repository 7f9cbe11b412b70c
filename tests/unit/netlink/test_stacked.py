"""What stands on top of a device."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pyteam.netlink.linkinfo import LinkInfo
from pyteam.netlink.stacked import stacked_on


def test_vlan_macvlan_and_master_one_upon_the_other() -> None:
    links = [
        LinkInfo(1, "lo"),
        LinkInfo(2, "team0", link=3, kind="veth", master=6),
        LinkInfo(3, "hidden", link=2, kind="veth"),
        LinkInfo(4, "team0.10", link=2, kind="vlan"),
        LinkInfo(5, "mv0", link=4, kind="macvlan"),
        LinkInfo(6, "br0", kind="bridge"),
        LinkInfo(7, "br0.20", link=6, kind="vlan"),
        LinkInfo(8, "elsewhere", link=2, link_netnsid=0, kind="macvlan"),
        LinkInfo(9, "eth0"),
    ]
    assert [link.name for link in stacked_on(links, 2)] == ["br0", "team0.10", "br0.20", "mv0"]
    assert stacked_on(links, 3) == []
    assert stacked_on(links, 9) == []
    assert stacked_on(links, 4711) == []


def test_nearest_first_and_each_once() -> None:
    links = [
        LinkInfo(1, "a"),
        LinkInfo(2, "b", link=1, kind="macvlan", master=3),
        LinkInfo(3, "c", link=1, kind="vlan"),
    ]
    assert [link.ifindex for link in stacked_on(links, 1)] == [2, 3]


indexes = st.integers(0, 6)


@given(
    st.lists(st.tuples(st.integers(1, 6), indexes, indexes, st.sampled_from(["", "veth", "vlan"]))), indexes
)
def test_loops_end(rows: list[tuple[int, int, int, str]], start: int) -> None:
    links = {
        index: LinkInfo(index, str(index), link=link, master=master, kind=kind)
        for index, link, master, kind in rows
    }
    found = [link.ifindex for link in stacked_on(links.values(), start)]
    assert len(set(found)) == len(found)
    assert start not in found
    for index in found:
        above = links[index]
        below = {start, *found}
        ports = {link.ifindex for link in links.values() if link.master == index}
        assert ports & below or (above.kind != "veth" and above.link in below)
