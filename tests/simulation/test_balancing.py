"""``tx_balancer`` ``basic``: ports carry equal loads, few entries move, and none in vain."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from bench import balancing
from bench.loads import Load, bursty, coming_and_going, elephant, shaking, shifting, skewed
from pyteam.config import LoadBalanceRunner, PortConfig, TeamConfig, TxBalancer
from pyteam.engine.desired import SetEntries
from pyteam.engine.events import PortConfigured
from pyteam.engine.hashtable import KEYS
from tests.simulation.harness import Host

NAMES = ("a", "b", "c")
SECONDS = 5.0
EQUAL = {1: 1, 2: 1, 3: 1}


class Sender:
    """A team of three ports that sends a load, interval by interval."""

    def __init__(self, load: Load, seed: int, **ports: PortConfig) -> None:
        self.config = TeamConfig(
            device="team0",
            runner=LoadBalanceRunner(tx_balancer=TxBalancer("basic", round(SECONDS * 10))),
            ports=ports or {name: PortConfig() for name in NAMES},
        )
        self.host = Host(*NAMES).start(self.config)
        self._load: Iterator[list[float]] = load(random.Random(seed))
        # The first telling, as the interval was set.
        self.host.advance(0)

    def interval(self) -> dict[str, float]:
        """Send for an interval; the load of each port."""
        names = {link.ifindex: link.name for link in self.host.datapath.links()}
        loads = dict.fromkeys(NAMES, 0.0)
        self.host.advance(SECONDS / 2)
        for entry, sent in enumerate(next(self._load)):
            for port in self.host.datapath.transmit(round(sent * 1000), entry):
                loads[names[port]] += sent
        self.host.done.clear()
        self.host.advance(SECONDS / 2)
        self.host.advance(0.2)
        return loads

    @property
    def moves(self) -> int:
        """In the last interval."""
        return sum(len(command.entries) for command in self.host.done if isinstance(command, SetEntries))

    @property
    def shares(self) -> Counter[int]:
        options = self.host.datapath.actual().options
        return Counter(int(options[key]) for key in KEYS)


def imbalance(loads: dict[str, float], **weights: int) -> float:
    index = {name: number for number, name in enumerate(loads)}
    return balancing.worst(
        {index[name]: load for name, load in loads.items()},
        {index[name]: weights.get(name, 1) for name in loads},
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_heavy_tailed_load_is_balanced_within_three_intervals(seed: int) -> None:
    sender = Sender(skewed, seed)
    assert sorted(sender.shares.values()) == [85, 85, 86]
    for _ in range(3):
        sender.interval()
    for _ in range(20):
        assert imbalance(sender.interval()) <= 1.10
        assert sender.moves <= 2


def test_every_seed_of_the_report_keeps_the_goal() -> None:
    for seed in range(balancing.SEEDS):
        late = balancing.play(skewed, seed, EQUAL)[balancing.LEARNING :]
        assert max(interval.worst for interval in late) <= 1.10, seed
        assert max(interval.moves for interval in late) <= 2, seed


@pytest.mark.parametrize("load", [skewed, shaking, shifting, coming_and_going, elephant, bursty])
def test_it_helps_or_does_no_harm_and_moves_little(load: Load) -> None:
    late, without = [], []
    for seed in range(4):
        late += balancing.play(load, seed, EQUAL)[balancing.LEARNING :]
        without += balancing.play(load, seed, EQUAL, balance=False)[balancing.LEARNING :]
    assert sum(i.worst for i in late) <= sum(i.worst for i in without) * 1.01
    assert sum(i.moves for i in late) / len(late) < 2
    assert sum(i.in_vain for i in late) <= len(late) / 50


def test_an_elephant_is_left_alone() -> None:
    """More than a port's share in one entry: it stays, and the others make room."""
    sender = Sender(elephant, 1)
    for _ in range(3):
        sender.interval()
    for _ in range(10):
        loads = sender.interval()
        assert sender.moves <= 2
    big, *small = sorted(loads.values(), reverse=True)
    assert big / sum(loads.values()) == pytest.approx(0.5, abs=0.02)
    assert max(small) / min(small) <= 1.10


def test_a_load_that_shifts_is_followed() -> None:
    sender = Sender(shifting, 3)
    for number in range(30):
        loads = sender.interval()
        if number % 15 >= 5:
            assert imbalance(loads) <= 1.25, number


def test_loads_follow_the_weights() -> None:
    weights = {"a": 4, "b": 2, "c": 1}
    sender = Sender(skewed, 5, **{name: PortConfig(weight=weight) for name, weight in weights.items()})
    for _ in range(3):
        sender.interval()
    assert imbalance(sender.interval(), **weights) <= 1.10
    sender.host.tell(PortConfigured("a", PortConfig(weight=1)), PortConfigured("b", PortConfig(weight=1)))
    for _ in range(3):
        sender.interval()
    assert imbalance(sender.interval()) <= 1.10


def test_no_traffic_moves_nothing() -> None:
    sender = Sender(skewed, 1)
    before = sender.shares
    sender.host.advance(100)
    assert sender.shares == before


def test_who_fails_loses_its_entries_and_gets_them_back_while_loads_are_balanced() -> None:
    sender = Sender(skewed, 2)
    for _ in range(4):
        sender.interval()
    host, before = sender.host, sender.host.datapath.actual().options
    b = host.index("b")
    host.cut("b")
    without = host.datapath.actual().options
    moved = [key for key in KEYS if before[key] != without[key]]
    assert moved == [key for key in KEYS if before[key] == b]
    # By load, and at once.
    loads = sender.interval()
    assert loads["b"] == 0
    assert max(loads.values()) / sum(loads.values()) <= 0.55
    sender.interval()
    host.mend("b")
    assert {key for key in KEYS if host.datapath.actual().options[key] == b} <= set(moved)
    for _ in range(3):
        sender.interval()
    assert imbalance(sender.interval()) <= 1.10


def test_a_restart_moves_nothing_and_goes_on() -> None:
    sender = Sender(skewed, 4)
    for _ in range(4):
        sender.interval()
    sender.host.restart(sender.config)
    assert sender.host.done == []
    assert sender.host.log[:2] == ["TX balancing enabled.", "Balancing interval 50."]
    for _ in range(3):
        assert imbalance(sender.interval()) <= 1.10
        assert sender.moves <= 2


def test_without_a_balancer_nothing_is_counted() -> None:
    host = Host(*NAMES).start(TeamConfig(runner=LoadBalanceRunner(), ports={"a": PortConfig()}))
    assert "TX balancing disabled." in host.log
    host.datapath.transmit(10**6, 3)
    host.advance(60)
    assert host.option("lb_stats_refresh_interval") == 0
    assert host.datapath.next_timeout() is None
