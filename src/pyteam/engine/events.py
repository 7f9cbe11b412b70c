"""What can happen to a team: every event that the engine understands, as plain values.

Nothing here is an order to a datapath; orders come out of the reconciler.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyteam.config import PortConfig, RunnerConfig, TeamConfig
from pyteam.engine.linkwatch.hosts import Lookup
from pyteam.frames.ethernet import Vlan
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """An interface of the namespace exists and looks like this now (also the team device itself)."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkGone:
    """The interface was deleted, or moved to another namespace."""

    ifindex: int


@dataclass(frozen=True, slots=True)
class OptionSeen:
    """An option of the device has this value now; it may be our own doing or somebody else's."""

    key: OptionKey
    value: OptionValue


@dataclass(frozen=True, slots=True)
class OptionChosen:
    """A user has set an option of the device by hand; it has this value now."""

    key: OptionKey
    value: OptionValue


@dataclass(frozen=True, slots=True)
class PortWanted:
    """A user asks for this interface to become a port."""

    name: str


@dataclass(frozen=True, slots=True)
class PortUnwanted:
    """A user asks for this port to be released."""

    name: str


@dataclass(frozen=True, slots=True)
class PortRefused:
    """The datapath could not make this interface a port; not tried again until it is seen anew."""

    ifindex: int
    errno: int


@dataclass(frozen=True, slots=True)
class PortConfigured:
    """The configuration of a port was replaced while the team runs."""

    name: str
    config: PortConfig


@dataclass(frozen=True, slots=True)
class Configured:
    """The whole configuration was replaced while the team runs.

    Ports that were configured or added one by one, beside the configuration before, are not its business.
    """

    config: TeamConfig


@dataclass(frozen=True, slots=True)
class RunnerConfigured:
    """The runner alone was given another configuration of its own kind."""

    config: RunnerConfig


@dataclass(frozen=True, slots=True)
class PortChosen:
    """A user picks a port by hand: as the active one, or its aggregator (state items of the runners)."""

    ifindex: int


@dataclass(frozen=True, slots=True)
class FrameSeen:
    """A frame came in on this interface, whole; ``tag`` is what the kernel took off it, if anything."""

    ifindex: int
    data: bytes
    tag: Vlan | None = None


@dataclass(frozen=True, slots=True)
class HostSeen:
    """A name was looked up. ``address`` None: it has none, and ``error`` says why."""

    lookup: Lookup
    address: bytes | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class TipcLinkSeen:
    """A TIPC link of this node, by its name, came up or went down."""

    link: str
    up: bool


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The time that `Team.next_timeout` asked for has come."""


Event = (
    LinkSeen
    | LinkGone
    | OptionSeen
    | OptionChosen
    | PortWanted
    | PortUnwanted
    | PortRefused
    | PortConfigured
    | Configured
    | RunnerConfigured
    | PortChosen
    | FrameSeen
    | HostSeen
    | TipcLinkSeen
    | TimePassed
)
