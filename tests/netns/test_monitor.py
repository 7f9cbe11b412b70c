"""The link monitor against the real kernel. Its messages are there when the request returns: no waiting."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import pytest

from pyteam.netlink.monitor import LinkGone, LinkInfo, LinkMonitor
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import THIS_NAMESPACE, inside, namespace


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    with namespace() as made, inside(made), Rtnl() as opened:
        yield opened


@pytest.fixture
def monitor(rtnl: Rtnl) -> Iterator[LinkMonitor]:
    with LinkMonitor(rtnl) as opened:
        opened.snapshot()
        yield opened


def readable(monitor: LinkMonitor) -> bool:
    return bool(select.select([monitor], [], [], 0)[0])


def test_last_state_of_each_in_order(rtnl: Rtnl, monitor: LinkMonitor) -> None:
    assert not readable(monitor)
    assert monitor.receive() == []
    end = rtnl.add_veth("a0", "b0")
    assert [change.ifindex for change in monitor.receive()] == [end.link, end.ifindex]
    rtnl.set_link(end.ifindex, mtu=1400)
    rtnl.set_link(end.link, mtu=1400)
    rtnl.set_link(end.ifindex, mtu=1401)
    assert readable(monitor)
    assert monitor.receive() == [rtnl.link(end.link), rtnl.link(end.ifindex)]
    assert not readable(monitor)


def test_carrier_comes_without_waiting_for_the_kernels_link_watch(rtnl: Rtnl, monitor: LinkMonitor) -> None:
    end = rtnl.add_veth("a0", "b0", up=True, peer_up=True)
    monitor.receive()
    rtnl.set_link(end.link, up=False)
    seen = {change.ifindex: change for change in monitor.receive()}
    down = seen[end.ifindex]
    assert isinstance(down, LinkInfo)
    assert down.up
    assert not down.carrier


def test_deleted_and_moved_away(rtnl: Rtnl, monitor: LinkMonitor) -> None:
    end = rtnl.add_veth("a0", "b0")
    monitor.receive()
    with namespace() as other:
        rtnl.set_link(end.ifindex, namespace=other)
        assert LinkGone(end.ifindex) in monitor.receive()
    rtnl.add_link("br0", "bridge")
    monitor.receive()
    bridge = rtnl.link_by_name("br0")
    rtnl.delete_link(bridge.ifindex)
    # The far end of the one that moved goes with its namespace, when the kernel gets to it.
    assert LinkGone(bridge.ifindex) in monitor.receive()


def test_away_and_back_is_told_as_such(rtnl: Rtnl, monitor: LinkMonitor) -> None:
    end = rtnl.add_veth("a0", "b0")
    monitor.receive()
    here = os.open(THIS_NAMESPACE, os.O_RDONLY)
    with namespace() as other:
        rtnl.set_link(end.ifindex, namespace=other)
        with inside(other), Rtnl() as there:
            there.set_link(end.ifindex, namespace=here)
    os.close(here)
    changes = [change for change in monitor.receive() if change.ifindex == end.ifindex]
    assert changes == [LinkGone(end.ifindex), rtnl.link(end.ifindex)]


def test_leaving_a_bridge_is_no_deletion(rtnl: Rtnl, monitor: LinkMonitor) -> None:
    end = rtnl.add_veth("a0", "b0")
    bridge = rtnl.add_link("br0", "bridge")
    rtnl.set_link(end.ifindex, master=bridge.ifindex)
    rtnl.set_link(end.ifindex, master=0)
    changes = monitor.receive()
    assert rtnl.link(end.ifindex) in changes
    assert not any(isinstance(change, LinkGone) for change in changes)


def test_only_the_interesting(rtnl: Rtnl) -> None:
    with LinkMonitor(rtnl, interesting=lambda ifindex, name: name.startswith("a")) as monitor:
        end = rtnl.add_veth("a0", "b0")
        assert monitor.receive() == [rtnl.link(end.ifindex)]
        rtnl.set_link(end.link, mtu=1400)
        assert monitor.receive() == []
        rtnl.set_link(end.ifindex, name="x0")
        assert monitor.receive() == [rtnl.link(end.ifindex)]
        rtnl.set_link(end.ifindex, mtu=1400)
        assert monitor.receive() == []


def test_lost_messages_are_made_good(rtnl: Rtnl) -> None:
    with LinkMonitor(rtnl, buffer=4096) as monitor:
        kept = rtnl.add_veth("a0", "b0")
        gone = rtnl.add_link("br0", "bridge")
        known = {link.ifindex for link in monitor.snapshot()}
        monitor.receive()
        for mtu in range(1300, 1400):
            rtnl.set_link(kept.ifindex, mtu=mtu)
        # The buffer is full: nothing of what follows gets into it.
        rtnl.delete_link(gone.ifindex)
        rtnl.set_link(kept.link, mtu=2000)
        late = rtnl.add_link("br1", "bridge")
        assert gone.ifindex in known
        changes = monitor.receive()
        assert [change for change in changes if isinstance(change, LinkGone)] == [LinkGone(gone.ifindex)]
        assert {change for change in changes if isinstance(change, LinkInfo)} == set(rtnl.links())
        assert rtnl.link(late.ifindex) in changes
        rtnl.set_link(kept.ifindex, mtu=1500)
        assert monitor.receive() == [rtnl.link(kept.ifindex)]
