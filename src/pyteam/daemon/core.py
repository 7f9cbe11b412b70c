"""The control methods, carried out on the running team (see `pyteam.control.core.Core`)."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, runtime_checkable

from pyteam.config import ConfigError, Document, TeamConfig
from pyteam.control.core import Listener, MethodError
from pyteam.control.methods import OPTION_ERRNO
from pyteam.control.state import CONFIGURED, Path, Value, general, get_item, parse_item
from pyteam.daemon import logs
from pyteam.daemon.arguments import Arguments
from pyteam.daemon.orders import is_vital
from pyteam.daemon.reload import Plan, Reloader
from pyteam.daemon.service import TeamService
from pyteam.daemon.state import state_dump
from pyteam.datapath.interface import Datapath
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import (
    LinkSeen,
    OptionChosen,
    PortChosen,
    PortConfigured,
    PortUnwanted,
    PortWanted,
)
from pyteam.engine.snapshot import PortSnapshot, TeamSnapshot
from pyteam.link import Link
from pyteam.options import OPTIONS, OptionKey, Type, parse_value

log = logging.getLogger(__name__)

_CODES: Final = {number: code for code, number in OPTION_ERRNO.items()}


@runtime_checkable
class Describing(Protocol):
    """A datapath that has something of its own to show."""

    def describe(self, state: dict[str, Any]) -> None:
        """Add it to the state dump."""


class DaemonCore:
    """Owns the live configuration, which the methods change; ``document`` is where it begins."""

    def __init__(
        self,
        document: Document,
        service: TeamService,
        datapath: Datapath,
        *,
        daemonized: bool,
        pid_file: str,
        debug_level: int,
        reloader: Reloader | None = None,
        dbus: bool = False,
        zmq: bool = False,
    ) -> None:
        self._document = document
        self._service = service
        self._datapath = datapath
        self._daemonized = daemonized
        self._pid_file = pid_file
        self._debug_level = debug_level
        self._reloader = reloader or Reloader(Arguments(), document, datapath.kind)
        self._dbus = dbus
        self._zmq = zmq
        #: Ports that were given the implicit link watch, if they needed it: the names that they joined with.
        self._watched: dict[int, str] = {}

    def current_document(self) -> Document:
        """The live configuration; to be asked for also after the start.

        A port that has joined without any watch has the default one, and the configuration shows it:
        under the name that it joined with, and until another configuration replaces it.
        """
        ports = {port.link.ifindex: port.link.name for port in self._ports()}
        for ifindex in ports.keys() - self._watched.keys():
            self._document = self._document.with_implicit_link_watch(ports[ifindex])
        self._watched = {ifindex: self._watched.get(ifindex, name) for ifindex, name in ports.items()}
        return self._document

    def port_config_update(self, port: str, config: str) -> None:
        self._find(port)
        current = self.current_document()
        try:
            document = current.with_port(port, config)
            self._service.handle([PortConfigured(port, document.port(port))])
        except ConfigError as error:
            raise MethodError("ConfigUpdateFail", " ".join(error.problems)) from error
        except UnsupportedError as error:
            raise MethodError("ConfigUpdateFail", f"{port}: {error}") from error
        for warning in document.warnings:
            log.warning("%s", warning)
        self._document = document

    def port_config_dump(self, port: str) -> str:
        self._find(port)
        document = self.current_document()
        if port not in document.team.ports and self._member(port) is None:
            raise MethodError("ConfigDumpFail", f"{port} is no port of this team and has no configuration.")
        return document.dump_port(port)

    def port_add(self, port: str) -> None:
        link = self._find(port)
        if self._member(port) is not None:
            return
        if link.ifindex == self._datapath.ifindex:
            raise MethodError("PortAddFail", f"{port} is the team device itself.")
        self._service.hurry(link.ifindex)
        self._service.handle([PortWanted(port), LinkSeen(link)])
        if self._member(port) is None:
            # Or it would be tried again at a moment that nobody asked for.
            self._service.handle([PortUnwanted(port)])
            raise MethodError("PortAddFail", self._service.why_not(link.ifindex))

    def port_remove(self, port: str) -> None:
        if self._member(port) is None:
            raise MethodError("NoSuchDev", f"{port} is no port of this team.")
        self._service.handle([PortUnwanted(port)])
        if self._member(port) is not None:
            raise MethodError("PortRemoveFail")

    def config_dump(self) -> str:
        return self.current_document().dump()

    def config_dump_actual(self) -> str:
        return self.current_document().dump_actual(port.link.name for port in self._ports())

    def state_dump(self) -> str:
        return json.dumps(self._state(), indent=4, sort_keys=True)

    def state_item_get(self, path: str) -> str:
        return get_item(self._state(), path)

    def state_item_set(self, path: str, value: str) -> None:
        match parse_item(self._state(), path, value):
            case ("runner", "active_port"), str(name):
                member = self._member(name)
                if member is None:
                    raise MethodError("ItemValueSetFail", f'"{name}" is no port of this team.')
                self._service.handle([PortChosen(member.link.ifindex)])
            case ("setup", "debug_level"), int(level):
                self._debug_level = level
                logs.set_debug_level(level)
            case ("ports", str(name), "runner", "aggregator", "selected"), _:
                self._select_aggregator(name)
            case keys, typed if general(keys) in CONFIGURED:
                self._configure_item(keys, typed)
            case _:
                raise MethodError("OpNotSupp")

    def _select_aggregator(self, name: str) -> None:
        member = self._member(name)
        if member is None or not self._state()["ports"][name]["runner"]["aggregator"]["id"]:
            raise MethodError("ItemValueSetFail", f"{name}: it is in no aggregator.")
        self._service.handle([PortChosen(member.link.ifindex)])

    def _configure_item(self, item: Path, value: Value) -> None:
        """An item that shows a key of the configuration."""
        group, *_, key = CONFIGURED[general(item)]
        tree = self.current_document().raw
        try:
            if group == "ports":
                port = tree.get("ports", {}).get(item[1], {})
                self.port_config_update(item[1], json.dumps({**port, key: value}))
                return
            tree.setdefault(group, {})[key] = value
            document = Document.parse(json.dumps(tree), source="state item")
            runner: Any = self._service.config.runner
            self._service.reconfigure_runner(replace(runner, **{key: getattr(document.team.runner, key)}))
        except (ConfigError, UnsupportedError) as error:
            raise MethodError("ItemValueSetFail", str(error)) from error
        except MethodError as error:
            raise MethodError("ItemValueSetFail", error.text) from error
        self._document = document

    def config_reload(self) -> str:
        return _refusable(lambda: self._become(self._reloader.read()))

    def config_replace(self, config: str) -> str:
        return _refusable(lambda: self._become(_parse(config)))

    def config_diff(self, config: str) -> str:
        return _refusable(lambda: self._plan(_parse(config) if config else self._reloader.read()).changes)

    def reload(self) -> None:
        """As `config_reload`, for who has nobody to answer to: what is wrong goes to the log."""
        try:
            self._become(self._reloader.read())
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem)
            log.error("Failed to reload config: nothing was changed.")

    def _plan(self, found: Document) -> Plan:
        """Raises `ConfigError`."""
        live = self.current_document()
        plan = self._reloader.plan(found, live, self._watched.values())
        objections = self._service.team.objections(plan.team)
        if objections:
            raise ConfigError(objections, found.warnings)
        return plan

    def _become(self, found: Document) -> Sequence[str]:
        """What was changed, and what of it cannot be yet, a line each. Raises `ConfigError`."""
        plan = self._plan(found)
        for warning in found.warnings:
            log.warning("%s", warning)
        before, document, team = self._reloader.loaded, self._document, self._service.config
        known = self._service.refusals()
        self._take(plan.loaded, plan.team, plan.document)
        refused = {command: why for command, why in self._service.refusals().items() if command not in known}
        vital = [why for command, why in refused.items() if is_vital(command)]
        if vital:
            # What the kernel thinks of a hash function shows only when it gets it; the old one is in force.
            self._take(before, team, document)
            raise ConfigError(f"{why}." for why in vital)
        self._debug_by(plan.loaded, before)
        log.info(
            "Configuration reloaded: %s.", f"{len(plan.changes)} changes" if plan.changes else "the same"
        )
        for line in plan.changes:
            log.info("%s", line)
        later = (f"{name}: is added in its turn; the log tells." for name in self._service.to_be_added)
        return [*plan.changes, *refused.values(), *later]

    def _take(self, loaded: Document, team: TeamConfig, document: Document) -> None:
        self._reloader.loaded, self._document = loaded, document
        self._service.reconfigure(team)

    def _debug_by(self, loaded: Document, before: Document) -> None:
        """A level that was set by hand stands until the configuration says another."""
        if loaded.team.debug_level != before.team.debug_level:
            self._debug_level = self._reloader.debug_level(loaded.team)
            logs.set_debug_level(self._debug_level)

    def option_set(self, name: str, port: str, index: str, value: str) -> None:
        spec, member = OPTIONS.get(name), self._member(port)
        if port and member is None:
            raise MethodError("NoSuchDev", f"{port} is no port of this team.")
        if spec is None:
            raise MethodError("NoSuchOption", f'There is no option "{name}".')
        try:
            number = int(parse_value(index, Type.U32))
            wanted = parse_value(value, spec.type)
        except (ValueError, OverflowError) as error:
            raise MethodError("OptionSetFail", f"{name}: {error}.") from error
        key = OptionKey(name, member.link.ifindex if member else 0, number)
        if self._service.team.decides(key):
            runner = self._service.snapshot().runner_name
            raise MethodError(
                "OptionBusy", f"{name} is for the runner ({runner}) and link watches to decide."
            )
        try:
            self._datapath.set_option(key, wanted)
        except OSError as error:
            code = _CODES.get(error.errno or 0, "OptionSetFail")
            raise MethodError(code, f"{error.strerror}.") from error
        log.info("%s set to %s by hand.", f"{name} of {port}" if port else name, value[:64])
        self._service.handle([OptionChosen(key, wanted)])

    def snapshot(self) -> TeamSnapshot:
        return self._service.snapshot()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        return self._service.audience.join(listener)

    def _ports(self) -> tuple[PortSnapshot, ...]:
        return self._service.snapshot().ports

    def _member(self, name: str) -> PortSnapshot | None:
        return next((port for port in self._ports() if port.link.name == name), None)

    def _find(self, name: str) -> Link:
        """The interface. Raises `MethodError` NoSuchDev."""
        try:
            return self._datapath.find(name)
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            raise MethodError("NoSuchDev") from error

    def _state(self) -> dict[str, Any]:
        setup = {
            "daemonized": self._daemonized,
            "datapath": self._datapath.kind,
            "dbus_enabled": self._dbus,
            "debug_level": self._debug_level,
            "pid": os.getpid(),
            "pid_file": self._pid_file,
            "zmq_enabled": self._zmq,
        }
        team = self._service.snapshot()
        state = state_dump(setup, team, {port.link.ifindex: self._statistics(port) for port in team.ports})
        if isinstance(self._datapath, Describing):
            self._datapath.describe(state)
        return state

    def _statistics(self, port: PortSnapshot) -> dict[str, int]:
        try:
            statistics = self._datapath.statistics(port.link.ifindex)
            return {**statistics, "control_dropped": self._service.dropped(port.link.ifindex)}
        except OSError as error:
            # It is on its way out: the news waits in the loop.
            log.debug("%s: no statistics: %s", port.link.name, error)
            return {}


def _parse(config: str) -> Document:
    return Document.parse(config, source="new config")


def _refusable(work: Callable[[], Sequence[str]]) -> str:
    """The lines. Raises `MethodError`."""
    try:
        return "\n".join(work())
    except ConfigError as error:
        raise MethodError("ConfigReloadFail", " ".join(error.problems)) from error
