"""What many teams share of a real namespace: each is told what concerns it, and nothing else."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.hub import LinkHub, SharedLinks
from pyteam.netlink.monitor import Change, LinkGone
from tests.datapath.conformance import Conformance
from tests.datapath.spreading import Spreading
from tests.datapath.veths import VethBench, veth_bench
from tests.netns.anonymous import inside, namespace


@pytest.fixture
def hub() -> Iterator[LinkHub]:
    with namespace() as netns, inside(netns):
        ip("link add a0 type veth peer name a1")
        ip("link add b0 type veth peer name b1")
        made = LinkHub()
        yield made
        made.close()


def ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True)


def following(hub: LinkHub, *names: str) -> SharedLinks:
    links = hub.links()
    links.follow(frozenset(names))
    links.receive()
    return links


def told(links: SharedLinks) -> list[str]:
    return [_spell(change) for change in links.receive()]


def _spell(change: Change) -> str:
    return f"{change.ifindex} gone" if isinstance(change, LinkGone) else change.name


def rings(links: SharedLinks) -> bool:
    return bool(select.select([links.fileno()], [], [], 0)[0])


def test_each_is_told_what_it_follows(hub: LinkHub) -> None:
    a, b, nobody = following(hub, "a0"), following(hub, "b0"), following(hub)
    ip("link set a0 mtu 1400")
    assert not rings(a), "nobody has listened to the kernel yet"
    hub.pump()
    assert (rings(a), rings(b), rings(nobody)) == (True, False, False)
    assert (told(a), told(b), told(nobody)) == (["a0"], [], [])
    assert not rings(a)


def test_what_follows_a_name_hears_of_it_when_it_comes_and_until_it_is_gone(hub: LinkHub) -> None:
    links = following(hub, "c0")
    ip("link add c0 type veth peer name c1")
    index = hub.rtnl.link_by_name("c0").ifindex
    assert told(links) == ["c0"]
    ip("link set c0 name other")
    assert told(links) == ["other"], "it was ours to know"
    ip("link delete other")
    assert told(links) == [f"{index} gone"]
    assert index not in links.known


def test_what_was_read_is_followed(hub: LinkHub) -> None:
    links = following(hub)
    info = links.find("a0")
    ip("link set a0 mtu 1400")
    ip("link set b0 mtu 1400")
    assert told(links) == ["a0"]
    assert [one.name for one in links.read_mine()] == ["a0"]
    assert links.read_some([info.ifindex, 12345])[info.ifindex].mtu == 1400
    assert {one.name for one in links.read_all()} == {"lo", "a0", "a1", "b0", "b1"}


def test_a_name_that_is_followed_from_now_on_is_told_of_at_once(hub: LinkHub) -> None:
    links = following(hub, "a0")
    links.follow(frozenset({"a0", "b0"}))
    assert rings(links)
    assert told(links) == ["b0"]
    links.follow(frozenset())
    ip("link add d0 type veth peer name d1")
    assert told(links) == []


def test_a_port_of_somebody_elses_making_concerns_its_master(hub: LinkHub) -> None:
    ip("link add br0 type bridge")
    links = following(hub, "br0")
    ip("link set b0 master br0")
    assert "b0" in told(links)


def test_of_several_states_the_last_is_told_and_an_end_in_between(hub: LinkHub) -> None:
    links = following(hub, "a0")
    old = hub.rtnl.link_by_name("a0").ifindex
    for mtu in (1400, 1300, 1200):
        ip(f"link set a0 mtu {mtu}")
        hub.pump()
    (change,) = links.receive()
    assert not isinstance(change, LinkGone)
    assert change.mtu == 1200
    ip("link delete a0")
    hub.pump()
    ip(f"link add a0 index {old} type veth peer name a1")
    hub.pump()
    assert told(links) == [f"{old} gone", "a0"]


def test_a_look_finds_what_no_event_told(hub: LinkHub) -> None:
    a, b = following(hub, "a0"), following(hub, "b0")
    index = hub.rtnl.link_by_name("a0").ifindex
    # As if a driver had kept a change for itself.
    hub.known[index] = hub.known[index].__class__(index, "a0", mtu=1)
    hub.look()
    assert (told(a), told(b)) == (["a0"], [])
    hub.look()
    assert (told(a), told(b)) == ([], [])


def test_whoever_has_left_leaves_nothing(hub: LinkHub) -> None:
    before = os.listdir("/proc/self/fd")
    links = following(hub, "a0")
    links.find("b0")
    links.close()
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert (hub._by_name, hub._by_index) == ({}, {})


class TestSharing(Conformance, Spreading):
    """A datapath that shares what it hears does what every datapath must do."""

    @pytest.fixture
    def bench(self) -> Iterator[VethBench]:
        hubs: list[LinkHub] = []

        def hub() -> LinkHub:
            # In the namespace of the bench, which is there by now.
            if not hubs:
                hubs.append(LinkHub())
            return hubs[0]

        def create(name: str) -> Any:
            return EbpfDatapath.create(name, hub())

        def adopt(name: str) -> Any:
            return EbpfDatapath.adopt(name, hub())

        with veth_bench(create, adopt) as bench:
            yield bench
        for made in hubs:
            made.close()
