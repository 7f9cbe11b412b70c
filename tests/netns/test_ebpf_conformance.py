"""The eBPF datapath does what every datapath must do: real interfaces, real programs."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.interface import Datapath
from pyteam.netlink.rtnl import NetlinkError, Rtnl
from tests.datapath.conformance import Conformance
from tests.netns.anonymous import inside, namespace

TEAM = "team0"


class EbpfBench:
    """A team in a namespace of its own; the far ends of its cables are there, too."""

    def __init__(self, rtnl: Rtnl, elsewhere: int) -> None:
        self._rtnl = rtnl
        self._elsewhere = elsewhere
        self._far: dict[str, int] = {}
        self.datapath: Datapath = EbpfDatapath.create(TEAM)
        self.set_up(TEAM, True)

    def plug(self) -> str:
        name = f"eth{len(self._far) + 1}"
        link = self._rtnl.add_veth(name, f"far{name}", peer_up=True)
        self._far[name] = link.link
        return name

    def cut(self, name: str) -> None:
        self._rtnl.set_link(self._far[name], up=False)

    def mend(self, name: str) -> None:
        self._rtnl.set_link(self._far[name], up=True)

    def set_up(self, name: str, up: bool) -> None:
        self._rtnl.set_link(self.index(name), up=up)

    def set_address(self, name: str, address: bytes) -> None:
        self._rtnl.set_link(self.index(name), address=address)

    def set_mtu(self, name: str, mtu: int) -> None:
        self._rtnl.set_link(self.index(name), mtu=mtu)

    def rename(self, name: str, new_name: str) -> None:
        self._rtnl.set_link(self.index(name), name=new_name)

    def unplug(self, name: str) -> None:
        self._rtnl.delete_link(self.index(name))

    def move_away(self, name: str) -> None:
        self._rtnl.set_link(self.index(name), namespace=self._elsewhere)

    def index(self, name: str) -> int:
        return socket.if_nametoindex(name)

    def reopen(self) -> None:
        self.datapath.close()
        self.datapath = self.adopt_again()

    def adopt_again(self) -> Datapath:
        return EbpfDatapath.adopt(TEAM)

    def exists(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(socket.if_nametoindex(name))
        return False


class TestEbpf(Conformance):
    @pytest.fixture
    def bench(self) -> Iterator[EbpfBench]:
        with namespace() as own, namespace() as elsewhere, inside(own), Rtnl() as rtnl:
            rtnl.set_link(socket.if_nametoindex("lo"), up=True)
            bench = EbpfBench(rtnl, elsewhere)
            try:
                yield bench
            finally:
                with contextlib.suppress(NetlinkError, OSError):
                    bench.datapath.destroy()
