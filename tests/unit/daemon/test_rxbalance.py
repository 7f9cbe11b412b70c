"""Receive balancing around a datapath: simulated ports, and programs and a wire that are lists."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import pytest

from pyteam.daemon import rxbalance
from pyteam.daemon.rxbalance import MOURNING, RxBalancedDatapath, remove_leftovers
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.rxbalance import shared
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World
from pyteam.engine.events import LinkGone
from pyteam.engine.rxbalance import AGAIN, SILENCE, Station, Use
from pyteam.frames.update import arp_update, learning, na_update
from pyteam.options import OptionKey

HOST, ROUTED = Station(bytes([2, 0, 0, 1, 0, 1])), Station(bytes([2, 0, 0, 1, 0, 2]), 5)
IPV4, IPV6 = bytes([10, 0, 0, 1]), bytes([0xFD, *bytes(14), 1])
NEW_MAC: Final = bytes([2, 0, 0, 2, 0, 9])


class Memory(shared.SharedState):
    """The state of the programs, shared with nobody."""

    def __init__(self) -> None:
        self._state = shared.State()

    def close(self) -> None:
        pass


class Programs:
    """What stands for both programs and their maps."""

    #: What a predecessor left.
    left: ClassVar[Programs | None] = None
    made: ClassVar[list[Programs]] = []
    #: Ports that carry them.
    on: ClassVar[set[int]] = set()
    refuses: ClassVar[bool] = False

    def __init__(self) -> None:
        self.shared = Memory()
        self.uses: dict[Station, Use] = {}
        self.roles: dict[tuple[Station, bytes], int] = {}
        #: How often neighbours were read.
        self.looks = 0
        self.closed = False

    @classmethod
    def load(cls) -> Programs:
        cls.made.append(cls())
        return cls.made[-1]

    @classmethod
    def find(cls, _ports: Iterable[int]) -> Programs | None:
        return cls.left

    def hang(self, port: int) -> bool:
        if self.refuses:
            raise DatapathError(errno.ENOSPC, "no room")
        fresh = port not in self.on
        self.on.add(port)
        return fresh

    @classmethod
    def take_off(cls, port: int) -> bool:
        fresh = port in cls.on
        cls.on.discard(port)
        return fresh

    def neighbours(self) -> dict[Station, Use]:
        self.looks += 1
        return dict(self.uses)

    def told(self) -> dict[tuple[Station, bytes], int]:
        return dict(self.roles)

    def give(self, given: Mapping[Station, int]) -> None:
        for station, port in given.items():
            use = self.uses[station]
            self.uses[station] = Use(port, use.uses, use.bytes, use.told, use.movable)

    def forget(self, stations: Iterable[Station]) -> None:
        for station in stations:
            del self.uses[station]

    def close(self) -> None:
        self.closed = True


class Rtnl:
    """Interfaces of which nothing but promiscuous mode is asked."""

    promiscuous: ClassVar[set[int]] = set()

    def link(self, ifindex: int) -> SimpleNamespace:
        return SimpleNamespace(promiscuous=ifindex in self.promiscuous)

    def set_link(self, ifindex: int, *, promiscuous: bool) -> None:
        (self.promiscuous.add if promiscuous else self.promiscuous.discard)(ifindex)

    def __enter__(self) -> Rtnl:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


class Wire:
    """The socket that frames leave by; with ``down`` none does."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.options: list[tuple[int, ...]] = []
        self.down = False

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def sendto(self, frame: bytes, address: tuple[str, int]) -> None:
        if self.down:
            raise OSError(errno.ENETDOWN, "down")
        self.sent.append((address[0], frame))

    def close(self) -> None:
        pass


class Bench:
    """A team with ports ``eth0``, ``eth1``, ... whose MACs are their own, balanced."""

    def __init__(self, ports: int = 2, kind: str = "ebpf") -> None:
        self.world = World()
        self.inner = SimulatedDatapath.create(self.world, "team0")
        self.inner.kind = kind
        self.inner.set_option(OptionKey("mode"), "activebackup")
        self.wire = Wire()
        self.now = 100.0
        self.ports = [self.world.plug(f"eth{number}") for number in range(ports)]
        self.datapath: RxBalancedDatapath

    def open(self) -> None:
        self.datapath = RxBalancedDatapath(self.inner)
        self.programs = Programs.left or Programs.made[-1]

    def start(self) -> None:
        self.open()
        for port in self.ports:
            self.datapath.add_port(port)
        self.events()

    def greet(self) -> None:
        """A host and, behind a tag, one that takes us for a router; both are told of the first port."""
        first = self.ports[0]
        self.programs.uses = {HOST: Use(first, first, 0), ROUTED: Use(first, first, 0)}
        self.programs.roles = {
            (HOST, IPV4): shared.ROLE_UNKNOWN,
            (ROUTED, IPV6): shared.ROLE_ROUTER,
        }

    def events(self) -> list[Any]:
        self.wire.sent.clear()
        return self.datapath.receive()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.wire.sent.clear()
        self.datapath.handle_timeout(self.now)

    def mac(self, port: int) -> bytes:
        return self.inner.link(port).address

    def slot(self, port: int) -> shared.Port:
        found = self.programs.shared.port(port)
        assert found is not None
        return found


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    yield from _bench(monkeypatch, "ebpf")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """On the kernel's driver, whose ports hear only their own MAC."""
    yield from _bench(monkeypatch, "kernel")


def _bench(monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[Bench]:
    made = Bench(kind=kind)
    for name, value in (("left", None), ("made", []), ("on", set()), ("refuses", False)):
        monkeypatch.setattr(Programs, name, value)
    monkeypatch.setattr(Rtnl, "promiscuous", set())
    numbers = dict.fromkeys(("AF_PACKET", "SOCK_RAW", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "SOL_SOCKET"), 0)
    monkeypatch.setattr(rxbalance, "Programs", Programs)
    monkeypatch.setattr(rxbalance, "programs", Programs)
    monkeypatch.setattr(rxbalance, "Rtnl", Rtnl)
    monkeypatch.setattr(rxbalance, "socket", SimpleNamespace(socket=lambda *_: made.wire, **numbers))
    monkeypatch.setattr(rxbalance, "time", SimpleNamespace(monotonic=lambda: made.now))
    yield made


def test_a_port_carries_the_programs_while_it_is_one(bench: Bench) -> None:
    bench.start()
    first, second = bench.ports
    assert Programs.on == {first, second}
    assert bench.programs.shared.slots() == {first: 0, second: 1}
    assert bench.slot(second).mac == shared.number_of(bench.mac(second))
    assert (bench.slot(first).live, bench.slot(second).live) == (1, 1)
    assert bench.programs.shared.state.ifindex == bench.datapath.ifindex
    assert not Rtnl.promiscuous  # the eBPF datapath sees to that
    bench.datapath.remove_port(first)
    assert Programs.on == {second}
    assert bench.programs.shared.slots() == {second: 1}
    assert bench.datapath.actual().members == {second}


def test_frames_are_marked_as_our_own(bench: Bench) -> None:
    bench.start()
    assert [option[-1] for option in bench.wire.options] == [shared.MARK]


def test_where_the_programs_cannot_hang_there_is_no_port(bench: Bench) -> None:
    bench.open()
    Programs.refuses = True
    with pytest.raises(DatapathError, match="no room"):
        bench.datapath.add_port(bench.ports[0])
    assert not bench.datapath.actual().members


def test_the_drivers_ports_are_made_promiscuous_and_given_back(driver: Bench) -> None:
    first, second = driver.ports
    Rtnl.promiscuous.add(second)
    driver.start()
    assert Rtnl.promiscuous == {first, second}
    for port in driver.ports:
        driver.datapath.remove_port(port)
    assert Rtnl.promiscuous == {second}  # whose it was before


def test_a_dead_ports_neighbours_are_told_another_and_its_mac_is_taken_over_first(bench: Bench) -> None:
    bench.start()
    bench.greet()
    first, second = bench.ports
    bench.world.cut("eth0")
    bench.events()
    assert [bench.slot(port).live for port in bench.ports] == [0, 1]
    assert bench.programs.shared.state.primary == 1
    dead, alive = bench.mac(first), bench.mac(second)
    taken_over = ("eth1", learning(dead))
    told = [
        ("eth1", arp_update(alive, IPV4, HOST.mac)),
        ("eth1", na_update(alive, IPV6, ROUTED.mac, router=True, vlan=5)),
    ]
    assert taken_over in bench.wire.sent
    assert bench.wire.sent[-2:] == told
    assert {use.port for use in bench.programs.uses.values()} == {second}
    assert [bench.slot(port).neighbours for port in bench.ports] == [0, 2]
    bench.wait(AGAIN[0])
    assert taken_over in bench.wire.sent


def test_who_nobody_says_is_a_router_is_one_where_the_host_forwards(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.start()
    bench.greet()
    bench.programs.roles = {(ROUTED, IPV6): shared.ROLE_UNKNOWN}
    monkeypatch.setattr(rxbalance, "_forwards", lambda: True)
    bench.world.cut("eth0")
    bench.events()
    frame = na_update(bench.mac(bench.ports[1]), IPV6, ROUTED.mac, router=True, vlan=5)
    assert ("eth1", frame) in bench.wire.sent


def test_while_a_port_returns_another_still_takes_its_frames(bench: Bench) -> None:
    bench.start()
    bench.world.cut("eth0")
    bench.events()
    bench.world.mend("eth0")
    bench.events()
    port = bench.slot(bench.ports[0])
    assert (port.live, port.also) == (1, 1 + 1)
    assert ("eth0", learning(bench.mac(bench.ports[0]))) in bench.wire.sent


def test_a_port_that_is_not_enabled_receives_nothing(bench: Bench) -> None:
    bench.start()
    bench.greet()
    key = OptionKey("enabled", bench.ports[0])
    bench.datapath.set_option(key, False)
    assert {use.port for use in bench.programs.uses.values()} == {bench.ports[1]}
    bench.datapath.set_options([(key, True)])
    assert bench.slot(bench.ports[0]).live == 1
    before = bench.programs.looks
    bench.datapath.set_options([(key, True), (OptionKey("priority", bench.ports[0]), 3)])
    assert bench.programs.looks == before


def test_the_mac_of_a_port_that_is_gone_is_taken_over_for_a_while(bench: Bench) -> None:
    bench.start()
    bench.greet()
    first, second = bench.ports
    missed = bench.mac(first)
    bench.world.unplug("eth0")
    assert LinkGone(first) in bench.events()
    assert ("eth1", learning(missed)) in bench.wire.sent
    assert {use.port for use in bench.programs.uses.values()} == {second}
    bench.wait(MOURNING - 1)
    assert first in bench.programs.shared.slots()
    bench.wait(1)
    assert first not in bench.programs.shared.slots()


def test_a_port_with_the_mac_of_one_that_is_gone_ends_that(bench: Bench) -> None:
    bench.start()
    first = bench.ports[0]
    missed = bench.mac(first)
    bench.world.unplug("eth0")
    bench.events()
    back = bench.world.plug("eth2", address=missed)
    bench.datapath.add_port(back)
    assert set(bench.programs.shared.slots()) == {bench.ports[1], back}


def test_who_knew_the_old_mac_of_a_port_is_told_the_new_one(bench: Bench) -> None:
    bench.start()
    bench.greet()
    first, second = bench.ports
    bench.programs.uses[ROUTED] = Use(second, second, 0)  # so that none has to move
    bench.datapath.set_address(first, NEW_MAC)
    assert bench.slot(first).mac == shared.number_of(NEW_MAC)
    assert bench.wire.sent[-1] == ("eth0", arp_update(NEW_MAC, IPV4, HOST.mac))


def test_the_teams_mac_is_known_to_the_programs(bench: Bench) -> None:
    bench.start()
    bench.world.set_address("team0", NEW_MAC)
    bench.events()
    assert bench.programs.shared.state.mac == shared.number_of(NEW_MAC)


def test_who_is_silent_for_long_is_forgotten(bench: Bench) -> None:
    bench.start()
    bench.greet()
    bench.wait(1)
    bench.wait(SILENCE - 1)
    assert bench.programs.uses
    bench.wait(1)
    assert not bench.programs.uses


def test_a_port_that_goes_down_in_this_moment_ends_nothing(bench: Bench) -> None:
    bench.start()
    bench.greet()
    bench.wire.down = True
    bench.world.cut("eth0")
    bench.events()
    assert {use.port for use in bench.programs.uses.values()} == {bench.ports[1]}


def test_a_successor_takes_over_what_runs(bench: Bench) -> None:
    bench.start()
    bench.greet()
    bench.datapath.close()
    assert bench.programs.closed
    Programs.left = bench.programs
    # One that was released meanwhile by somebody else.
    stranger = bench.ports[0]
    bench.inner = SimulatedDatapath.adopt(bench.world, "team0")
    bench.inner.remove_port(stranger)
    bench.open()
    assert len(Programs.made) == 1
    assert set(bench.programs.shared.slots()) == {bench.ports[1]}
    bench.datapath.handle_timeout(bench.now)
    assert not bench.datapath.repair()


def test_programs_that_somebody_took_off_are_put_back(bench: Bench) -> None:
    bench.start()
    Programs.take_off(bench.ports[1])
    assert bench.datapath.repair() == ["put receive balancing of eth1 back"]
    assert bench.datapath.repair() == []


def test_it_says_when_it_wants_to_be_called(bench: Bench) -> None:
    bench.open()
    assert bench.datapath.next_timeout() is None
    bench.datapath.add_port(bench.ports[0])
    due = bench.datapath.next_timeout()
    assert due is not None
    assert bench.now < due <= bench.now + 1


def test_users_see_who_receives_by_which_port(bench: Bench) -> None:
    bench.start()
    bench.greet()
    bench.programs.uses[ROUTED] = Use(bench.ports[1], 0, 7)
    state: dict[str, Any] = {
        "ports": {name: {"ifinfo": {"ifindex": port}} for name, port in zip("ab", bench.ports, strict=True)}
    }
    bench.datapath.describe(state)
    assert state["runner"]["rx_balancer"] == {"moves": 0, "name": "arp", "neighbours": 2, "primary": "eth0"}
    assert state["ports"]["a"]["runner"]["rx_neighbours"] == {
        "count": 1,
        "list": {"02:00:00:01:00:01": {"rx_bytes": 0, "uses": "eth0"}},
    }
    assert state["ports"]["b"]["runner"]["rx_neighbours"] == {
        "count": 1,
        "list": {"02:00:00:01:00:02@5": {"rx_bytes": 7, "uses": ""}},
    }


def test_at_the_end_nothing_is_left(driver: Bench) -> None:
    driver.start()
    driver.datapath.destroy()
    assert (Programs.on, Rtnl.promiscuous, driver.programs.closed) == (set(), set(), True)


def test_what_a_predecessor_left_is_taken_off(driver: Bench) -> None:
    driver.start()
    driver.datapath.close()
    remove_leftovers(driver.inner)
    assert Programs.on == set(driver.ports)  # none that could be told from a stranger's
    driver.programs.closed = False
    Programs.left = driver.programs
    driver.inner = SimulatedDatapath.adopt(driver.world, "team0")
    remove_leftovers(driver.inner)
    assert (Programs.on, Rtnl.promiscuous, driver.programs.closed) == (set(), set(), True)
