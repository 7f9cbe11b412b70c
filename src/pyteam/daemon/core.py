"""The nine control methods, carried out on the running team (see `pyteam.control.core.Core`)."""

from __future__ import annotations

import json
import logging
import os
import socket
from typing import Any

from pyteam.config import ConfigError, Document
from pyteam.control.core import MethodError
from pyteam.control.state import get_item, parse_item
from pyteam.daemon import logs
from pyteam.daemon.service import TeamService
from pyteam.daemon.state import state_dump
from pyteam.datapath.interface import Datapath
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import ActivePortChosen, LinkSeen, PortConfigured, PortUnwanted, PortWanted
from pyteam.engine.snapshot import PortSnapshot

log = logging.getLogger(__name__)


class DaemonCore:
    """``document``: the live configuration, which the methods change."""

    def __init__(
        self, document: Document, service: TeamService, datapath: Datapath, *, daemonized: bool, pid_file: str
    ) -> None:
        self.document = document
        self._service = service
        self._datapath = datapath
        self._daemonized = daemonized
        self._pid_file = pid_file
        self._debug_level = document.team.debug_level

    def port_config_update(self, port: str, config: str) -> None:
        _find(port)
        try:
            document = self.document.with_port(port, config)
            self._service.handle([PortConfigured(port, document.port(port))])
        except ConfigError as error:
            raise MethodError("ConfigUpdateFail", " ".join(error.problems)) from error
        except UnsupportedError as error:
            raise MethodError("ConfigUpdateFail", f"{port}: {error}") from error
        for warning in document.warnings:
            log.warning("%s", warning)
        self.document = document

    def port_config_dump(self, port: str) -> str:
        _find(port)
        if port not in self.document.team.ports and self._member(port) is None:
            raise MethodError("ConfigDumpFail", f"{port} is no port of this team and has no configuration.")
        return self.document.dump_port(port)

    def port_add(self, port: str) -> None:
        ifindex = _find(port)
        if self._member(port) is not None:
            return
        self._service.handle([PortWanted(port), LinkSeen(self._datapath.link(ifindex))])
        if self._member(port) is None:
            why = self._service.why_not(ifindex)
            # Or it would be tried again at a moment that nobody asked for.
            self._service.handle([PortUnwanted(port)])
            raise MethodError("PortAddFail", why)
        self.write_implicit_link_watches()

    def port_remove(self, port: str) -> None:
        if self._member(port) is None:
            raise MethodError("NoSuchDev", f"{port} is no port of this team.")
        self._service.handle([PortUnwanted(port)])
        if self._member(port) is not None:
            raise MethodError("PortRemoveFail")

    def config_dump(self) -> str:
        return self.document.dump()

    def config_dump_actual(self) -> str:
        return self.document.dump_actual(port.link.name for port in self._ports())

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
                self._service.handle([ActivePortChosen(member.link.ifindex)])
            case ("setup", "debug_level"), int(level):
                self._debug_level = level
                logs.set_debug_level(level)
            case _:
                raise MethodError("OpNotSupp")

    def write_implicit_link_watches(self) -> None:
        """A port without any watch gets the default one, and the configuration shows it."""
        for port in self._ports():
            self.document = self.document.with_implicit_link_watch(port.link.name)

    def _ports(self) -> tuple[PortSnapshot, ...]:
        return self._service.team.snapshot().ports

    def _member(self, name: str) -> PortSnapshot | None:
        return next((port for port in self._ports() if port.link.name == name), None)

    def _state(self) -> dict[str, Any]:
        setup = {
            "daemonized": self._daemonized,
            "datapath": self._datapath.kind,
            "dbus_enabled": False,
            "debug_level": self._debug_level,
            "pid": os.getpid(),
            "pid_file": self._pid_file,
            "zmq_enabled": False,
        }
        team = self._service.team.snapshot()
        statistics = {port.link.ifindex: self._datapath.statistics(port.link.ifindex) for port in team.ports}
        return state_dump(setup, team, statistics)


def _find(port: str) -> int:
    """The interface's index. Raises `MethodError` NoSuchDev."""
    try:
        return socket.if_nametoindex(port)
    except (OSError, ValueError):
        # ValueError: a NUL in the name.
        raise MethodError("NoSuchDev") from None
