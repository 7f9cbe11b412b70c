"""Runner ``lacp``: the ports that the other side agrees on carry the traffic (IEEE 802.1AX).

Between the team and the protocol machines (`pyteam.engine.lacp`): shows them ports, takes from them who
collects and who distributes. Must not know a state machine or a byte of a LACPDU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pyteam.config import LacpRunner, TeamConfig
from pyteam.engine.desired import Actual
from pyteam.engine.lacp import LacpPort, LacpSystem, PortSettings, Settings, numbers
from pyteam.engine.outcome import Ear, Frame, Message
from pyteam.engine.port import Port
from pyteam.engine.runners.base import Runner
from pyteam.engine.runners.lacp_state import actor_key, port_items
from pyteam.engine.snapshot import Memory, Setting
from pyteam.engine.spread import Spread
from pyteam.frames.pattern import SlowPattern
from pyteam.frames.slow import SLOW_PROTOCOLS
from pyteam.link import DUPLEX_UNKNOWN, SPEED_UNKNOWN, Link
from pyteam.options import OptionKey, OptionValue

_EAR: Final = Ear(frozenset({SlowPattern()}), group=SLOW_PROTOCOLS)


class Lacp(Runner):
    """A port is sent on while it distributes, and received on while it collects.

    While the team device is down there is no system: partners are told good-bye, and nothing is sent.
    """

    name = "lacp"
    mode = "loadbalance"
    ear = _EAR
    config: LacpRunner

    def __init__(self, config: LacpRunner) -> None:
        super().__init__(config)
        self._spread = Spread(config.tx_hash, config.tx_balancer)
        self._system: LacpSystem | None = None
        #: By ifindex: what the system was told.
        self._settings: dict[int, PortSettings] = {}
        self._links: dict[int, tuple[object, ...]] = {}
        self._names: dict[int, str] = {}
        #: Names in the order of the configuration; the first port has the number 1, also after a restart.
        self._order: tuple[str, ...] = ()
        self._numbers: dict[int, int] = {}
        self._known: frozenset[int] = frozenset()
        self._memory: Memory = {}
        self._outbox: list[Frame] = []
        self._news: list[Message] = []
        self._carrier = False

    def reconfigure(self, now: float, config: LacpRunner) -> None:
        super().reconfigure(now, config)
        self._spread.configure(config.tx_hash, config.tx_balancer)
        if self._system is not None:
            self._system.configure(now, self._wishes())

    def adopt(self, actual: Actual) -> None:
        self._spread.adopt(actual)

    def restore(self, now: float, memory: Memory) -> None:
        self._memory = memory
        self._numbers = numbers(memory)

    def save(self, now: float) -> Memory:
        return self._system.save(now) if self._system else {}

    def team_options(self, config: TeamConfig) -> dict[OptionKey, OptionValue]:
        self._order = tuple(config.ports)
        spread = {OptionKey(name): value for name, value in self._spread.settings().items()}
        return super().team_options(config) | spread

    def remarks(self) -> Sequence[str]:
        return self._spread.remarks()

    def see(self, now: float, key: OptionKey, value: OptionValue) -> bool:
        self._spread.see(now, key, value)
        if key.name == "rx_enabled" and not self.separates:
            self.separates = True
            if self._system:
                self._system.configure(now, self._wishes())
        return False

    def hear(self, now: float, ifindex: int, frame: bytes) -> bool:
        if self._system is None:
            return False
        self._system.receive(now, ifindex, frame)
        return self._collect()

    def deadline(self) -> float | None:
        deadlines = (self._spread.deadline, self._system.deadline if self._system else None)
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def expire(self, now: float) -> bool:
        relevant = self._spread.expire(now)
        due = self._system.deadline if self._system else None
        if self._system is None or due is None or due > now:
            return relevant
        self._system.expire(now)
        return self._collect() or relevant

    def end(self, now: float) -> None:
        if self._system is not None:
            self._system.goodbye(now)
            self._collect()
        self._system = None
        self._settings.clear()
        self._links.clear()

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        self._names = {port.ifindex: port.name for port in ports}
        for ifindex in self._known - self._names.keys():
            self._numbers.pop(ifindex, None)
        self._known = frozenset(self._names)
        if team is not None and team.up:
            self._show(now, ports, team.address)
            self._collect()
        else:
            if team is not None:
                # Whatever was agreed is over by the time that it is up again.
                self._memory = {}
            self.end(now)
        used = [port for port in ports if self._distributes(port)]
        self._spread.use({port.ifindex: port.config.weight for port in used})
        self._carrier = len(used) >= self.config.min_ports

    def choose(self, now: float, ifindex: int) -> bool:
        return self._system is not None and self._system.choose(now, ifindex)

    def frames(self) -> Sequence[Frame]:
        frames, self._outbox = self._outbox, []
        return frames

    def messages(self) -> Sequence[Message]:
        news, self._news = self._news, []
        return news

    def options(self, ports: Sequence[Port]) -> Mapping[OptionKey, OptionValue]:
        options: dict[OptionKey, OptionValue] = {}
        # One that is still to be added is nobody's until a partner is found on it.
        for port in ports:
            distributes = self._distributes(port)
            options[OptionKey("enabled", port.ifindex)] = distributes
            if self.separates:
                options[OptionKey("rx_enabled", port.ifindex)] = self._collects(port)
                options[OptionKey("tx_enabled", port.ifindex)] = distributes
        options.update(self._spread.options())
        return options

    def carrier(self) -> bool | None:
        return self._carrier

    def state(self, now: float, ports: Sequence[Port]) -> Mapping[str, Setting]:
        config, system = self.config, self._system
        return {
            "active": config.active,
            "fallback": config.fallback,
            "fast_rate": config.fast_rate,
            "independent_control": self._wishes().independent,
            "max_active_ports": config.max_active_ports,
            "min_ports": config.min_ports,
            "retry_count": system.retry_count if system else config.retry_count,
            "select_policy": config.agg_select_policy,
            "selected_aggregator": system.selected_aggregator if system else 0,
            "sys_prio": config.sys_prio,
        }

    def port_state(self, now: float, port: Port) -> Mapping[str, Setting]:
        items = port_items(now, self._of(port), port.config)
        return {**items, "entries": self._spread.count(port.ifindex), "weight": port.config.weight}

    # Between the ports and the system.

    def _show(self, now: float, ports: Sequence[Port], address: bytes) -> None:
        """What there is, as far as it is news."""
        system = self._system
        if system is None:
            system = self._system = LacpSystem(self._wishes(), address)
            system.restore(now, self._memory)
            self._memory = {}
        elif address != system.system:
            system.set_system(now, address)
        for ifindex in self._settings.keys() - {port.ifindex for port in ports}:
            system.remove_port(now, ifindex)
            del self._settings[ifindex], self._links[ifindex]
        for port in ports:
            self._show_port(now, system, port)

    def _show_port(self, now: float, system: LacpSystem, port: Port) -> None:
        link, ifindex = port.link, port.ifindex
        assert link is not None, "it has joined"
        settings = PortSettings(
            number=self._number(port),
            address=link.permanent_address,
            key=actor_key(self.config.key, port),
            priority=port.config.lacp_prio,
            prio=port.prio,
            sticky=port.sticky,
        )
        before = self._settings.get(ifindex)
        if settings != before:
            self._settings[ifindex] = settings
            if before is None:
                system.add_port(now, ifindex, settings)
            else:
                system.configure_port(now, ifindex, settings)
        # Speed 0 and half duplex together is how a driver says that it has neither.
        unknown = link.duplex == DUPLEX_UNKNOWN or (not port.speed and link.speed != SPEED_UNKNOWN)
        seen = port.usable, port.speed, None if unknown else bool(port.duplex), port.up
        if seen != self._links.get(ifindex):
            self._links[ifindex] = seen
            system.see(now, ifindex, *seen)

    def _number(self, port: Port) -> int:
        """Its place in the configuration; of one that is not there, the first one free behind."""
        number = self._numbers.get(port.ifindex, 0)
        if not number:
            taken = self._numbers.values()
            number = self._order.index(port.name) + 1 if port.name in self._order else 0
            if not number or number in taken:
                number = next(n for n in range(len(self._order) + 1, 0x10000) if n not in taken)
            self._numbers[port.ifindex] = number
        return number

    def _wishes(self) -> Settings:
        config = self.config
        return Settings(
            system_priority=config.sys_prio,
            active=config.active,
            fast_rate=config.fast_rate,
            retry_count=config.retry_count,
            enable_retry_count=config.enable_retry_count,
            fallback=config.fallback,
            max_active_ports=config.max_active_ports,
            select_policy=config.agg_select_policy,
            independent=config.independent_control and self.separates,
        )

    def _collect(self) -> bool:
        """What the system has to send and to say; whether ports are used otherwise than before."""
        system = self._system
        if system is None:
            return False
        self._outbox += [Frame(ifindex, data) for ifindex, data in system.take_frames()]
        for level, ifindex, text in system.take_remarks():
            name = self._names.get(ifindex)
            self._news.append(Message(level, f"{name}: {text}" if name else text))
        return system.changed

    def _of(self, port: Port) -> LacpPort | None:
        return self._system.ports.get(port.ifindex) if self._system else None

    def _distributes(self, port: Port) -> bool:
        lacp = self._of(port)
        return lacp is not None and lacp.distributing

    def _collects(self, port: Port) -> bool:
        lacp = self._of(port)
        return lacp is not None and lacp.collecting
