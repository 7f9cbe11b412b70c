"""A bench of the conformance suite on real interfaces: cables are veth pairs in one namespace."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

from pyteam.datapath.interface import Datapath
from pyteam.netlink.rtnl import NetlinkError, Rtnl
from tests.netns.anonymous import inside, namespace

TEAM = "team0"
Opener = Callable[[str], Datapath]


class VethBench:
    """See `Bench`. The far ends of its cables are in the namespace of the team, too."""

    def __init__(self, rtnl: Rtnl, elsewhere: int, create: Opener, adopt: Opener) -> None:
        self._rtnl = rtnl
        self._elsewhere = elsewhere
        self._adopt = adopt
        self._far: dict[str, int] = {}
        self.datapath = create(TEAM)
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
        with contextlib.suppress(NetlinkError):
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
        return self._adopt(TEAM)

    def send(self, hash_: int, size: int) -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((TEAM, 0))
            # Of a protocol that nobody answers, to a neighbour that is not there.
            header = bytes.fromhex("0200000000ff0200000000fe88b5")
            sender.send(header + bytes([hash_]) + bytes(size - len(header) - 1))

    def exists(self, name: str) -> bool:
        with contextlib.suppress(OSError):
            return bool(socket.if_nametoindex(name))
        return False


@contextlib.contextmanager
def veth_bench(create: Opener, adopt: Opener) -> Iterator[VethBench]:
    """A bench in a new namespace, in which the caller is meanwhile; all of it gone afterwards."""
    with namespace() as own, namespace() as elsewhere, inside(own), Rtnl() as rtnl:
        rtnl.set_link(socket.if_nametoindex("lo"), up=True)
        bench = VethBench(rtnl, elsewhere, create, adopt)
        try:
            yield bench
        finally:
            with contextlib.suppress(NetlinkError, OSError):
                bench.datapath.destroy()
