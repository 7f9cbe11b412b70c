"""``queue_id``: a tc filter on the team device chooses the port of a packet; both datapaths."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from pyteam.client import Client
from tests.lab.pair import DATAPATHS, Pair, pair_of_hosts
from tests.lab.sidebyside import TEAM
from tests.netns.anonymous import inside

PORTS: Final = ("eth0", "eth1", "eth2")
#: eth2's; and what is sent to UDP port 9001 gets it.
QUEUE: Final = 3
CHOSEN, OTHER = 9001, 9002
_MATCH: Final = f"protocol ip u32 match ip dport {CHOSEN} 0xffff action skbedit queue_mapping {QUEUE}"
#: In front of the choice of a queue, and behind it.
FILTERS: Final = {
    "clsact": f"tc qdisc add dev team0 clsact; tc filter add dev team0 egress {_MATCH}",
    "multiq": f"tc qdisc add dev team0 root handle 1: multiq; tc filter add dev team0 parent 1: {_MATCH}",
}
#: By which the packets of a test leave by all ports.
RUNNERS: Final[dict[str, dict[str, Any]]] = {"roundrobin": {}, "loadbalance": {"tx_hash": ["l4"]}}
PACKETS: Final = 30


@pytest.fixture(params=DATAPATHS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with pair_of_hosts(tmp_path, request.param, PORTS) as made:
        yield made


def sent(pair: Pair, port: int) -> dict[str, int]:
    """Packets by which each port of the first host has grown, while so many were sent to the UDP port.

    All of them have to come. Each second socket is connected: its queue is remembered.
    """
    here, there = pair.a, pair.b

    def count() -> dict[str, int]:
        return {name: here.link(name)["stats64"]["tx"]["packets"] for name in PORTS}

    with ExitStack() as stack:
        with inside(there.netns):
            inbox = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            inbox.bind(("10.1.0.2", port))
            inbox.settimeout(5)
        before = count()
        with inside(here.netns):
            for number in range(PACKETS):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outbox:
                    if number % 2:
                        outbox.connect(("10.1.0.2", port))
                    outbox.sendto(b"hello", ("10.1.0.2", port))
        for _ in range(PACKETS):
            assert inbox.recv(100) == b"hello"
        return {name: after - before[name] for name, after in count().items()}


def start(pair: Pair, runner: str, filters: str) -> None:
    ports = {"eth0": {}, "eth1": {}, "eth2": {"queue_id": QUEUE}}
    pair.start(ports, runner, **RUNNERS.get(runner, {}))
    pair.ip("addr add 10.1.0.%/24 dev team0")
    pair.comes_through("10.1.0")
    pair.a.sh(FILTERS[filters])


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("runner", RUNNERS)
def test_a_filter_chooses_the_port(pair: Pair, runner: str, filters: str) -> None:
    start(pair, runner, filters)
    chosen = sent(pair, CHOSEN)
    assert chosen["eth2"] >= PACKETS
    assert chosen["eth0"] < PACKETS // 2 > chosen["eth1"]
    others = sent(pair, OTHER)
    least = PACKETS // 4 if runner == "roundrobin" else 1
    assert min(others.values()) >= least, others
    if pair.datapath == "ebpf":
        pair.b.ip("link set eth2 down")
        spread = sent(pair, CHOSEN)
        assert spread["eth2"] < PACKETS // 4, spread
        pair.b.ip("link set eth2 up")
        pair.a.becomes("ports.eth2.link.up", "true")
        assert sent(pair, CHOSEN)["eth2"] >= PACKETS


def test_in_activebackup_the_active_port_has_the_traffic_whatever_a_filter_says(pair: Pair) -> None:
    """Backups are not enabled."""
    start(pair, "activebackup", "clsact")
    for active in ("eth0", "eth2"):
        for one in (pair.a, pair.b):
            with Client(TEAM, str(one.directory)) as client:
                client.state_item_set("runner.active_port", active)
        for port in (CHOSEN, OTHER):
            assert sent(pair, port)[active] >= PACKETS
