"""The packet socket of a port: the kernel's own interpreter of the filter, tags, and what came too early."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from pyteam.daemon.portsocket import PortSocket
from pyteam.engine.events import FrameSeen
from pyteam.engine.outcome import Ear
from pyteam.frames import arp
from pyteam.frames.arp import Arp
from pyteam.frames.ethernet import ETH_P_ARP, ETH_P_IPV6, Frame, Vlan
from pyteam.frames.pattern import AdvertisementPattern, ArpPattern, Pattern
from pyteam.netlink.rtnl import Rtnl
from tests.netns.anonymous import inside, namespace
from tests.netns.teams import wait_for
from tests.simulation.neighbours import Neighbour

MAC = Neighbour.mac
OURS = bytes.fromhex("0200000000a0")
TARGET, SOURCE = bytes((10, 5, 0, 9)), bytes((10, 5, 0, 1))
TARGET6 = bytes.fromhex("fd000000000000000000000000000009")
REPLY = Arp(arp.REPLY, MAC, TARGET, OURS, SOURCE)
SOON = 5.0


class Cable:
    """A veth; the socket under test is at ``near``, ``send`` puts frames in at the other end."""

    def __init__(self, near: int, far: socket.socket) -> None:
        self.near = near
        self._far = far

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self._far.send(frame)

    def await_carrier(self) -> None:
        """The kernel may take a moment to tell the far end of it; until then frames are lost."""

        def comes_through() -> bool:
            self.send(LAST)
            return bool(list(port.receive(monotonic())))

        with listening(self, ArpPattern()) as port:
            wait_for(comes_through, "a frame to come through")

    def heard(self, port: PortSocket) -> list[FrameSeen]:
        """A frame that is wanted comes last, so nothing has to be waited for in vain."""
        found: list[FrameSeen] = []
        while not found or found[-1].data != LAST:
            assert select.select([port], [], [], SOON)[0], found
            found += port.receive(monotonic())
        return found[:-1]


LAST = Frame(OURS, MAC, ETH_P_ARP, Arp(arp.REPLY, MAC, TARGET, bytes(6), SOURCE).build() + b"last").build()


@pytest.fixture
def cable() -> Iterator[Cable]:
    with namespace() as space, inside(space), Rtnl() as rtnl:
        near = rtnl.add_veth("near", "far", peer_up=True)
        rtnl.set_link(near.ifindex, up=True)
        for name in ("near", "far"):
            Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as far:
            far.bind(("far", 0))
            made = Cable(near.ifindex, far)
            made.await_carrier()
            yield made


def listening(cable: Cable, *patterns: Pattern) -> contextlib.closing[PortSocket]:
    port = PortSocket(cable.near)
    port.listen(Ear(frozenset(patterns)))
    return contextlib.closing(port)


def frame(message: Arp = REPLY, *tags: Vlan, source: bytes = MAC) -> bytes:
    return Frame(OURS, source, ETH_P_ARP, message.build(), tags).build()


def advertisement() -> bytes:
    return Neighbour().advertisement(
        Frame(b"\xff" * 6, OURS, ETH_P_IPV6, b""), bytes.fromhex("fe80" + 14 * "01")
    )


def test_the_kernel_picks_what_is_wanted(cable: Cable) -> None:
    pattern = ArpPattern(None, TARGET, SOURCE, frozenset({OURS}))
    with listening(cable, pattern, AdvertisementPattern(TARGET6)) as port:
        cable.send(
            frame(Arp(arp.REQUEST, MAC, TARGET, OURS, SOURCE)),
            frame(Arp(arp.REPLY, MAC, SOURCE, OURS, TARGET)),
            frame(Arp(arp.REPLY, OURS, TARGET, OURS, SOURCE)),
            frame(source=OURS),
            frame(REPLY, Vlan(7)),
            frame()[:40],
            Frame(OURS, MAC, 0x0800, REPLY.build()).build(),
            frame(),
            advertisement(),
            LAST,
        )
        assert [seen.data for seen in cable.heard(port)] == [frame(), advertisement()]


def test_a_tag_is_beside_the_frame(cable: Cable) -> None:
    with listening(cable, ArpPattern(7), ArpPattern(None, TARGET, SOURCE)) as port:
        cable.send(
            frame(REPLY, Vlan(8)), frame(REPLY, Vlan(7, priority=5)), frame(REPLY, Vlan(7), Vlan(8)), LAST
        )
        assert cable.heard(port) == [FrameSeen(cable.near, frame(), Vlan(7, priority=5))]


def test_what_we_send_is_not_heard(cable: Cable) -> None:
    with listening(cable, ArpPattern()) as port, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as other:
        other.bind(("near", 0))
        port.send(frame())
        other.send(frame())
        cable.send(LAST)
        assert cable.heard(port) == []


def test_what_came_while_nobody_listened_is_not_heard(cable: Cable) -> None:
    with contextlib.closing(PortSocket(cable.near)) as port:
        assert not port.listening
        cable.send(frame())
        port.listen(Ear(frozenset({ArpPattern()})))
        port.listen(Ear(frozenset()))
        cable.send(*[frame()] * 1000)
        assert not port.listening
        port.listen(Ear(frozenset({ArpPattern()})))
        cable.send(LAST)
        assert cable.heard(port) == []


def test_frames_to_another_mac_are_let_in_while_that_is_asked_for(cable: Cable) -> None:
    with contextlib.closing(PortSocket(cable.near)) as port, Rtnl() as rtnl:
        before = rtnl.link(cable.near).promiscuity
        port.listen(Ear(frozenset({ArpPattern()}), OURS))
        # A veth cannot pick addresses, so that it hears all is how the kernel does it.
        assert rtnl.link(cable.near).promiscuity == before + 1
        port.listen(Ear(frozenset({ArpPattern()})))
        assert rtnl.link(cable.near).promiscuity == before


def test_it_hears_again_when_the_interface_comes_back_up(cable: Cable) -> None:
    with listening(cable, ArpPattern()) as port, Rtnl() as rtnl:
        rtnl.set_link(cable.near, up=False)
        assert list(port.receive(monotonic())) == []
        with pytest.raises(OSError, match="down") as caught:
            port.send(frame())
        assert caught.value.errno == errno.ENETDOWN
        rtnl.set_link(cable.near, up=True)
        cable.await_carrier()
        assert {seen.data for seen in port.receive(monotonic())} == {LAST}


def test_an_interface_that_is_not_there(cable: Cable) -> None:
    with pytest.raises(OSError, match="No such device"):
        PortSocket(12345)
