"""One port, or an interface that shall become one: what is known of it and what its watches say.

It must not know the team, the runner or the datapath.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from errno import EBUSY

from pyteam.config import EthtoolWatch, LinkWatchConfig, PortConfig
from pyteam.engine.linkwatch import watch_class
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.linkwatch.tipc import Tipc
from pyteam.engine.settings import Settings
from pyteam.engine.snapshot import PortSnapshot, Setting, WatchHistory
from pyteam.link import DUPLEX_FULL, SPEED_UNKNOWN, Link
from pyteam.options import OptionValue


class Port:
    """``asked``: somebody wants it to be a port; otherwise it only is one.

    ``joined`` counts ports as they come, 0 while it is none; watches exist only meanwhile.
    """

    def __init__(
        self, name: str, config: PortConfig, global_watches: Sequence[LinkWatchConfig], asked: bool
    ) -> None:
        self.name = name
        self.config = config
        self.asked = asked
        self.link = None
        self.joined = 0
        #: What the watches say together.
        self.up = False
        #: Released by somebody else, who is not to be fought.
        self.released = False
        self.watches: list[LinkWatch] = []
        #: The datapath takes the watches' word, or did: then it must be told to look itself again.
        self.probed = False
        #: The team's, for every port.
        self.global_watches = tuple(global_watches)
        self._refused: tuple[Link, int] | None = None
        self.settings = Settings()
        self._set()

    @property
    def link(self) -> Link | None:
        """The interface as it was last seen; None: there is no such."""
        return self._link

    @link.setter
    def link(self, link: Link | None) -> None:
        # Taken over once, read a dozen times by each decision.
        self._link = link
        #: 0 while there is no such interface.
        self.ifindex = link.ifindex if link else 0
        #: The raw link.
        self.usable = link is not None and link.usable
        #: In Mb/s; 0 when unknown.
        self.speed = link.speed if link and link.speed != SPEED_UNKNOWN else 0
        self.duplex = int(link is not None and link.duplex == DUPLEX_FULL)

    @property
    def desired(self) -> bool:
        """It should be a port now."""
        return self._link is not None and not self.released and not self._refused

    @property
    def prio(self) -> int:
        return int(self.settings.value("priority") or 0)

    @property
    def sticky(self) -> bool:
        return self.config.sticky

    @property
    def probes(self) -> bool:
        return any(watch.probes for watch in self.watches)

    def combine(self, policy: str) -> None:
        """``up`` from what the watches say; ``policy`` is the team's, a port may have its own."""
        combination = all if (self.config.link_watch_policy or policy) == "all" else any
        self.up = bool(self.watches) and combination(watch.up for watch in self.watches)

    def join(
        self, number: int, up: bool, history: Sequence[WatchHistory], options: Mapping[str, OptionValue]
    ) -> None:
        """It became a port with these options; its watches begin with ``up``, or where ``history`` ends."""
        self.joined = number
        self.released = False
        self.settings = Settings(options)
        self._set()
        self.watches = [watch_class(config)(config, up) for config in self._watch_configs()]
        for watch, past in zip(self.watches, history, strict=False):
            if watch.name == past.name:
                watch.restore(past)
        self.probed = self.probes or bool(options.get("user_linkup_enabled"))

    def leave(self) -> None:
        self.joined = 0
        self.watches = []
        self.probed = False
        self.up = False

    def configure(self, config: PortConfig, now: float) -> Iterator[LinkWatch]:
        """Another configuration; yields watches that changed their mind. Unchanged ones go on."""
        self.config = config
        self._set()
        yield from self.watch_anew(now)

    def watch_anew(self, now: float) -> Iterator[LinkWatch]:
        """As the configuration, or `global_watches`, say now; as of `configure`."""
        if not self.joined:
            return
        old = list(self.watches)
        self.watches = []
        for watch_config in self._watch_configs():
            same = next((watch for watch in old if watch.config == watch_config), None)
            if same is not None:
                old.remove(same)
            watch = same or watch_class(watch_config)(watch_config, self.up)
            self.watches.append(watch)
            if watch.see(now, self.usable):
                yield watch
        self.probed = self.probed or self.probes

    def _set(self) -> None:
        self.settings.configure("priority", self.config.prio)
        self.settings.configure("queue_id", self.config.queue_id)

    def _watch_configs(self) -> tuple[LinkWatchConfig, ...]:
        return (*self.config.link_watch, *self.global_watches) or (EthtoolWatch(),)

    def refuse(self, errno: int) -> None:
        """The datapath did not take it; see `reconsider`."""
        if self.link is not None:
            self._refused = self.link, errno

    def forgive(self) -> None:
        """Whatever the reason was, try again."""
        self._refused = None

    def reconsider(self) -> None:
        """Try again when the reason may be gone: a busy interface was set down, or another changed."""
        if self._refused is None or self.link is None:
            return
        then, errno = self._refused
        busy = errno == EBUSY and then.up
        if (not self.link.up) if busy else _identity(self.link) != _identity(then):
            self._refused = None

    def deadline(self) -> float | None:
        return min((watch.deadline for watch in self.watches if watch.deadline is not None), default=None)

    def see(self, now: float) -> Iterator[LinkWatch]:
        """Show the raw link to the watches; yields those that changed their mind."""
        return (watch for watch in self.watches if watch.see(now, self.usable))

    def settle(self, now: float) -> Iterator[LinkWatch]:
        """The raw link counts at once, whatever the delays: nobody knows since when it is so."""
        return (watch for watch in self.watches if watch.settle(now, self.usable))

    def expire(self, now: float) -> Iterator[LinkWatch]:
        for watch in self.watches:
            if watch.deadline is not None and watch.deadline <= now and watch.expire(now, self.usable):
                yield watch

    def see_tipc(self, link: str, up: bool) -> Iterator[LinkWatch]:
        """A TIPC link came up or went down; yields watches that changed their mind."""
        return (watch for watch in self.watches if isinstance(watch, Tipc) and watch.learn(link, up))

    def tipc_bearers(self) -> Iterator[str]:
        return (watch.config.tipc_bearer for watch in self.watches if isinstance(watch, Tipc))

    def snapshot(self, link: Link, runner: Mapping[str, Setting]) -> PortSnapshot:
        return PortSnapshot(link, self.up, tuple(watch.snapshot() for watch in self.watches), runner)


def _identity(link: Link) -> tuple[object, ...]:
    return link.name, link.up, link.address, link.mtu, link.loopback, link.member
