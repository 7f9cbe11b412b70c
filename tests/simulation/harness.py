"""The smallest daemon: events in, commands out, in virtual time. Owns one team and its world."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pyteam.config import PortConfig, RunnerConfig, TeamConfig
from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.datapath.simulated import SimulatedDatapath
from pyteam.datapath.simulated_world import World
from pyteam.engine.desired import (
    AddPort,
    Command,
    RemovePort,
    SetAddress,
    SetCarrier,
    SetEntries,
    SetOption,
)
from pyteam.engine.events import Event, FrameSeen, LinkSeen, PortRefused, TimePassed
from pyteam.engine.linkwatch.hosts import Lookup
from pyteam.engine.outcome import Ear, Outcome
from pyteam.engine.reconcile import commands
from pyteam.engine.snapshot import History, PortSnapshot
from pyteam.engine.team import Team
from pyteam.frames.ethernet import Vlan
from pyteam.options import OptionKey, OptionValue


def execute(datapath: Datapath, command: Command) -> None:
    match command:
        case AddPort(ifindex):
            datapath.add_port(ifindex)
        case RemovePort(ifindex):
            datapath.remove_port(ifindex)
        case SetOption(key, value):
            datapath.set_option(key, value)
        case SetEntries(port, entries):
            datapath.set_entries(port, entries)
        case SetAddress(ifindex, address):
            datapath.set_address(ifindex, address)
        case SetCarrier(up):
            datapath.set_carrier(up)


class Host:
    """A machine with interfaces (plugged in, set down, cable in) and a team made of them."""

    def __init__(self, *names: str, speeds: dict[str, int] | None = None) -> None:
        self.world = World()
        self.log: list[str] = []
        #: Frames that left, by port, and when.
        self.sent: list[tuple[float, str, bytes]] = []
        #: Who is at the other end of a cable: what comes back at once.
        self.neighbour: Callable[[str, bytes], Iterable[bytes]] = lambda port, frame: ()
        #: Names that were asked for, and when.
        self.lookups: list[tuple[float, Lookup]] = []
        #: What was done to the device, in order.
        self.done: list[Command] = []
        for name in names:
            self.world.plug(name, speed=(speeds or {}).get(name, 1000))

    def start(self, config: TeamConfig, *, add_ports: bool = True) -> Host:
        self.datapath = SimulatedDatapath.create(self.world, "team0")
        self.team = Team(config, self.datapath.ifindex, add_ports=add_ports)
        return self._run()

    def restart(self, config: TeamConfig, history: History | None = None) -> Host:
        """A new daemon takes over what the one before left when it was killed."""
        self.datapath.close()
        self.datapath = SimulatedDatapath.adopt(self.world, "team0")
        self.done.clear()
        self.log.clear()
        adopted = self.datapath.actual()
        self.team = Team(config, self.datapath.ifindex, adopted=adopted, history=history)
        return self._run()

    def _run(self) -> Host:
        for link in self.datapath.links():
            self.handle(LinkSeen(link))
        self.settle()
        return self

    def handle(self, event: Event) -> Outcome:
        outcome = self.team.handle(self.world.now, event)
        self.log += [message.text for message in outcome.messages]
        self.lookups += [(self.world.now, lookup) for lookup in outcome.lookups]
        for frame in outcome.frames:
            try:
                name = self.datapath.link(frame.ifindex).name
            except DatapathError:
                # What is said to one that is gone is lost, as on the wire.
                continue
            self.sent.append((self.world.now, name, frame.data))
            self.hear(name, *self.neighbour(name, frame.data))
        return outcome

    def hear(self, name: str, *frames: bytes, tag: Vlan | None = None) -> None:
        """They come in on this port; nothing follows from it at once."""
        for data in frames:
            assert not self.handle(FrameSeen(self.index(name), data, tag)).compare

    def ear(self, name: str) -> Ear:
        return self.team.ears()[self.index(name)]

    def tell(self, *events: Event) -> None:
        """A user or the system says something; the consequences follow."""
        compare = [self.handle(event).compare for event in events]
        self.settle(any(compare))

    def settle(self, compare: bool = False) -> None:
        """Until nothing happens any more at this moment."""
        for _ in range(50):
            events = self.datapath.receive()
            for event in events:
                compare |= self.handle(event).compare
            timeout = self.team.next_timeout()
            if timeout is not None and timeout <= self.world.now:
                compare |= self.handle(TimePassed()).compare
            elif not events and not compare:
                return
            compare = self.apply() if compare else False
        raise AssertionError("the engine and the datapath never agree")

    def apply(self) -> bool:
        """One pass of the reconciler; true when another is due."""
        again = False
        for command in commands(self.datapath.actual(), self.team.desired):
            self.done.append(command)
            try:
                execute(self.datapath, command)
            except DatapathError as error:
                if not isinstance(command, AddPort):
                    raise
                self.handle(PortRefused(command.ifindex, error.errno or 0))
                # The rest of the pass counted on it.
                return True
            if isinstance(command, AddPort | RemovePort):
                again |= self.handle(LinkSeen(self.datapath.link(command.ifindex))).compare
        return again

    def repair(self) -> None:
        """What a daemon does now and then: compare, whatever was heard."""
        self.settle(compare=True)

    def advance(self, seconds: float) -> None:
        end = self.world.now + seconds
        while (due := min(self.due(), default=end + 1)) <= end:
            self.world.now = max(self.world.now, due)
            self.datapath.handle_timeout(self.world.now)
            self.settle()
        self.world.now = end

    def due(self) -> list[float]:
        """When something is to happen."""
        return [due for due in (self.team.next_timeout(), self.datapath.next_timeout()) if due is not None]

    def cut(self, name: str) -> None:
        self.world.cut(name)
        self.settle()

    def mend(self, name: str) -> None:
        self.world.mend(name)
        self.settle()

    def index(self, name: str) -> int:
        return self.world.find(name).ifindex

    def option(self, name: str, port: str = "") -> OptionValue:
        return self.datapath.actual().options[OptionKey(name, self.index(port) if port else 0)]

    def address(self, name: str) -> bytes:
        return self.world.find(name).address

    def port(self, name: str) -> PortSnapshot:
        return next(port for port in self.team.snapshot().ports if port.link.name == name)

    @property
    def active(self) -> str:
        return str(self.team.snapshot().runner["active_port"])

    @property
    def enabled(self) -> set[str]:
        return {
            port.link.name for port in self.team.snapshot().ports if self.option("enabled", port.link.name)
        }

    @property
    def ports(self) -> list[str]:
        return [port.link.name for port in self.team.snapshot().ports]

    @property
    def sending(self) -> set[str]:
        return {self.datapath.link(port).name for port in self.datapath.sending()}


def config(runner: RunnerConfig, **ports: PortConfig) -> TeamConfig:
    return TeamConfig(device="team0", runner=runner, ports=ports)
