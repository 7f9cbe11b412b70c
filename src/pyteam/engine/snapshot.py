"""The engine's state as immutable values: what is shown to users, and what survives a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from pyteam.link import Link

#: Of what is shown: a value, or a group of them.
Setting = Union[str, int, bool, Mapping[str, "Setting"]]  # noqa: UP007  (recursive)
#: Of what a runner remembers: plain data, fit for JSON as it is.
Memory = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WatchSnapshot:
    """One link watch of a port. ``settings``: its own items (``delay_up``, ...), by name."""

    name: str
    up: bool
    down_count: int
    settings: Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class PortSnapshot:
    """One present port. ``up`` is the combined result of its watches, ``link.usable`` the raw link."""

    link: Link
    up: bool
    watches: tuple[WatchSnapshot, ...]
    #: The runner's items of this port.
    runner: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamSnapshot:
    """The team; ports in the order in which they joined. ``link`` None: not seen yet."""

    ifindex: int
    link: Link | None
    runner_name: str
    mode: str
    ports: tuple[PortSnapshot, ...]
    #: The runner's items, such as ``active_port``; empty for runners without state.
    runner: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WatchHistory:
    name: str
    up: bool
    down_count: int


@dataclass(frozen=True, slots=True)
class History:
    """What decides and cannot be read from the device. Plain data: fit for JSON as it is.

    ``watches`` are by port name, in order; ``runner`` is its own affair.
    """

    active_port: str = ""
    runner: Memory = field(default_factory=dict)
    watches: Mapping[str, tuple[WatchHistory, ...]] = field(default_factory=dict)
