"""The simulated datapath: the conformance suite, and what only a simulation can show."""

from __future__ import annotations

import struct

import pytest

from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World
from pyteam.options import OptionKey, OptionValue
from tests.datapath.conformance import MODE, Conformance
from tests.datapath.spreading import Spreading


class SimulatedBench:
    def __init__(self) -> None:
        self.world = World()
        self.world.plug("lo", up=True, loopback=True)
        self.datapath: Datapath = SimulatedDatapath.create(self.world, "team0")
        self.world.set_up("team0", True)
        self._plugged = 0
        self.cut, self.mend = self.world.cut, self.world.mend
        self.set_up, self.set_address = self.world.set_up, self.world.set_address
        self.rename, self.unplug = self.world.rename, self.world.unplug
        self.move_away = self.world.unplug

    def plug(self) -> str:
        self._plugged += 1
        self.world.plug(name := f"eth{self._plugged}")
        return name

    def set_mtu(self, name: str, mtu: int) -> None:
        if self.world.find(name).team <= 0:
            self.world.set_mtu(name, mtu)
            return
        with pytest.raises(DatapathError):
            self.world.set_mtu(name, mtu)

    def index(self, name: str) -> int:
        return self.world.find(name).ifindex

    def reopen(self) -> None:
        self.datapath.close()
        self.datapath = self.adopt_again()

    def adopt_again(self) -> Datapath:
        return SimulatedDatapath.adopt(self.world, "team0")

    def send(self, hash_: int, size: int) -> None:
        assert isinstance(self.datapath, SimulatedDatapath)
        self.datapath.transmit(size, hash_)

    def exists(self, name: str) -> bool:
        return name in (interface.name for interface in self.world.interfaces())


class TestSimulated(Conformance, Spreading):
    @pytest.fixture
    def bench(self) -> SimulatedBench:
        return SimulatedBench()


def device(mode: str, *names: str) -> tuple[World, SimulatedDatapath, list[int]]:
    world = World()
    datapath = SimulatedDatapath.create(world, "team0")
    datapath.set_option(MODE, mode)
    ports = [world.plug(name) for name in names]
    for port in ports:
        datapath.add_port(port)
    return world, datapath, ports


def test_active_backup_diverts_in_the_order_it_was_given() -> None:
    world, datapath, (a, b, c) = device("activebackup", "a", "b", "c")
    assert datapath.transmit() == frozenset()
    datapath.set_option(OptionKey("activeport"), a)
    datapath.set_option(OptionKey("failover_order"), struct.pack("=2I", c, b))
    assert datapath.transmit() == datapath.listening() == {a}
    world.cut("a")
    assert datapath.transmit() == {c}
    assert datapath.listening() == {b, c}, "the other side has diverted too, and may have chosen another"
    world.cut("c")
    assert datapath.transmit() == {b}
    world.mend("a")
    assert datapath.transmit() == datapath.listening() == {a}
    world.unplug("a")
    assert datapath.transmit() == {b}
    datapath.set_option(OptionKey("activeport"), b)
    datapath.set_option(OptionKey("enabled", b), False)
    assert datapath.transmit() == datapath.listening() == {b}, "nothing better is known, so it is used"
    assert datapath.statistics(b)["tx_packets"] == 3


@pytest.mark.parametrize("mode", ["broadcast", "roundrobin", "random"])
def test_other_modes_send_over_what_is_enabled_and_up(mode: str) -> None:
    world, datapath, (a, b, c) = device(mode, "a", "b", "c")
    datapath.set_option(OptionKey("enabled", b), False)
    assert datapath.sending() == datapath.listening() == {a, c}
    world.cut("c")
    assert datapath.sending() == {a}
    datapath.set_option(OptionKey("user_linkup_enabled", a), True)
    assert datapath.sending() == frozenset()
    assert datapath.listening() == {a}, "a verdict is about sending"
    sent = [datapath.transmit() for _ in range(3)]
    assert sent == [frozenset()] * 3


def test_broadcast_sends_each_packet_everywhere_and_roundrobin_in_turn() -> None:
    _, datapath, ports = device("broadcast", "a", "b")
    assert datapath.transmit(100) == set(ports)
    _, datapath, ports = device("roundrobin", "a", "b")
    assert {min(datapath.transmit(100)) for _ in range(2)} == set(ports)
    assert datapath.deliver(ports[0], 60)
    assert list(datapath.statistics(ports[0]).values()) == [1, 60, 1, 100]


def test_announcements_are_counted_and_spaced() -> None:
    world, datapath, (a,) = device("activebackup", "a")
    datapath.set_option(OptionKey("notify_peers_count"), 3)
    datapath.set_option(OptionKey("notify_peers_interval"), 100)
    datapath.set_option(OptionKey("mcast_rejoin_count"), 1)
    world.now = 5.0
    datapath.set_option(OptionKey("activeport"), a)
    times = []
    while (due := datapath.next_timeout()) is not None:
        world.now = due
        datapath.handle_timeout(due)
        times.append(due)
    assert times == pytest.approx([5.0, 5.1, 5.2])
    assert datapath.announced == {"notify_peers": 3, "mcast_rejoin": 1}


def test_the_halves_of_enabled() -> None:
    _, datapath, (a,) = device("roundrobin", "a")
    datapath.set_option(OptionKey("rx_enabled", a), False)
    assert datapath.sending() == {a}
    assert datapath.listening() == frozenset()
    assert datapath.actual().options[OptionKey("enabled", a)] is False
    datapath.set_option(OptionKey("enabled", a), True)
    assert datapath.listening() == {a}


def test_values_of_the_wrong_kind_are_refused() -> None:
    _, datapath, (a,) = device("loadbalance", "a")
    wrong: list[tuple[OptionKey, OptionValue]] = [
        (OptionKey("enabled", a), 1),
        (OptionKey("priority", a), True),
        (OptionKey("queue_id", a), 16),
        (OptionKey("notify_peers_count"), -1),
        (OptionKey("lb_tx_method"), "dice"),
        (OptionKey("lb_tx_hash_to_port_mapping", array_index=3), 999),
        (OptionKey("lb_port_stats", a), bytes(8)),
    ]
    for key, value in wrong:
        with pytest.raises(DatapathError):
            datapath.set_option(key, value)
    datapath.set_option(OptionKey("lb_tx_hash_to_port_mapping", array_index=255), a)
    datapath.remove_port(a)
    assert datapath.actual().options[OptionKey("lb_tx_hash_to_port_mapping", array_index=255)] == 0


def test_a_team_deleted_by_somebody_lets_its_ports_go() -> None:
    world, datapath, (a,) = device("roundrobin", "a")
    datapath.receive()
    world.unplug("team0")
    assert [type(event).__name__ for event in datapath.receive()] == ["LinkGone"]
    assert (world.interface(a).team, world.interface(a).up) == (0, False)
