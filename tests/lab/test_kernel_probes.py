"""Watches that ask a neighbour, on the kernel's driver: the frames of the original, and silent loss."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from pyteam.client import Client
from pyteam.frames import ethernet
from pyteam.frames.ethernet import ETH_P_ARP, ETH_P_IPV6, Frame
from tests.lab.sidebyside import PATIENCE, TEAM, Side, side, wait_for
from tests.netns.anonymous import inside, namespace

IPV4: Final = "10.5.0.9"
IPV6: Final = "fd00::9"
WATCHES: Final[dict[str, dict[str, Any]]] = {
    "arp_ping": {"name": "arp_ping", "target_host": IPV4, "interval": 300},
    "arp_ping in a VLAN": {"name": "arp_ping", "target_host": IPV4, "vlanid": 5, "source_host": "10.5.0.1"},
    "nsna_ping": {"name": "nsna_ping", "target_host": IPV6, "interval": 300},
}
OUTGOING: Final = 4


def config(watch: dict[str, Any]) -> dict[str, Any]:
    return {
        "device": "team0",
        "runner": {"name": "activebackup"},
        "link_watch": watch,
        "ports": {"eth1": {"prio": 10}, "eth2": {}},
    }


@contextmanager
def tap(name: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as listener:
        listener.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the tag is beside the frame
        listener.bind((name, 3))
        listener.settimeout(PATIENCE)
        yield listener


def question(listener: socket.socket) -> tuple[bytes, int]:
    """The first frame that asks for the target, and the tag that the kernel took off it."""
    while True:
        data, ancillary, _, (_, _, kind, _, _) = listener.recvmsg(2048, 64)
        frame = ethernet.parse(data)
        if kind == OUTGOING or not _asks(frame):
            continue
        status, control = (
            int.from_bytes(ancillary[0][2][at:end], "little") for at, end in ((0, 4), (16, 18))
        )
        return data, control if status & 16 else -1


def _asks(frame: Frame) -> bool:
    if frame.ethertype == ETH_P_ARP:
        return frame.payload[24:28] == socket.inet_aton(IPV4)
    return frame.ethertype == ETH_P_IPV6 and frame.payload[48:64] == socket.inet_pton(socket.AF_INET6, IPV6)


def find(one: Side, far: str) -> None:
    one.do(f"ip addr add {IPV4}/24 dev {far}", {})
    one.do(f"ip addr add {IPV6}/64 dev {far} nodad", {})


@pytest.mark.needs("/usr/bin/teamd")
@pytest.mark.parametrize("name", WATCHES)
def test_the_same_on_the_wire(tmp_path: Path, name: str) -> None:
    seen = []
    for contender in ("original", "ours"):
        with side(contender, tmp_path) as one, tap("far1") as listener:
            one.start([], config(WATCHES[name]))
            data, tag = question(listener)
            if ethernet.parse(data).ethertype == ETH_P_IPV6:
                # The kernel labels flows; who asks by hand does not.
                data = data[:14] + b"\x60\0\0\0" + data[18:]
            seen.append((data.hex(), tag))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", ["arp_ping", "nsna_ping"])
@pytest.mark.parametrize("always", [False, True])
def test_silent_loss(tmp_path: Path, name: str, always: bool) -> None:
    with side("ours", tmp_path) as one:
        for far in ("far1", "far2"):
            # A kernel answers for all its addresses on all its interfaces.
            Path(f"/proc/sys/net/ipv4/conf/{far}/arp_ignore").write_text("1")
            find(one, far)
        one.start([], config(WATCHES[name] | {"send_always": always}))
        becomes(one, "runner.active_port", "eth1")
        if always:
            becomes(one, "ports.eth2.link_watches.up", "true")
        one.do("ip addr flush dev far1", {})
        becomes(one, "runner.active_port", "eth2")
        assert item("ports.eth1.link.up") == "true"
        assert item("ports.eth1.link_watches.up") == "false"
        find(one, "far1")
        if not always:
            one.do("ip addr flush dev far2", {})
        becomes(one, "runner.active_port", "eth1")
        one.daemon.end()


@pytest.mark.needs("tipc")
@pytest.mark.parametrize("contender", ["ours", "ebpf"])
@pytest.mark.parametrize("other_port", [{}, {"eth2": {"prio": 10, "link_watch": {"name": "ethtool"}}}])
def test_tipc(tmp_path: Path, contender: str, other_port: dict[str, Any]) -> None:
    """A second node behind eth1, active or backup, in a namespace of its own."""
    with side(contender, tmp_path) as one, namespace() as other:
        one.do("modprobe tipc", {})
        one.do(f"ip link set far1 netns /proc/{os.getpid()}/fd/{other}", {})
        with inside(other):
            one.do("ip link set far1 up", {})
            one.do("tipc bearer enable media eth device far1", {})
        watch = {"name": "tipc", "tipc_bearer": "eth1"}
        wanted = config(watch) | {"ports": {"eth1": {}, **other_port}}
        one.start([], wanted)
        assert item("ports.eth1.link_watches.up") == "false"
        one.do("tipc bearer enable media eth device eth1", {})
        becomes(one, "ports.eth1.link_watches.up", "true")
        assert item("ports.eth1.link_watches.list.link_watch_0.tipc_bearer") == "eth1"
        becomes(one, "runner.active_port", "eth2" if other_port else "eth1")
        # Whoever takes over is told of the link that there is.
        one.daemon.end(signal.SIGKILL)
        one.start([], wanted)
        with inside(other):
            one.do("tipc bearer disable media eth device far1", {})
        becomes(one, "ports.eth1.link_watches.up", "false")
        one.daemon.end()


def item(path: str) -> str:
    with Client(TEAM) as client:
        return client.state_item_get(path)


def becomes(one: Side, path: str, value: str) -> None:
    wait_for(lambda: item(path) == value, lambda: f"{path} to be {value}; it says:\n{one.daemon.log}")
