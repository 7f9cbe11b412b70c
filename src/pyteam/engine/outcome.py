"""What `Team.handle` answers: the desired state, what to send, what to log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pyteam.engine.desired import Desired
from pyteam.engine.linkwatch.hosts import Lookup
from pyteam.frames.pattern import Pattern


class Level(StrEnum):
    """How loud a message is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Message:
    """One line for the log. People grep for these texts."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """An Ethernet frame to send on this port now."""

    ifindex: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Ear:
    """What is listened for on a port now. No pattern: nothing, until something is again."""

    patterns: frozenset[Pattern]
    #: Frames to this MAC have to be let in, too; None: the port's own is enough.
    address: bytes | None = None
    #: And frames to this group.
    group: bytes | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``compare``: something happened that the device may not agree with; read and reconcile it.

    While it is false, the last comparison still holds. ``quiet``: nothing that anybody could ask the
    engine for has changed but the time it wants to be woken at: not what it listens for, and no state.
    """

    desired: Desired
    frames: tuple[Frame, ...] = ()
    #: Names whose addresses are wanted, each answered by one `HostSeen`.
    lookups: tuple[Lookup, ...] = ()
    messages: tuple[Message, ...] = ()
    compare: bool = True
    quiet: bool = False
