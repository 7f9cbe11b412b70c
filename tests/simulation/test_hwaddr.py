"""Who has which MAC: every cell of the table in `pyteam.engine.addresses`, with users meddling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pyteam.config import (
    ActiveBackupRunner,
    BasicRunner,
    LoadBalanceRunner,
    PortConfig,
    RunnerConfig,
    RxBalancer,
)
from pyteam.engine.events import PortUnwanted, PortWanted
from tests.simulation.harness import Host, config

SAME_ALL = ActiveBackupRunner(hwaddr_policy="same_all")
BY_ACTIVE = ActiveBackupRunner(hwaddr_policy="by_active")
ONLY_ACTIVE = ActiveBackupRunner(hwaddr_policy="only_active")
BASIC = BasicRunner()
OWN = LoadBalanceRunner(rx_balancer=RxBalancer("arp"))
PLAIN = PortConfig()
USER = bytes.fromhex("02aaaaaaaaaa")
CONFIGURED = bytes.fromhex("02bbbbbbbbbb")


class Two(Host):
    """Ports a (active) and b; their own MACs are ``A`` and ``B``."""

    def __init__(self, runner: RunnerConfig, hwaddr: bytes | None = None) -> None:
        super().__init__("a", "b")
        self.a, self.b = self.address("a"), self.address("b")
        self.start(replace(config(runner, a=PLAIN, b=PLAIN), hwaddr=hwaddr))

    def user_sets(self, name: str, address: bytes) -> None:
        self.world.set_address(name, address)
        self.settle()
        self.repair()

    def addresses(self) -> dict[str, bytes]:
        return {name: self.address(name) for name in ("team0", "a", "b")}


def test_own() -> None:
    host = Two(OWN)
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": host.b}
    host.cut("a")
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": host.b}
    host.user_sets("team0", USER)
    assert host.addresses() == {"team0": USER, "a": host.a, "b": host.b}
    host.user_sets("b", CONFIGURED)
    assert host.addresses() == {"team0": USER, "a": host.a, "b": CONFIGURED}


def test_no_two_ports_have_the_same_of_their_own() -> None:
    host = Host("a", "b", "c")
    own = host.address("a")
    for name in "bc":
        host.world.set_address(name, own)
    host.start(config(OWN, a=PLAIN, b=PLAIN, c=PLAIN))
    made = [host.address(name) for name in "abc"]
    assert made[0] == own
    assert len(set(made)) == 3
    assert all(address[0] & 2 and address[1:5] == own[1:5] for address in made)
    host.tell(PortUnwanted("b"))
    assert host.address("b") == own
    host.settle()
    host.repair()
    assert [host.address(name) for name in "ac"] == [made[0], made[2]]


def test_a_team_that_balances_from_now_on_gives_its_ports_their_own_back() -> None:
    host = Two(LoadBalanceRunner())
    assert host.addresses() == dict.fromkeys(("team0", "a", "b"), host.a)
    host.restart(config(OWN, a=PLAIN, b=PLAIN))
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": host.b}


@pytest.mark.parametrize("runner", [SAME_ALL, BASIC])
def test_same_all(runner: RunnerConfig) -> None:
    host = Two(runner)
    assert host.addresses() == dict.fromkeys(("team0", "a", "b"), host.a)
    host.cut("a")
    assert host.addresses() == dict.fromkeys(("team0", "a", "b"), host.a)
    host.user_sets("team0", USER)
    assert host.addresses() == dict.fromkeys(("team0", "a", "b"), USER)
    host.user_sets("b", CONFIGURED)
    assert host.addresses() == dict.fromkeys(("team0", "a", "b"), USER)
    host.world.plug("c")
    host.tell(PortWanted("c"))
    assert host.address("c") == USER


def test_by_active() -> None:
    host = Two(BY_ACTIVE)
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": host.b}
    host.cut("a")
    assert host.addresses() == {"team0": host.b, "a": host.a, "b": host.b}
    host.user_sets("team0", USER)
    assert host.addresses() == {"team0": USER, "a": host.a, "b": host.b}
    host.user_sets("b", CONFIGURED)
    assert host.addresses() == {"team0": USER, "a": host.a, "b": CONFIGURED}
    host.mend("a")
    host.cut("b")
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": CONFIGURED}
    host.mend("b")
    host.cut("a")
    assert host.address("team0") == CONFIGURED


def test_only_active() -> None:
    host = Two(ONLY_ACTIVE)
    assert host.addresses() == {"team0": host.a, "a": host.a, "b": host.b}
    host.user_sets("team0", USER)
    assert host.addresses() == {"team0": USER, "a": USER, "b": host.b}
    host.cut("a")
    assert host.addresses() == {"team0": USER, "a": host.a, "b": USER}
    host.user_sets("b", CONFIGURED)
    assert host.addresses() == {"team0": USER, "a": host.a, "b": CONFIGURED}, "no reaction"
    host.user_sets("a", CONFIGURED)
    assert host.addresses() == {"team0": USER, "a": CONFIGURED, "b": CONFIGURED}, "no reaction"
    host.mend("a")
    host.cut("b")
    assert host.addresses() == {"team0": USER, "a": USER, "b": host.b}
    host.mend("b")
    host.cut("a")
    assert host.addresses() == {"team0": USER, "a": CONFIGURED, "b": USER}


def test_only_active_with_no_port_up_gives_the_port_its_own_back() -> None:
    host = Two(ONLY_ACTIVE, CONFIGURED)
    assert host.addresses() == {"team0": CONFIGURED, "a": CONFIGURED, "b": host.b}
    host.cut("b")
    host.cut("a")
    assert host.addresses() == {"team0": CONFIGURED, "a": host.a, "b": host.b}


@pytest.mark.parametrize("runner", [SAME_ALL, ONLY_ACTIVE, BASIC])
def test_a_configured_address_beats_the_first_ports(runner: RunnerConfig) -> None:
    host = Two(runner, CONFIGURED)
    assert host.address("team0") == host.address("a") == CONFIGURED


def test_the_first_port_is_the_first_of_the_configuration_that_there_is() -> None:
    host = Host("x", "y").start(config(SAME_ALL, missing=PLAIN, y=PLAIN, x=PLAIN))
    assert host.address("team0") == b"\x02\x00" + host.index("y").to_bytes(4)


def test_the_address_of_a_port_that_was_refused_is_given_up() -> None:
    host = Host("x")
    host.world.plug("y", up=True)
    host.start(config(SAME_ALL, y=PLAIN, x=PLAIN))
    assert host.address("team0") == host.address("x") == b"\x02\x00" + host.index("x").to_bytes(4)


@pytest.mark.parametrize("policy", [SAME_ALL, BY_ACTIVE, ONLY_ACTIVE, BASIC, OWN])
def test_ports_get_their_own_back_when_they_go(policy: RunnerConfig) -> None:
    host = Two(policy, CONFIGURED)
    host.tell(PortUnwanted("a"), PortUnwanted("b"))
    assert (host.address("a"), host.address("b")) == (host.a, host.b)


def test_a_team_without_ports_takes_the_address_of_the_next_first_port() -> None:
    host = Two(SAME_ALL)
    host.tell(PortUnwanted("a"), PortUnwanted("b"))
    host.tell(PortWanted("b"))
    assert host.address("team0") == host.b, "a is elsewhere now, and has its address there"


def test_an_address_set_by_a_user_survives_the_last_port() -> None:
    host = Two(SAME_ALL)
    host.user_sets("team0", USER)
    host.tell(PortUnwanted("a"), PortUnwanted("b"))
    host.tell(PortWanted("b"))
    assert host.address("team0") == USER


@pytest.mark.parametrize("policy", [SAME_ALL, BY_ACTIVE, ONLY_ACTIVE, BASIC, OWN])
def test_a_restart_leaves_all_addresses_alone(policy: RunnerConfig) -> None:
    host = Two(policy)
    host.cut("a")
    host.user_sets("team0", USER)
    before = host.addresses()
    host.restart(config(policy, a=PLAIN, b=PLAIN))
    assert host.done == []
    assert host.addresses() == before
    host.mend("a")
    host.cut("b")
    own = {"by_active": host.a, "only_active": USER}
    if isinstance(policy, ActiveBackupRunner) and policy is not SAME_ALL:
        assert host.address("team0") == own[policy.hwaddr_policy]
        assert host.address("b") == host.b
