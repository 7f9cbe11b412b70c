"""One team: every event goes in here with the time, and what the device should be comes out.

Owns the facts: which interfaces there are, which of them are wanted as ports, what is configured.
What a port is worth, who is active and who has which MAC is decided next door (`port`, `runners`,
`addresses`). Knows no datapath, no clock and no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from pyteam.config import PortConfig, RunnerConfig, TeamConfig
from pyteam.engine.addresses import Addresses
from pyteam.engine.byhand import ByHand
from pyteam.engine.desired import Actual, Desired
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import (
    Configured,
    Event,
    FrameSeen,
    HostSeen,
    LinkGone,
    LinkSeen,
    OptionChosen,
    OptionSeen,
    PortChosen,
    PortConfigured,
    PortRefused,
    PortUnwanted,
    PortWanted,
    RunnerConfigured,
    TimePassed,
    TipcLinkSeen,
)
from pyteam.engine.linkwatch import watch_class
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.outcome import Ear, Frame, Level, Message, Outcome
from pyteam.engine.port import Port
from pyteam.engine.probing import Probing
from pyteam.engine.reconcile import MODE
from pyteam.engine.runners import make_runner
from pyteam.engine.settings import Settings
from pyteam.engine.snapshot import History, TeamSnapshot
from pyteam.link import Link
from pyteam.options import OPTIONS, OptionKey, OptionValue

#: A time that has always passed already.
_NOW: Final = 0.0
#: Whatever is due at ports has to be looked at.
_UNKNOWN: Final = -1.0
_NOTHING: Final = Actual(0)
_JOINED: Final = attrgetter("joined")


class Team:
    """The engine of one team device.

    First show it every interface (`LinkSeen`); then `TimePassed`, which `next_timeout` asks for at
    once, starts it. Until then it wants what is there, since it may not have seen all of it.
    """

    def __init__(
        self,
        config: TeamConfig,
        ifindex: int,
        *,
        adopted: Actual | None = None,
        history: History | None = None,
        add_ports: bool = True,
        separates: bool = False,
    ) -> None:
        """``adopted``: the device existed and carries traffic; ``history``: of the engine before.

        ``add_ports`` False: interfaces are configured, but not made ports, by name. ``separates``: as
        of the datapath. Raises `UnsupportedError` when the configuration asks for what this version
        cannot do.
        """
        _check_watches(config)
        self.ifindex = ifindex
        self._config = config
        self._adopted = adopted or _NOTHING
        self._history = history or History()
        self._runner = make_runner(config.runner)
        self._runner.separates = separates
        self._runner.active = self._active = self._adopted.active_port
        self._runner.adopt(self._adopted)
        self._addresses = Addresses(config, self._runner.hwaddr_policy, ifindex, adopted)
        self._settings = Settings(self._adopted.options_of(0))
        for key, value in self._runner.team_options(config).items():
            if key != MODE:
                self._settings.configure(key.name, value)
        self._add_ports = add_ports
        #: Those of the configuration, and what was configured one by one beside it.
        self._port_configs = dict(config.ports)
        #: Every interface there is, wanted or not: one may be wanted later, or take a wanted name.
        self._links: dict[int, Link] = {}
        #: By name, wanted or joined; a renamed port is here under each name that it had.
        self._ports: dict[str, Port] = {}
        self._by_ifindex: dict[int, Port] = {}
        self._by_hand = ByHand(self._settings, self._by_ifindex, self._runner)
        self._probing = Probing(ifindex, self._by_ifindex, self._links)
        #: Ports that nobody wants but that were not yet seen without the team.
        self._leaving: set[int] = set()
        #: Ports that the change of the mode takes out and puts in again.
        self._passing: set[int] = set()
        #: Somebody has set the carrier of the device: no datapath derives it again.
        self._carrier_is_set = self._adopted.carrier_is_set
        #: The last words of a runner that another took the place of.
        self._farewell: tuple[Frame, ...] = ()
        self._joins = 0
        self._started = False
        #: The time of the last event, and when the next watch is due.
        self._now = _NOW
        self._due: float | None = _UNKNOWN
        self._messages: list[Message] = []
        self._desired = Desired(members=self._adopted.members)
        if add_ports:
            for name in config.ports:
                self._ports[name] = self._new_port(name, asked=True)

    def handle(self, now: float, event: Event) -> Outcome:
        """``now``: seconds of any clock that only goes forward, such as the monotonic one.

        Raises `UnsupportedError` for a `PortConfigured` that asks for it, and for a `Configured` to which
        there are `objections`; then nothing has changed.
        """
        self._now = now
        if not isinstance(event, FrameSeen | TimePassed):
            self._due = _UNKNOWN
        match event:
            case LinkSeen(link):
                relevant = self._link_seen(now, link)
            case LinkGone(ifindex):
                relevant = self._link_gone(now, ifindex)
            case OptionSeen(key, value):
                relevant = self._runner.see(now, key, value) | self._by_hand.see(now, key, value)
            case OptionChosen(key, value):
                relevant = self._by_hand.choose(now, key, value)
            case PortWanted(name):
                relevant = self._port_wanted(now, name)
            case PortUnwanted(name):
                relevant = self._port_unwanted(name)
            case PortRefused(ifindex, errno):
                relevant = self._port_refused(ifindex, errno)
            case PortConfigured(name, config):
                relevant = self._port_configured(now, name, config)
            case Configured(config):
                relevant = self._configured(now, config)
            case RunnerConfigured(runner):
                relevant = self._runner_configured(now, runner)
            case PortChosen(ifindex):
                relevant = self._by_hand.activate(now, ifindex)
            case FrameSeen(ifindex, data):
                if self._probing.hear(now, event, self._desired):
                    # What it proves counts at the next tick, but now there is less to listen for.
                    self._due = _UNKNOWN
                relevant = self._started and self._runner.hear(now, ifindex, data)
            case HostSeen():
                relevant = False
                self._messages += self._probing.learn(now, event)
            case TipcLinkSeen(name, up):
                relevant = self._report_all(lambda port: port.see_tipc(name, up))
            case TimePassed():
                relevant = self._expire(now) if self._started else self._start(now)
        return self._outcome(now, event, relevant)

    def end(self, now: float) -> Outcome:
        """The device is about to be destroyed: what is to be said on its ports before."""
        self._runner.end(now)
        return self._outcome(now, None, relevant=False)

    def _outcome(self, now: float, event: Event | None, relevant: bool) -> Outcome:
        compare = self._started and self._disagrees(event)
        if relevant and self._started:
            joined = self._joined()
            self._decide(now, joined)
            desired = self._wanted(self._candidates(joined))
            if desired != self._desired:
                self._desired, compare = desired, True
        messages = (*self._messages, *self._runner.messages())
        self._messages.clear()
        frames = (*self._farewell, *self._runner.frames())
        self._farewell = ()
        if self._due is not _UNKNOWN and not relevant:
            return Outcome(self._desired, frames, (), messages, compare, quiet=True)
        # After the decision: who may ask depends on it.
        frames = (*frames, *self._probing.questions(self._desired))
        return Outcome(self._desired, frames, tuple(self._probing.lookups(now)), messages, compare)

    @property
    def desired(self) -> Desired:
        """The last answer, for a repair now and then."""
        return self._desired

    def decides(self, key: OptionKey) -> bool:
        """Whether an option follows from decisions: set by hand, it would be put right."""
        return key in self._desired.options and not self._by_hand.permits(key)

    def objections(self, config: TeamConfig) -> list[str]:
        """Why it cannot become another configuration while it runs: a line each. Empty: it can."""
        try:
            _check_watches(config)
            if config.runner.name == self._runner.name:
                return list(self._runner.objections(config.runner))
            make_runner(config.runner)
        except UnsupportedError as error:
            return [str(error)]
        return []

    def next_timeout(self) -> float | None:
        """When `TimePassed` is due; None: only something else can change anything."""
        if not self._started:
            return _NOW
        if self._due is _UNKNOWN:
            self._due = _earliest(port.deadline() for port in self._by_ifindex.values())
        return _earliest((self._due, self._runner.deadline()))

    def ears(self) -> dict[int, Ear]:
        """What to listen for, by port."""
        ears = self._probing.ears(self._desired)
        ear = self._runner.ear
        if ear is not None:
            for ifindex, port in self._by_ifindex.items():
                if port.joined:
                    other = ears.get(ifindex, ear)
                    ears[ifindex] = replace(
                        ear, patterns=ear.patterns | other.patterns, address=other.address
                    )
        return ears

    def names(self) -> frozenset[str]:
        """Of interfaces that are ports, or are to be."""
        return frozenset(self._ports)

    def tipc_bearers(self) -> frozenset[str]:
        """Whose links are to be told of (`TipcLinkSeen`); after each change, every link that is up."""
        return frozenset(bearer for port in self._joined() for bearer in port.tipc_bearers())

    def snapshot(self, now: float | None = None) -> TeamSnapshot:
        """What users are shown: present ports only, each whole; ``now`` None: as of the last event."""
        now = self._now if now is None else now
        ports, runner = self._joined(), self._runner
        return TeamSnapshot(
            ifindex=self.ifindex,
            link=self._links.get(self.ifindex),
            runner_name=runner.name,
            mode=runner.mode,
            ports=tuple(
                port.snapshot(port.link, runner.port_state(now, port)) for port in ports if port.link
            ),
            runner=runner.state(now, ports),
        )

    def save(self) -> History:
        """For the engine after this one, on the same device."""
        ports = self._joined()
        return History(
            active_port=next((port.name for port in ports if port.ifindex == self._active), ""),
            watches={port.name: tuple(watch.save() for watch in port.watches) for port in ports},
            runner=self._runner.save(self._now),
        )

    # Facts: each answers whether anything that matters has changed.

    def _link_seen(self, now: float, link: Link) -> bool:
        before = self._links.get(link.ifindex)
        self._links[link.ifindex] = link
        if link.ifindex == self.ifindex:
            changed = before is None or (before.up, before.address) != (link.up, link.address)
            return self._addresses.see(link) or changed
        port = self._by_ifindex.get(link.ifindex)
        if port is not None and not port.joined and port.name != link.name:
            # A port takes its new name along; what is none yet was wanted for its name alone.
            del self._by_ifindex[link.ifindex]
            port.link = None
            port.released = False
            port.forgive()
            port = None
        port = port or self._claim(link)
        if port is None or (port.joined and port.link == link):
            # A cut is told several times over, and in between there may be another that waits for us.
            return False
        self._update(now, port, link)
        return True

    def _claim(self, link: Link) -> Port | None:
        """The port that an interface becomes that was none so far."""
        if link.ifindex in self._leaving:
            if not link.member:
                self._leaving.discard(link.ifindex)
            return None
        port = self._ports.get(link.name)
        if port is None or port.link is not None:
            # Made a port by somebody else, or by the daemon before us.
            port = self._new_port(link.name, asked=False) if link.member else None
        if port is not None:
            self._bind(port, link)
        return port

    def _bind(self, port: Port, link: Link) -> None:
        port.link = link
        port.name = link.name
        self._ports[link.name] = port
        self._by_ifindex[link.ifindex] = port

    def _update(self, now: float, port: Port, link: Link) -> None:
        was_usable = port.usable
        self._bind(port, link)
        port.reconsider()
        if link.member and not port.joined:
            self._join(now, port, link)
        elif port.joined and not link.member:
            self._leave(port)
            port.released = link.ifindex not in self._passing
            self._passing.discard(link.ifindex)
        elif port.joined:
            self._addresses.see(link)
            if self._started and port.usable != was_usable:
                self._report(port, port.see(now))

    def _join(self, now: float, port: Port, link: Link) -> None:
        adopted = link.ifindex in self._adopted.members and not self._started
        if not adopted and not self._joined():
            self._addresses.first_port(link)
        self._joins += 1
        up = adopted and bool(self._adopted.options.get(OptionKey("user_linkup", link.ifindex)))
        past = self._history.watches.get(port.name, ()) if adopted else ()
        port.join(self._joins, up, past, self._adopted.options_of(link.ifindex) if adopted else {})
        self._addresses.join(link, active=adopted and link.ifindex == self._adopted.active_port)
        if self._started:
            self._report(port, port.see(now))

    def _leave(self, port: Port) -> None:
        port.leave()
        self._addresses.leave(port.ifindex)

    def _link_gone(self, now: float, ifindex: int) -> bool:
        self._links.pop(ifindex, None)
        self._leaving.discard(ifindex)
        port = self._by_ifindex.pop(ifindex, None)
        if port is None:
            return False
        self._leave(port)
        port.link = None
        port.released = False
        port.forgive()
        names = {name for name, known in self._ports.items() if known is port}
        if not port.asked:
            self._forget(port)
            return True
        # Its successor may have been seen already.
        for link in self._links.values():
            if link.name in names and link.ifindex not in self._by_ifindex:
                self._link_seen(now, link)
                break
        return True

    def _port_wanted(self, now: float, name: str) -> bool:
        port = self._ports.get(name)
        if port is None or port.name != name:
            port = self._ports[name] = self._new_port(name, asked=True)
        port.asked = True
        port.released = False
        port.forgive()
        link = next((link for link in self._links.values() if link.name == name), None)
        if link is not None:
            self._leaving.discard(link.ifindex)
            if port.link is None:
                self._link_seen(now, link)
        return True

    def _port_unwanted(self, name: str) -> bool:
        port = self._ports.get(name)
        if port is None or port.name != name:
            return False
        self._release(port)
        return True

    def _release(self, port: Port) -> None:
        if port.joined:
            self._leaving.add(port.ifindex)
        self._leave(port)
        self._by_ifindex.pop(port.ifindex, None)
        self._forget(port)

    def _port_refused(self, ifindex: int, errno: int) -> bool:
        port = self._by_ifindex.get(ifindex)
        if port is None:
            return False
        port.refuse(errno)
        return True

    def _port_configured(self, now: float, name: str, config: PortConfig) -> bool:
        for watch in config.link_watch:
            watch_class(watch)
        self._port_configs[name] = config
        port = self._ports.get(name)
        if port is None or port.name != name:
            return False
        self._report(port, port.configure(config, now))
        return True

    def _configured(self, now: float, config: TeamConfig) -> bool:
        objections = self.objections(config)
        if objections:
            raise UnsupportedError(" ".join(objections))
        before, self._config = self._config, config
        self._reconfigure_runner(now, before)
        self._reconfigure_ports(now, before)
        return True

    def _runner_configured(self, now: float, runner: RunnerConfig) -> bool:
        before, config = self._config, replace(self._config, runner=runner)
        objections = self.objections(config)
        if objections:
            raise UnsupportedError(" ".join(objections))
        self._config = config
        self._reconfigure_runner(now, before)
        return True

    def _reconfigure_runner(self, now: float, before: TeamConfig) -> None:
        config, old = self._config, self._runner
        options, remarks = old.team_options(before), old.remarks()
        if config.runner.name == old.name:
            old.reconfigure(now, config.runner)
        else:
            old.end(now)
            self._farewell = tuple(old.frames())
            self._carrier_is_set = self._carrier_is_set or old.carrier() is not None
            self._runner = make_runner(config.runner)
            self._runner.separates = old.separates
            self._by_hand = ByHand(self._settings, self._by_ifindex, self._runner)
            self._passing = (
                {port.ifindex for port in self._joined()} if self._runner.mode != old.mode else set()
            )
        wanted = self._runner.team_options(config)
        for key in options.keys() - wanted.keys():
            if OPTIONS[key.name].mode in ("", self._runner.mode):
                self._settings.configure(key.name, None)
            else:
                self._settings.forget(key.name)
        for key, value in wanted.items():
            # What a user has set by hand stands, unless it is configured otherwise now.
            if key != MODE and options.get(key) != value:
                self._settings.configure(key.name, value)
        self._addresses.configure(
            self._runner.hwaddr_policy, config.hwaddr if config.hwaddr != before.hwaddr else None
        )
        for line in () if remarks == self._runner.remarks() else self._runner.remarks():
            self._info(line)

    def _reconfigure_ports(self, now: float, before: TeamConfig) -> None:
        config = self._config
        beside = {name: port for name, port in self._port_configs.items() if name not in before.ports}
        self._port_configs = {**beside, **config.ports}
        if self._add_ports:
            for name in before.ports.keys() - config.ports.keys():
                if name in self._ports:
                    self._release(self._ports[name])
        # Under the name that a port was configured by, whatever it is called now.
        configs = {
            self._ports[name]: port for name, port in self._port_configs.items() if name in self._ports
        }
        for port in dict.fromkeys(self._ports.values()):
            port.global_watches = config.link_watch
            wanted = configs.get(port, PortConfig())
            if wanted != port.config:
                self._report(port, port.configure(wanted, now))
            elif config.link_watch != before.link_watch:
                self._report(port, port.watch_anew(now))
            elif config.link_watch_policy != before.link_watch_policy:
                self._report(port, iter(()))
        for name in config.ports if self._add_ports else ():
            if name in self._ports:
                port = self._ports[name]
                port.asked, port.released = True, False
                port.forgive()
            else:
                self._port_wanted(now, name)
                self._miss(self._ports[name])

    def _miss(self, port: Port) -> None:
        if port.asked and port.link is None:
            self._messages.append(Message(Level.WARNING, f"{port.name}: Skipped adding a missing port."))

    def _start(self, now: float) -> bool:
        self._started = True
        for line in self._runner.remarks():
            self._info(line)
        self._runner.restore(now, self._history.runner)
        for port in self._ports.values():
            self._miss(port)
        for port in self._joined():
            known = port.name in self._history.watches
            self._report(port, port.see(now) if known or not self._adopted.members else port.settle(now))
            if not self._runner.active and self._adopted.members and port.name == self._history.active_port:
                self._runner.active = port.ifindex
        return True

    def _expire(self, now: float) -> bool:
        relevant = self._runner.expire(now)
        if self._due is None or self._due > now:
            return relevant
        self._due = _UNKNOWN
        return self._report_all(lambda port: port.expire(now)) or relevant

    # Consequences.

    def _report_all(self, changed: Callable[[Port], Iterator[LinkWatch]]) -> bool:
        """The same for every port: whether any watch changed its mind."""
        told = [self._report(port, changed(port)) for port in self._joined()]
        return any(told)

    def _report(self, port: Port, changed: Iterator[LinkWatch]) -> bool:
        """Log what watches changed their mind about, and combine them."""
        lines = [f"{port.name}: {watch.name}-link went {'up' if watch.up else 'down'}." for watch in changed]
        for line in lines:
            self._info(line)
        port.combine(self._config.link_watch_policy)
        return bool(lines)

    def _decide(self, now: float, ports: Sequence[Port]) -> None:
        self._runner.decide(now, ports, self._links.get(self.ifindex))
        if self._active != self._runner.active:
            self._active = self._runner.active
            self._by_hand.decided()
            self._addresses.switch(self._active)
            for port in ports:
                if port.ifindex == self._active:
                    self._info(f'Changed active port to "{port.name}".')

    def _wanted(self, ports: Sequence[Port]) -> Desired:
        options: dict[OptionKey, OptionValue] = {MODE: self._runner.mode}
        for name, value in self._settings.wanted().items():
            options[OptionKey(name)] = value
        for port in ports:
            ifindex = port.ifindex
            for name, value in port.settings.wanted().items():
                options[OptionKey(name, ifindex)] = value
            options[OptionKey("user_linkup", ifindex)] = port.up
            if port.probed:
                options[OptionKey("user_linkup_enabled", ifindex)] = port.probes
        options.update(self._runner.options(ports))
        carrier = self._runner.carrier()
        return Desired(
            members=frozenset(port.ifindex for port in ports),
            options=options,
            addresses=self._addresses.wanted(),
            carrier=any(port.up for port in ports) if carrier is None and self._carrier_is_set else carrier,
        )

    def _disagrees(self, event: Event | None) -> bool:
        """The event shows the device otherwise than it should be."""
        match event:
            case LinkSeen(link):
                return self._desired.addresses.get(link.ifindex, link.address) != link.address
            case OptionSeen(key, value):
                return self._desired.options.get(key, value) != value
        return False

    # Helpers.

    def _joined(self) -> list[Port]:
        """Oldest first."""
        return sorted([port for port in self._by_ifindex.values() if port.joined], key=_JOINED)

    def _candidates(self, joined: Sequence[Port]) -> Sequence[Port]:
        """Those that should be ports: joined ones first, then in the order of the configuration."""
        # A port that was renamed is there under each of its names.
        waiting = {port.ifindex: port for port in self._ports.values() if not port.joined and port.desired}
        if not joined and not self._addresses.chosen:
            # Nobody gives the team its MAC but the first port, so that one must be in before the others.
            return list(waiting.values())[:1]
        return [*joined, *waiting.values()]

    def _new_port(self, name: str, asked: bool) -> Port:
        config = self._port_configs.get(name, PortConfig())
        return Port(name, config, self._config.link_watch, asked)

    def _forget(self, port: Port) -> None:
        for name in [name for name, known in self._ports.items() if known is port]:
            del self._ports[name]

    def _info(self, text: str) -> None:
        self._messages.append(Message(Level.INFO, text))


def _earliest(deadlines: Iterable[float | None]) -> float | None:
    return min((deadline for deadline in deadlines if deadline is not None), default=None)


def _check_watches(config: TeamConfig) -> None:
    """Raises `UnsupportedError`."""
    for watches in (config.link_watch, *(port.link_watch for port in config.ports.values())):
        for watch in watches:
            watch_class(watch)
