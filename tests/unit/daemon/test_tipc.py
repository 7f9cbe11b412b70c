"""The subscription to TIPC links, against a socket that plays the kernel's topology service."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
from collections.abc import Iterator

import pytest

from pyteam.config import PortConfig, TeamConfig, TipcWatch
from pyteam.daemon import tipc
from pyteam.daemon.tipc import TipcError, TipcLinks
from pyteam.engine.events import TipcLinkSeen

WATCH = TipcWatch(tipc_bearer="eth1")
NAMES = {(0x1001002, 1): b"1.1.1:eth1-1.1.2:eth0"}


class Kernel(socket.socket):
    """The daemon's end; what it connects to and sends is seen."""

    asked: bytes = b""
    address: object = None

    def connect(self, address: object) -> None:
        self.address = address


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made = Kernel(fileno=ours.detach())

    def ioctl(_: object, number: int, request: bytearray) -> None:
        peer, bearer = struct.unpack_from("=II", request)
        if number != 0x89E0 or (peer, bearer) not in NAMES:
            raise OSError(errno.EADDRNOTAVAIL, "no such link")
        name = NAMES[peer, bearer]
        request[8 : 8 + len(name)] = name

    monkeypatch.setattr(tipc, "_open", lambda: made)
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    with theirs:
        yield theirs


def event(what: int, peer: int, reference: int) -> bytes:
    return struct.pack("=5I28x", what, peer, peer, reference, 0)


def test_links_are_told_by_their_names(service: socket.socket) -> None:
    links = TipcLinks()
    assert links.files() == []
    links.follow(frozenset({"eth1"}))
    # Every link there is, for ever, each port of it (linux/tipc.h).
    assert service.recv(100) == struct.pack("=5I8x", 2, 0, 0xFFFFFFFF, 0xFFFFFFFF, 1)
    assert len(links.files()) == 1
    assert links.receive() == []
    service.send(event(1, 0x1001002, 0x20001))
    service.send(event(2, 0x1001002, 0x20001))
    # One whose name is gone, a timeout, and what is too short.
    service.send(event(1, 0x1001003, 1))
    service.send(event(3, 0x1001002, 1))
    assert links.receive() == [
        TipcLinkSeen("1.1.1:eth1-1.1.2:eth0", True),
        TipcLinkSeen("1.1.1:eth1-1.1.2:eth0", False),
    ]
    links.follow(frozenset({"eth1"}))
    assert len(links.files()) == 1
    links.follow(frozenset())
    assert links.files() == []
    assert links.receive() == []


@pytest.mark.parametrize(
    "config",
    [TeamConfig(link_watch=(WATCH,)), TeamConfig(ports={"eth1": PortConfig(link_watch=(WATCH,))})],
)
def test_a_kernel_without_tipc_is_named(config: TeamConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "AF_TIPC", 45, raising=False)  # no such family
    with pytest.raises(TipcError, match="this kernel has no TIPC"):
        tipc.require(config)
    tipc.require(TeamConfig())


def test_what_cannot_be_followed_is_told_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(socket, "AF_TIPC", 45, raising=False)
    links = TipcLinks()
    links.follow(frozenset({"eth1"}))
    links.follow(frozenset({"eth1"}))
    assert links.files() == []
    assert len(caplog.messages) == 1
