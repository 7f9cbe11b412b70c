"""The live configuration: what the user wrote, what was written back since, and what both mean.

Immutable: every change answers a new document, or raises and leaves the old one as it was. Knows
nothing of files, of the network, or of what is running.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Self

from pyteam.config.difference import differences
from pyteam.config.records import decode, read_record, table
from pyteam.config.report import Path, Report, show
from pyteam.config.text import Unreadable, read, write
from pyteam.config.values import DEFAULT_TX_HASH, PortConfig, TeamConfig

_Tree = dict[str, Any]

_HASHING: Final[dict[tuple[str, str], object]] = {("runner", "tx_hash"): list(DEFAULT_TX_HASH)}
#: What a runner writes into the live configuration where the user wrote nothing.
_WRITTEN_BACK: Final[dict[str, dict[tuple[str, str], object]]] = {
    "activebackup": {("notify_peers", "count"): 1, ("mcast_rejoin", "count"): 1},
    "loadbalance": _HASHING,
    "lacp": _HASHING,
}
_IMPLICIT_LINK_WATCH: Final = {"name": "ethtool"}


@dataclass(frozen=True, slots=True)
class Document:
    """Made by `parse`. Two documents are equal when their dumps are."""

    _tree: _Tree = field(repr=False)
    #: Typed; every default applied, also those that `with_defaults` would write.
    team: TeamConfig = field(compare=False)
    #: One line each: what the reading of the text, or of the port's text, had to remark.
    warnings: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, text: str | bytes, *, source: str = "config") -> Self:
        """Read a teamd.conf; bytes are UTF-8, ``source`` is named in messages.

        Raises `ConfigError` with all errors of the text.
        """
        report = Report(source)
        tree = _read_object(text, (), report)
        team = read_record(TeamConfig, _filled(tree), (), report)
        report.raise_errors()
        return cls(tree, team, tuple(report.warnings))

    @property
    def raw(self) -> _Tree:
        """A copy of the configuration as it is dumped."""
        return copy.deepcopy(self._tree)

    def port(self, name: str) -> PortConfig:
        """The port's configuration; the defaults when there is none."""
        return self.team.ports.get(name) or PortConfig()

    def with_device(self, name: str) -> Self:
        """The same for a device of this name. Raises `ConfigError` when it cannot have it."""
        report = Report("")
        decode(table(TeamConfig)["device"].kind, name, ("device",), report)
        if name in self.team.ports:
            report.error(("ports", name), "is the team device itself. Allowed: other interfaces.")
        report.raise_errors()
        return self._changed({**self._tree, "device": name})

    def with_defaults(self) -> Self:
        """The defaults that a dump shows, written back: runner and what it wants."""
        return self._changed(_filled(self._tree))

    def with_implicit_link_watch(self, port: str) -> Self:
        """The port with an ethtool watch when neither it nor the team has any."""
        if self.port(port).link_watch or self.team.link_watch:
            return self
        tree = self.raw
        tree.setdefault("ports", {}).setdefault(port, {})["link_watch"] = dict(_IMPLICIT_LINK_WATCH)
        return self._changed(tree)

    def with_port(self, name: str, json_text: str | bytes) -> Self:
        """The whole configuration of the port replaced; ``warnings`` are those of the new text.

        Raises `ConfigError` with all errors of the text.
        """
        report = Report("port config")
        where = ("ports", name)
        ports = table(TeamConfig)["ports"].kind
        port = _read_object(json_text, where, report)
        ports.decode({name: port}, ("ports",), report)
        report.raise_errors()
        tree = self.raw
        tree.setdefault("ports", {})[name] = port
        return self._changed(tree, tuple(report.warnings))

    def with_ports_beside(self, loaded: Self, live: Self) -> Self:
        """The same, and the ports that were configured one by one since ``loaded``, as ``live`` has them."""
        mine, theirs = self._tree.get("ports", {}), loaded._tree.get("ports", {})
        ports = live._tree.get("ports", {}).items()
        beside = {name: port for name, port in ports if name not in mine and name not in theirs}
        return self._changed({**self._tree, "ports": {**mine, **beside}}) if beside else self

    def changes_to(self, other: Self) -> dict[Path, str]:
        """What differs in another one: a line each, by path."""
        return dict(differences(self._tree, other._tree))

    def dump(self) -> str:
        """The configuration as JSON text."""
        return write(self._tree)

    def dump_actual(self, present: Iterable[str]) -> str:
        """The same with exactly the ports that are present now, ``{}`` for those not configured."""
        configured = self._tree.get("ports", {})
        ports = {name: configured.get(name, {}) for name in present}
        kept = {key: value for key, value in self._tree.items() if key != "ports"}
        return write(kept | {"ports": ports} if ports or "ports" in self._tree else kept)

    def dump_port(self, name: str) -> str:
        """The port's configuration as JSON text."""
        return write(self._tree.get("ports", {}).get(name, {}))

    def _changed(self, tree: _Tree, warnings: tuple[str, ...] | None = None) -> Self:
        report = Report("")
        team = read_record(TeamConfig, _filled(tree), (), report)
        report.raise_errors()
        return type(self)(tree, team, self.warnings if warnings is None else warnings)


def _read_object(text: str | bytes, path: Path, report: Report) -> _Tree:
    tree = read(text, path, report)
    if isinstance(tree, dict):
        return tree
    if not isinstance(tree, Unreadable):
        report.error(path, f"found {show(tree)} at the top level. Allowed: an object.")
    return {}


def _filled(tree: _Tree) -> _Tree:
    """A copy with what the runner writes back; a place that something else takes is left to it."""
    filled = copy.deepcopy(tree)
    runner = filled.setdefault("runner", {})
    if not isinstance(runner, dict):
        return filled
    name = runner.setdefault("name", table(TeamConfig)["runner"].default.name)
    for (section, key), value in _WRITTEN_BACK.get(name, {}).items() if isinstance(name, str) else ():
        place = filled.setdefault(section, {})
        if isinstance(place, dict):
            place.setdefault(key, copy.copy(value))
    return filled
