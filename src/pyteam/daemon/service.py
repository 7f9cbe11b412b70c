"""One running team: carries events to the engine, what it wants to the datapath, and keeps the time.

The one loop between the pure parts and the world. Decides nothing: which port, which MAC and when is
the engine's, what is to be done about it the reconciler's, how it is done the datapath's.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable
from typing import Final

from pyteam.config import TeamConfig
from pyteam.datapath.interface import Datapath
from pyteam.engine.desired import AddPort, Command, Desired, RemovePort, SetAddress, SetCarrier, SetOption
from pyteam.engine.events import Event, LinkGone, LinkSeen, PortRefused, TimePassed
from pyteam.engine.outcome import Level
from pyteam.engine.reconcile import commands
from pyteam.engine.team import Team
from pyteam.link import format_address

log = logging.getLogger(__name__)

#: Seconds between two looks at the whole device, in which what others changed is put right.
REPAIR_INTERVAL: Final = 10.0
#: A command may bring news that lead to other commands; more rounds than this lead nowhere.
_MOST_ROUNDS: Final = 16
_LEVELS: Final = {
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARNING: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


class TeamService:
    """Drives one engine and one datapath in an asyncio loop.

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
    ) -> None:
        self._datapath = datapath
        self._on_removed = on_removed
        self.team = Team(
            config, datapath.ifindex, adopted=datapath.actual() if adopted else None, add_ports=add_ports
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._files: set[int] = set()
        self._complaints: dict[object, str] = {}
        self._desired = Desired()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Show the engine what there is, make it so, and watch from here on."""
        self._loop = loop
        self.handle([LinkSeen(link) for link in self._datapath.links()])
        self.handle([TimePassed()])
        loop.call_later(REPAIR_INTERVAL, self._repair)

    def stop(self) -> None:
        """Watch no longer. The datapath is the caller's to destroy or to close."""
        if self._loop is None:
            return
        for fd in self._files:
            self._loop.remove_reader(fd)
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None

    def handle(self, events: Iterable[Event]) -> None:
        """All events of a batch first, then the commands that follow from them."""
        compare = self._feed(events)
        for _ in range(_MOST_ROUNDS):
            if not compare:
                break
            news: list[Event] = []
            for command in commands(self._datapath.actual(), self._desired):
                news.extend(self._carry_out(command))
            if not news:
                break
            compare = self._feed(news)
        self._watch()

    def _feed(self, events: Iterable[Event]) -> bool:
        """Whether the device has to be compared with what is wanted."""
        assert self._loop is not None
        compare = False
        for event in events:
            if event == LinkGone(self._datapath.ifindex):
                log.info("Team device removal detected.")
                self._on_removed()
                return False
            outcome = self.team.handle(self._loop.time(), event)
            self._desired = outcome.desired
            compare = compare or outcome.compare
            for message in outcome.messages:
                log.log(_LEVELS[message.level], "%s", message.text)
        return compare

    def _carry_out(self, command: Command) -> list[Event]:
        """Give one command; what it brought about, as events."""
        try:
            return self._give(command)
        except OSError as error:
            return self._failed(command, error)

    def _give(self, command: Command) -> list[Event]:
        datapath = self._datapath
        match command:
            case AddPort(ifindex):
                datapath.add_port(ifindex)
                self._complaints.pop(AddPort(ifindex), None)
                return [LinkSeen(datapath.link(ifindex))]
            case RemovePort(ifindex):
                datapath.remove_port(ifindex)
                return [LinkSeen(datapath.link(ifindex))]
            case SetOption(key, value):
                datapath.set_option(key, value)
            case SetAddress(ifindex, address):
                datapath.set_address(ifindex, address)
            case SetCarrier(up):
                datapath.set_carrier(up)
                log.info("carrier changed to %s", "UP" if up else "DOWN")
        self._complaints.pop(command, None)
        return []

    def _failed(self, command: Command, error: OSError) -> list[Event]:
        match command:
            case AddPort(ifindex):
                name = self._name(ifindex)
                self._complain(command, f"{name}: Failed to add port: {error}")
                return [PortRefused(ifindex, error.errno or errno.EIO)]
            case RemovePort(ifindex) if error.errno == errno.ENODEV:
                # It went away by itself: that was the wish.
                return [LinkGone(ifindex)]
            case SetOption(key, value):
                if error.errno == errno.ENOENT:
                    log.debug("%s: this datapath does not have it", key.name)
                    return []
                where = f"{self._name(key.port)}: " if key.port else ""
                self._complain(command, f'{where}Failed to set "{key.name}" to {value!r}: {error}')
            case SetAddress(ifindex, address):
                name, wanted = self._name(ifindex), format_address(address)
                self._complain(command, f"{name}: Failed to set hardware address {wanted}: {error}")
            case _:
                self._complain(command, f"{command}: {error}")
        return []

    def _complain(self, command: Command, text: str) -> None:
        """Once, until it works: what is refused is tried again, but not told again."""
        if self._complaints.get(command) != text:
            self._complaints[command] = text
            log.error("%s", text)

    def why_not(self, ifindex: int) -> str:
        """Why the interface could not be made a port; empty when nothing is known against it."""
        return self._complaints.get(AddPort(ifindex), "")

    def _name(self, ifindex: int) -> str:
        try:
            return self._datapath.link(ifindex).name
        except OSError:
            return f"interface {ifindex}"

    # The loop

    def _watch(self) -> None:
        """Follow the descriptors and deadlines of both sides; both change with what was done."""
        if self._loop is None:
            return
        files = set(self._datapath.files())
        for fd in self._files - files:
            self._loop.remove_reader(fd)
        for fd in files - self._files:
            self._loop.add_reader(fd, self._readable)
        self._files = files
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        times = [t for t in (self.team.next_timeout(), self._datapath.next_timeout()) if t is not None]
        if times:
            self._timer = self._loop.call_at(min(times), self._time_passed)

    def _readable(self) -> None:
        self.handle(self._datapath.receive())

    def _time_passed(self) -> None:
        assert self._loop is not None
        self._timer = None
        now = self._loop.time()
        self._datapath.handle_timeout(now)
        due = self.team.next_timeout()
        self.handle([TimePassed()] if due is not None and due <= now else [])

    def _repair(self) -> None:
        """Read everything anew. News that no event brought go to the engine; the rest is put right."""
        if self._loop is None:
            return
        self._loop.call_later(REPAIR_INTERVAL, self._repair)
        try:
            self.handle([*self._datapath.receive(), *(LinkSeen(link) for link in self._datapath.links())])
            pending = commands(self._datapath.actual(), self._desired)
        except OSError as error:
            log.warning("cannot look at the team device: %s", error)
            return
        repairs = [command for command in pending if command not in self._complaints]
        if repairs:
            log.warning("repairing what was changed from outside: %s", ", ".join(map(describe, repairs)))
            self.handle([])
            for command in repairs:
                self._carry_out(command)


def describe(command: Command) -> str:
    """A command in few words, for the log."""
    match command:
        case SetOption(key, value):
            return f"{key.name} of port {key.port} = {value!r}" if key.port else f"{key.name} = {value!r}"
        case SetAddress(ifindex, address):
            return f"address of {ifindex} = {format_address(address)}"
        case SetCarrier(up):
            return f"carrier = {'up' if up else 'down'}"
        case AddPort(ifindex):
            return f"add port {ifindex}"
        case RemovePort(ifindex):
            return f"remove port {ifindex}"
