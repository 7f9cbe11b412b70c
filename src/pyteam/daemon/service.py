"""One running team: carries events to the engine, what it wants to the datapath, and keeps the time.

The one loop between the pure parts and the world. Decides nothing: which port, which MAC and when is
the engine's, what is to be done about it the reconciler's, how it is done the datapath's.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from pyteam.config import RunnerConfig, TeamConfig
from pyteam.daemon.audience import Audience, Timer
from pyteam.daemon.memory import PATIENCE, Keeper
from pyteam.daemon.orders import Orders, is_vital
from pyteam.daemon.resolver import look_up
from pyteam.daemon.tipc import TipcLinks
from pyteam.daemon.wire import Wire
from pyteam.datapath.interface import Datapath
from pyteam.engine.desired import (
    Actual,
    AddPort,
    Command,
    Desired,
    SetOption,
)
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import Configured, Event, HostSeen, LinkGone, LinkSeen, RunnerConfigured, TimePassed
from pyteam.engine.outcome import Frame, Level, Message
from pyteam.engine.reconcile import commands
from pyteam.engine.snapshot import History, TeamSnapshot
from pyteam.engine.team import Team
from pyteam.errors import PyteamError

log = logging.getLogger(__name__)

#: Seconds between two looks at everything, for what no event told.
LOOK_INTERVAL: Final = 10.0
#: Seconds until the next look after something unforeseen; nothing else is done meanwhile.
RECOVERY: Final = 1.0
#: A command may bring news that lead to other commands, and each port may be refused in a round of its
#: own; so many rounds more lead nowhere.
_SPARE_ROUNDS: Final = 16
_LEVELS: Final = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


class Loop(Protocol):
    """What a service needs of an asyncio loop."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer: ...

    def call_later(self, delay: float, callback: Callable[[], object], /) -> Timer: ...

    def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object: ...

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> object: ...

    def remove_reader(self, fd: int, /) -> object: ...


class TeamService:
    """Drives one engine and one datapath in an event loop.

    ``on_removed`` is called when the team device was deleted by somebody else.
    """

    def __init__(
        self,
        config: TeamConfig,
        datapath: Datapath,
        *,
        adopted: bool,
        add_ports: bool,
        on_removed: Callable[[], None],
        wire: Wire | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._datapath = datapath
        self._wire = wire or Wire()
        self._keeper = keeper
        self._tipc = TipcLinks()
        self._adopted = adopted
        self._on_removed = on_removed
        self._removed = False
        #: What the engine was given last.
        self.config = config
        self.team = Team(
            config,
            datapath.ifindex,
            adopted=datapath.actual() if adopted else None,
            history=History(runner=keeper.load()) if adopted and keeper else None,
            add_ports=add_ports,
            separates=datapath.separates,
        )
        #: Who is told of every change.
        self.audience = Audience(self.team.snapshot)
        self._loop: Loop | None = None
        self._timer: Timer | None = None
        self._due: float | None = None
        self._next_look: Timer | None = None
        self._next_save: Timer | None = None
        self._next_port: Timer | None = None
        self._files: set[int] = set()
        self._orders = Orders(datapath, self._log_messages)
        self._desired = Desired()
        #: What of it was asked of the datapath so far; the ports that are to be added in turns of their own.
        self._asked = Desired()
        self._waiting: frozenset[int] = frozenset()
        self._starting = True
        self._messages: list[Message] = []
        #: To be sent when everything else is done.
        self._frames: list[Frame] = []

    def start(self, loop: Loop) -> None:
        """Show the engine what there is, make it so, and watch from here on."""
        self._loop = loop
        self._datapath.follow(self.team.names())
        self.handle([LinkSeen(link) for link in self._datapath.links()])
        self.handle([TimePassed()])
        self._starting = False
        self._look_in(LOOK_INTERVAL)

    def stop(self, *, farewell: bool = False) -> None:
        """Watch no longer. The datapath is the caller's to destroy, after a farewell, or to close."""
        if farewell and self._loop is not None and not self._removed:
            self._wire.send(self.team.end(self._loop.time()).frames)
        self._look_away()
        self.audience.stop()
        if self._loop is not None:
            self._save()
        self._wire.close()
        self._tipc.close()
        self._loop = None

    def hindrances(self) -> list[int]:
        """After `start`: an errno for each thing without which a team is not to start; all are logged.

        That is its mode, its hash function and, unless it was adopted, every configured port that is
        there: of a team that carries traffic already, the other ports are worth more than a refusal.
        """
        return [
            code for command, (code, _) in self._orders.complaints.items() if self._hinders(command, code)
        ]

    def _hinders(self, command: Command, code: int) -> bool:
        match command:
            case SetOption():
                return is_vital(command)
            case AddPort():
                return code != errno.ENODEV and not self._adopted
        return False

    def snapshot(self) -> TeamSnapshot:
        """The team as it is at this moment."""
        return self.team.snapshot(self._loop.time() if self._loop is not None else None)

    def dropped(self, ifindex: int) -> int:
        """Frames for the daemon that nobody had time for, for there were too many at once."""
        return self._wire.dropped(ifindex)

    def reconfigure(self, config: TeamConfig) -> None:
        """Another configuration, at once. Raises `UnsupportedError`; then nothing has changed."""
        before, self.config = self.config, config
        new = [self._seen(name) for name in config.ports if name not in before.ports]
        try:
            self.handle([*filter(None, new), Configured(config)])
        except UnsupportedError:
            self.config = before
            raise

    def reconfigure_runner(self, runner: RunnerConfig) -> None:
        """The same of the runner alone."""
        self.handle([RunnerConfigured(runner)])
        self.config = replace(self.config, runner=runner)

    def hurry(self, ifindex: int) -> None:
        """Somebody waits for this interface to become a port."""
        self._waiting -= {ifindex}

    @property
    def to_be_added(self) -> list[str]:
        """Ports that come later, one by one; refusals of them are told in the log."""
        return sorted(self._orders.name(ifindex) for ifindex in self._waiting)

    def _seen(self, name: str) -> LinkSeen | None:
        try:
            return LinkSeen(self._datapath.find(name))
        except OSError as error:
            log.debug("%s: %s", name, error)
            return None

    def refusals(self) -> dict[Command, str]:
        """What is refused now, and why."""
        return {command: text for command, (_, text) in self._orders.complaints.items()}

    def why_not(self, ifindex: int) -> str:
        """Why the interface could not be made a port, empty when nothing is known; then forgotten."""
        return self._orders.why_not(ifindex)

    def handle(self, events: Iterable[Event], *, compare: bool = False) -> None:
        """All events of a batch first, then the commands that follow from them.

        ``compare``: the device may have changed without an event. Raises what the datapath raises
        when it cannot be read.
        """
        quiet = False
        try:
            before = self._asked
            told, quiet = self._feed(events)
            compare = told or (compare and not self._removed)
            if not quiet:
                self._say_farewell()
            for number in range(len(self.config.ports) + _SPARE_ROUNDS):
                if not compare:
                    return
                actual = self._datapath.actual()
                self._asked = self._for_now(actual)
                todo = commands(actual, self._asked)
                refused = set(self._orders.complaints)
                news = self._orders.carry_out(todo)
                # Told after it is done: a line in the log costs packets.
                self._log_messages()
                if todo and not number:
                    # What was wanted before, too, and yet is to be done: somebody undid it.
                    overdue = (set(todo) & set(commands(actual, before))) - refused
                    _say_repaired(sorted(self._orders.describe(command) for command in overdue))
                if not news:
                    return
                compare, _ = self._feed(news)
                if self._waiting:
                    return
            log.error("The team device does not become what it should be; trying again later.")
        finally:
            self._log_messages()
            self._watch(quiet and not compare)
            if self._waiting and self._loop is not None and self._next_port is None:
                self._next_port = self._loop.call_later(0, partial(self._guard, self._add_next))
            if self._loop is not None and not (quiet and not compare):
                self.audience.stir(self._loop.call_later)

    def _for_now(self, actual: Actual) -> Desired:
        """What is wanted, but of new ports only one: each takes a while, and LACPDUs do not wait.

        One that was not there to be added the last time goes first: whoever wants it waits for it.
        """
        new = self._desired.members - actual.members
        if self._starting or len(new) < 2:
            self._waiting = frozenset()
            return self._desired
        self._waiting = new - {min(new - self._waiting or new)}
        return replace(self._desired, members=self._desired.members - self._waiting)

    def _feed(self, events: Iterable[Event]) -> tuple[bool, bool]:
        """Whether the device has to be compared with what is wanted, and whether nothing changed."""
        assert self._loop is not None
        compare, quiet = False, True
        for event in events:
            if self._removed:
                # What follows is the ports' farewell: there is nothing left to decide.
                return False, False
            if isinstance(event, LinkGone) and event.ifindex == self._datapath.ifindex:
                self._removed = True
                log.info("Team device removal detected.")
                self._on_removed()
                return False, False
            outcome = self.team.handle(self._loop.time(), event)
            self._desired = outcome.desired
            compare, quiet = compare or outcome.compare, quiet and outcome.quiet
            self._messages.extend(outcome.messages)
            self._frames.extend(outcome.frames)
            for lookup in outcome.lookups:
                look_up(lookup, self._resolved, self._loop.call_soon_threadsafe)
        return compare, quiet

    def _add_next(self) -> None:
        self._next_port = None
        self.handle([], compare=True)

    def _resolved(self, seen: HostSeen) -> None:
        if self._loop is not None:
            self._guard(partial(self.handle, [seen]))

    def _say_farewell(self) -> None:
        """On ports that are about to go, or that nobody will listen on: later it would be too late."""
        if not self._frames:
            return
        stay = self._desired.members & self.team.ears().keys()
        farewells = [frame for frame in self._frames if frame.ifindex not in stay]
        if farewells:
            self._wire.send(farewells)
            self._frames = [frame for frame in self._frames if frame.ifindex in stay]

    def _log_messages(self) -> None:
        """What the engine has said since the last time."""
        for message in self._messages:
            log.log(_LEVELS[message.level], "%s", message.text)
        self._messages.clear()

    # The loop

    def _watch(self, quiet: bool) -> None:
        """Follow the descriptors and deadlines of both sides; both change with what was done, if anything."""
        if self._loop is None:
            return
        if not quiet:
            # First: what was heard before a question is no answer to it.
            self._wire.listen(self.team.ears())
            self._tipc.follow(self.team.tipc_bearers())
            self._datapath.follow(self.team.names())
            self._follow({*self._datapath.files(), *self._wire.files(), *self._tipc.files()})
            if self._keeper is not None and self._next_save is None:
                self._next_save = self._loop.call_later(PATIENCE, partial(self._guard, self._save))
        self._wire.send(self._frames)
        self._frames.clear()
        sources = (self.team, self._datapath, self._wire)
        times = [time for source in sources if (time := source.next_timeout()) is not None]
        due = min(times, default=None)
        if due == self._due and self._timer is not None:
            # Made anew, one that is due already would be behind whatever else there is to do, for ever.
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = due
        if due is not None:
            self._timer = self._loop.call_at(due, partial(self._guard, self._time_passed))

    def _follow(self, files: set[int]) -> None:
        assert self._loop is not None
        for fd in self._files - files:
            self._loop.remove_reader(fd)
        for fd in files - self._files:
            self._loop.add_reader(fd, partial(self._guard, self._readable))
        self._files = files

    def _look_away(self) -> None:
        if self._loop is not None:
            self._follow(set())
        for timer in (self._timer, self._next_look, self._next_save, self._next_port):
            if timer is not None:
                timer.cancel()
        self._timer = self._next_look = self._next_save = self._next_port = None

    def _look_in(self, seconds: float) -> None:
        assert self._loop is not None
        if self._next_look is not None:
            self._next_look.cancel()
        self._next_look = self._loop.call_later(seconds, partial(self._guard, self._look))

    def _guard(self, work: Callable[[], None]) -> None:
        """Whatever goes wrong in the loop ends neither the daemon nor its watching.

        What was on its way may be lost and what is readable may fail for ever: so look away for a
        moment, and then at everything.
        """
        try:
            work()
        except Exception as error:
            unforeseen = not isinstance(error, PyteamError)
            log.error(
                "Loop callback failed with: %s (next try in %g s)", error, RECOVERY, exc_info=unforeseen
            )
            if self._loop is not None:
                self._look_away()
                self._look_in(RECOVERY)

    def _save(self) -> None:
        self._next_save = None
        if self._keeper is not None:
            self._keeper.save(self.team.save().runner)

    def _readable(self) -> None:
        self.handle(self._told())

    def _told(self) -> list[Event]:
        assert self._loop is not None
        return [*self._datapath.receive(), *self._wire.receive(self._loop.time()), *self._tipc.receive()]

    def _time_passed(self) -> None:
        assert self._loop is not None
        self._timer = None
        # A daemon that was stopped for a while must not let a delay end on facts of before.
        told = self._told()
        now = self._loop.time()
        self._datapath.handle_timeout(now)
        due = self.team.next_timeout()
        self.handle([*told, TimePassed()] if due is not None and due <= now else told)

    def _look(self) -> None:
        """At everything, also at what no event told."""
        self._look_in(LOOK_INTERVAL)
        # In this order: what is read now is newer than what was told.
        told = self._told()
        links = {link.ifindex: link for link in self._datapath.links()}
        known = [self._datapath.ifindex, *(port.link.ifindex for port in self.team.snapshot().ports)]
        gone = [LinkGone(ifindex) for ifindex in known if ifindex not in links]
        self.handle([*told, *map(LinkSeen, links.values()), *gone], compare=True)
        try:
            _say_repaired(self._datapath.repair())
        except OSError as error:
            log.error("Failed to put back what was changed from outside: %s", error)


def _say_repaired(what: Sequence[str]) -> None:
    if what:
        log.warning("Repairing what was changed from outside: %s.", ", ".join(what))
