"""What the watches that ask a neighbour share: when to ask, and how long silence is forgiven.

At each tick it is looked at what was heard since the one before, and then asked anew:

===========================  =======================================================
since the last tick          then
===========================  =======================================================
something was heard          up; ``missed`` is 0
nothing was heard            ``missed`` grows; down when it is more than ``missed_max``
===========================  =======================================================

Ticks alone would see a loss right behind an answer only after ``missed_max`` + 2 intervals. So a watch
that is up goes down between two ticks as well, when nothing was heard for ``missed_max`` + 1 intervals
and a fifth: by then that many questions were asked, and the last has had its time, too.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.linkwatch.hosts import Host
from pyteam.engine.snapshot import Setting
from pyteam.frames.ethernet import Frame
from pyteam.frames.pattern import Pattern

#: Of an interval: how long the last answer is waited for.
_GRACE: Final = 0.2
#: Frames a second that may be no answer after all: enough for what the kernel lets pass by mistake, too
#: few to keep a processor busy. Until the next tick nobody listens any more.
_MOST_IN_VAIN: Final = 500


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a watch has to know of its port and team while it asks and listens."""

    #: The port carries the team's traffic.
    enabled: bool
    #: Questions come from here.
    mac: bytes
    #: Our own MACs: a frame from one of these proves nothing here.
    own: frozenset[bytes]


class Probe(LinkWatch):
    """A new one says what to ask, whom, and what is an answer."""

    probes: ClassVar[bool] = True

    def __init__(self, config: Any, up: bool = False) -> None:
        super().__init__(config, up)
        self.missed = 0
        #: By the key that names it in the configuration.
        self.hosts: Mapping[str, Host] = self.find_hosts()
        #: Something was heard since the last tick.
        self._heard = False
        #: Since then, what was heard and was none.
        self._in_vain = 0
        #: A question is due.
        self.asks = False
        self._interval: float = config.interval / 1000
        self._init_wait: float = config.init_wait / 1000
        self._missed_max: int = config.missed_max
        self._begun = False
        self._asked = False
        self._tick: float | None = None
        #: When something was heard for the last time, but for times at which nobody listened.
        self._lively = 0.0
        #: The silence of this interval was counted before its end.
        self._counted = False

    @property
    @abstractmethod
    def send_always(self) -> bool:
        """Whether to ask also where the port carries no traffic."""

    @abstractmethod
    def find_hosts(self) -> Mapping[str, Host]: ...

    @abstractmethod
    def question(self, around: Surroundings) -> bytes | None:
        """The frame that asks; None while nobody is known to be asked."""

    @abstractmethod
    def listens_for(self, around: Surroundings) -> Pattern | None:
        """What could be an answer; None: nothing."""

    @abstractmethod
    def answers(self, frame: Frame, around: Surroundings) -> bool:
        """Whether the frame is a sign of life. Raises `FrameError` where it is broken."""

    @property
    def deadline(self) -> float | None:
        times = (self._tick, self._patience(), *(host.due for host in self.hosts.values()))
        return min((time for time in times if time is not None), default=None)

    def _patience(self) -> float | None:
        """Until when silence is forgiven."""
        if not self.up or self._heard or self._tick is None:
            return None
        return self._lively + (self._missed_max + 1 + _GRACE) * self._interval

    def see(self, now: float, usable: bool) -> bool:
        if not self._begun:
            self._begun = True
            self._tick = self._lively = now + self._init_wait
        return False

    @property
    def listens(self) -> bool:
        """Whether a frame can change anything before the next tick."""
        return not self._heard and self._in_vain < max(_MOST_IN_VAIN * self._interval, 1)

    def hear(self, now: float, frame: Frame, around: Surroundings) -> None:
        """A frame came in on the port, while it `listens`. Raises `FrameError` where it is broken."""
        self._in_vain += 1
        if self.answers(frame, around):
            self._heard = True
            self._lively = now

    def expire(self, now: float, usable: bool) -> bool:
        changed = False
        if self._tick is not None and self._tick <= now:
            changed = self._look(now)
        patience = self._patience()
        if patience is not None and patience <= now:
            changed |= self._miss()
            self._counted = True
        return changed

    def _look(self, now: float) -> bool:
        assert self._tick is not None
        late = now - self._tick
        # Who was not there to hear cannot say that it was silent.
        self._lively = min(self._lively + late, now)
        if self._heard:
            self.missed = 0
            changed = self.judge(True)
        else:
            # Before the first question there is none to be answered.
            changed = not self._counted and self._asked and self._miss()
        self._heard = self._counted = False
        self._in_vain = 0
        self.asks = self._asked = True
        self._tick = self._next_tick(now)
        return changed

    def _next_tick(self, now: float) -> float | None:
        assert self._tick is not None
        if not self._interval:
            return None
        following = self._tick + self._interval
        return following if following > now else now + self._interval

    def _miss(self) -> bool:
        self.missed += 1
        return self.missed > self._missed_max and self.judge(False)

    def settings(self) -> Mapping[str, Setting]:
        problems = [f"{key}: {host.error}" for key, host in self.hosts.items() if host.error]
        return {
            **{key: str(host) for key, host in self.hosts.items()},
            "interval": self.config.interval,
            "init_wait": self.config.init_wait,
            "missed": self.missed,
            "missed_max": self._missed_max,
            **({"problem": "; ".join(problems)} if problems else {}),
        }
