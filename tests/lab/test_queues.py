"""``queue_id``: a tc filter on the team device chooses the port of a packet. The driver does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.lab.pair import Pair, pair_of_hosts

PORTS: Final = ("eth0", "eth1", "eth2")
#: eth2's; and what is sent to UDP port 9001 gets it.
QUEUE: Final = 3
FILTER: Final = (
    "tc qdisc add dev team0 clsact;"
    "tc filter add dev team0 egress protocol ip u32 match ip dport 9001 0xffff"
    f" action skbedit queue_mapping {QUEUE}"
)
PACKETS: Final = 20


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with pair_of_hosts(tmp_path, "kernel", PORTS) as made:
        yield made


def sent(pair: Pair, port: int) -> dict[str, int]:
    """Packets by which each port of the first host has grown, while so many were sent to the UDP port."""
    here = pair.a

    def count() -> dict[str, int]:
        return {name: here.link(name)["stats64"]["tx"]["packets"] for name in PORTS}

    before = count()
    for _ in range(PACKETS):
        pair.send("10.1.0", port)
    return {name: after - before[name] for name, after in count().items()}


@pytest.mark.parametrize("runner", ["roundrobin", "loadbalance"])
def test_a_filter_chooses_the_port(pair: Pair, runner: str) -> None:
    pair.start({"eth0": {}, "eth1": {}, "eth2": {"queue_id": QUEUE}}, runner)
    pair.ip("addr add 10.1.0.%/24 dev team0")
    pair.comes_through("10.1.0")
    here = pair.a
    here.sh(FILTER)
    chosen = sent(pair, 9001)
    assert chosen["eth2"] >= PACKETS
    assert chosen["eth0"] < PACKETS // 2 > chosen["eth1"]
    if runner == "roundrobin":
        others = sent(pair, 9002)
        assert others["eth0"] >= PACKETS // 4 <= others["eth1"]
