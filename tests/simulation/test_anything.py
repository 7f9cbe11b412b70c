"""Whatever happens, in whatever order: the engine and the datapath agree, and no packet is lost."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pyteam.config import (
    ActiveBackupRunner,
    BasicRunner,
    EthtoolWatch,
    LoadBalanceRunner,
    PortConfig,
    RunnerConfig,
    TeamConfig,
    TxBalancer,
)
from pyteam.engine.desired import AddPort
from pyteam.engine.events import (
    LinkSeen,
    PortChosen,
    PortConfigured,
    PortUnwanted,
    PortWanted,
    TimePassed,
)
from pyteam.engine.hashtable import ENTRIES, KEYS
from pyteam.engine.reconcile import commands
from pyteam.options import OptionKey
from tests.simulation.harness import Host

NAMES = ("a", "b", "c", "d")
RUNNERS: tuple[RunnerConfig, ...] = (
    BasicRunner(name="broadcast"),
    BasicRunner(name="roundrobin"),
    ActiveBackupRunner(),
    ActiveBackupRunner(hwaddr_policy="by_active"),
    ActiveBackupRunner(hwaddr_policy="only_active"),
    LoadBalanceRunner(),
    LoadBalanceRunner(tx_balancer=TxBalancer("basic", 10)),
)
WATCHES = st.lists(
    st.builds(EthtoolWatch, delay_up=st.sampled_from([0, 700]), delay_down=st.sampled_from([0, 900])),
    max_size=2,
).map(tuple)
CONFIGS = st.builds(
    PortConfig,
    prio=st.integers(-1, 2),
    sticky=st.booleans(),
    weight=st.sampled_from([1, 1, 2, 7]),
    link_watch=WATCHES,
)
#: What a runner says at every start.
GREETINGS = ("TX balancing", "Balancing interval")
ADDRESSES = st.integers(1, 3).map(lambda last: bytes((2, 0, 0, 9, 9, last)))


class Anything(RuleBasedStateMachine):
    """A host to which a user, the cables and other programs do what they like.

    ``calm``: the engine has heard it all.
    """

    calm = False

    @initialize(
        runner=st.sampled_from(RUNNERS),
        ports=st.dictionaries(st.sampled_from(NAMES), CONFIGS),
        policy=st.sampled_from(["any", "all"]),
        add_ports=st.booleans(),
    )
    def start(self, runner: RunnerConfig, ports: dict[str, PortConfig], policy: str, add_ports: bool) -> None:
        self.config = TeamConfig(
            runner=runner,
            ports=ports,
            link_watch_policy=policy,  # type: ignore[arg-type]
        )
        self.host = Host(*NAMES[:3]).start(self.config, add_ports=add_ports)
        self.chosen = False
        self.calm = True

    def pick(self, number: int) -> str:
        """One of the interfaces that there are."""
        names = [i.name for i in self.host.world.interfaces() if i.name != "team0"]
        return names[number % len(names)]

    def member(self, number: int) -> str:
        ports = self.host.ports
        return ports[number % len(ports)]

    def some(self) -> bool:
        return len(list(self.host.world.interfaces())) > 1

    def ports(self) -> bool:
        return bool(self.host.ports)

    @rule()
    def settle(self) -> None:
        self.host.settle()
        self.calm = True

    @precondition(some)
    @rule(which=st.integers(0, 3), whole=st.booleans(), settle=st.booleans())
    def cable(self, which: int, whole: bool, settle: bool) -> None:
        (self.host.world.mend if whole else self.host.world.cut)(self.pick(which))
        self.calm = False
        if settle:
            self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3), up=st.booleans())
    def set_up(self, which: int, up: bool) -> None:
        self.host.world.set_up(self.pick(which), up)
        self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3), speed=st.sampled_from([10, 1000, 2**32 - 1]))
    def speed(self, which: int, speed: int) -> None:
        self.host.world.set_speed(self.pick(which), speed)
        self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3), address=ADDRESSES)
    def address(self, which: int, address: bytes) -> None:
        self.host.world.set_address(self.pick(which), address)
        self.settle()

    @rule(address=ADDRESSES)
    def team_address(self, address: bytes) -> None:
        self.host.world.set_address("team0", address)
        self.settle()

    @rule(name=st.sampled_from(NAMES))
    def plug(self, name: str) -> None:
        if name not in (interface.name for interface in self.host.world.interfaces()):
            self.host.world.plug(name)
        self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3), settle=st.booleans())
    def unplug(self, which: int, settle: bool) -> None:
        self.host.world.unplug(self.pick(which))
        self.calm = False
        if settle:
            self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3), name=st.sampled_from((*NAMES, "lan0")))
    def rename(self, which: int, name: str) -> None:
        if name not in (interface.name for interface in self.host.world.interfaces()):
            self.host.world.rename(self.pick(which), name)
        self.settle()

    @precondition(some)
    @rule(which=st.integers(0, 3))
    def enslave_or_release_from_outside(self, which: int) -> None:
        name = self.pick(which)
        interface = self.host.world.find(name)
        if interface.team:
            self.host.world.release(name)
        elif not interface.up:
            self.host.world.enslave(name, "team0")
        self.settle()

    @rule(name=st.sampled_from(NAMES), wanted=st.booleans())
    def want(self, name: str, wanted: bool) -> None:
        self.host.tell(PortWanted(name) if wanted else PortUnwanted(name))

    @rule(name=st.sampled_from(NAMES), config=CONFIGS)
    def configure(self, name: str, config: PortConfig) -> None:
        self.host.tell(PortConfigured(name, config))

    @precondition(ports)
    @rule(which=st.integers(0, 3))
    def choose(self, which: int) -> None:
        self.settle()
        if self.host.ports:
            self.host.tell(PortChosen(self.host.index(self.member(which))))
            self.chosen = True

    @precondition(ports)
    @rule(which=st.integers(0, 3), name=st.sampled_from(["enabled", "user_linkup", "priority"]))
    def meddle(self, which: int, name: str) -> None:
        self.settle()
        if self.host.ports:
            key = OptionKey(name, self.host.index(self.member(which)))
            self.host.datapath.set_option(key, 2 if name == "priority" else False)
            self.settle()

    @precondition(ports)
    @rule(which=st.integers(0, 3))
    def switch(self, which: int) -> None:
        self.settle()
        if self.host.ports and self.is_activebackup():
            name, key = self.member(which), OptionKey("activeport")
            if self.host.datapath.actual().options[key] == self.host.index(name):
                return  # nothing changes, so nothing is told
            self.host.datapath.set_option(key, self.host.index(name))
            self.settle()
            assert self.host.active == name
            self.chosen = True

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0]))
    def wait(self, seconds: float) -> None:
        self.settle()
        self.host.advance(seconds)

    @rule(entry=st.sampled_from([0, 1, 77, 255]), size=st.sampled_from([1, 1000, 10**9]))
    def send(self, entry: int, size: int) -> None:
        self.host.datapath.transmit(size, entry)

    @rule()
    def old_news(self) -> None:
        self.host.tell(*map(LinkSeen, self.host.datapath.links()), TimePassed())
        self.settle()

    @rule(remember=st.booleans())
    def restart(self, remember: bool) -> None:
        """The second daemon finds what the first made of the configuration: nothing is left to do."""
        self.settle()
        self.host.restart(self.config)
        self.host.advance(2)
        before = self.host.team.snapshot()
        self.host.restart(self.config, self.host.team.save() if remember else None)
        after = self.host.team.snapshot()
        # What is busy was refused the first time, and is again.
        assert [command for command in self.host.done if not isinstance(command, AddPort)] == []
        assert not [
            line for line in self.host.log if not line.startswith(GREETINGS) and "missing" not in line
        ]
        assert (after.runner, after.link) == (before.runner, before.link)
        assert {port.link: port.up for port in after.ports} == {port.link: port.up for port in before.ports}
        self.chosen = False

    def is_activebackup(self) -> bool:
        return isinstance(self.config.runner, ActiveBackupRunner)

    @invariant()
    def the_engine_and_the_datapath_agree(self) -> None:
        if not self.calm:
            return
        assert commands(self.host.datapath.actual(), self.host.team.desired) == []
        members = {port.link.ifindex for port in self.host.team.snapshot().ports}
        assert members == self.host.datapath.actual().members

    @invariant()
    def one_port_is_enabled_when_one_is_up(self) -> None:
        if not self.calm or not self.is_activebackup():
            return
        up = {port.link.name for port in self.host.team.snapshot().ports if port.up}
        assert len(self.host.enabled) == bool(up or (self.chosen and self.host.active))
        assert self.host.enabled == {self.host.active} - {""}
        if up and not self.chosen:
            assert self.host.active in up

    @invariant()
    def ports_that_are_up_share_the_table(self) -> None:
        if not self.calm or not isinstance(self.config.runner, LoadBalanceRunner):
            return
        up = [port for port in self.host.team.snapshot().ports if port.up]
        assert self.host.enabled == {port.link.name for port in up}
        options = self.host.datapath.actual().options
        owners = Counter(int(options[key]) for key in KEYS)
        if not up:
            assert owners == {0: ENTRIES}
            return
        weights = {port.link.ifindex: int(str(port.runner["weight"])) for port in up}
        assert owners.keys() <= weights.keys()
        for ifindex, weight in weights.items():
            assert (
                self.config.runner.tx_balancer.name
                or abs(owners[ifindex] - weight * ENTRIES / sum(weights.values())) < 1
            )
        assert {port.link.ifindex: port.runner["entries"] for port in up} == {
            port: owners[port] for port in weights
        }

    @invariant()
    def traffic_flows_when_it_can(self) -> None:
        if not self.calm:
            return
        ports = self.host.team.snapshot().ports
        usable = {port.link.name for port in ports if port.link.usable}
        if not self.is_activebackup():
            # What somebody disabled stays so: these runners do not use the option.
            assert self.host.sending == usable & self.host.enabled
        elif usable and any(port.up for port in ports):
            assert self.host.sending
            assert self.host.sending <= usable


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
