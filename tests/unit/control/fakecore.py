"""A `Core` without a team: answers from plain dicts and notes what was changed.

With two ports ``p0`` (a member) and ``p1`` (present, no member). What it changes is what a real
daemon changes; how a team behaves is not its business.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyteam.control.core import Listener, MethodError
from pyteam.control.state import get_item, parse_item
from pyteam.engine.snapshot import PortSnapshot, TeamSnapshot
from pyteam.link import Link
from tests.unit.control.states import activebackup_state

INTERFACES = ("p0", "p1", "team0")


class FakeCore:
    def __init__(self) -> None:
        self.state: Any = activebackup_state()
        self.config: Any = {
            "device": "team0",
            "ports": {"p0": {"prio": 10}, "absent": {}},
            "runner": {"name": "activebackup"},
        }
        #: Calls that change something, in order.
        self.changes: list[tuple[str, ...]] = []
        #: Nothing moves by itself: `become` makes this another, and tells the listeners.
        self.team = team("p0", active="p0")
        self.listeners: list[Listener] = []

    def port_config_update(self, port: str, config: str) -> None:
        self._must_exist(port)
        try:
            wanted = json.loads(config)
        except ValueError as error:
            raise MethodError("ConfigUpdateFail") from error
        if not isinstance(wanted, dict):
            raise MethodError("ConfigUpdateFail")
        self.changes.append(("port_config_update", port, config))
        self.config["ports"][port] = wanted

    def port_config_dump(self, port: str) -> str:
        self._must_exist(port)
        if port not in self.state["ports"]:
            raise MethodError("ConfigDumpFail")
        return _dump(self.config["ports"].get(port, {}))

    def port_add(self, port: str) -> None:
        self._must_exist(port)
        if port == "team0":
            raise MethodError("PortAddFail")
        self.changes.append(("port_add", port))
        self.state["ports"].setdefault(port, {})

    def port_remove(self, port: str) -> None:
        if port not in self.state["ports"]:
            raise MethodError("NoSuchDev")
        self.changes.append(("port_remove", port))
        del self.state["ports"][port]

    def config_dump(self) -> str:
        return _dump(self.config)

    def config_dump_actual(self) -> str:
        ports = {name: self.config["ports"].get(name, {}) for name in self.state["ports"]}
        return _dump({**self.config, "ports": ports})

    def state_dump(self) -> str:
        return _dump(self.state)

    def state_item_get(self, path: str) -> str:
        return get_item(self.state, path)

    def state_item_set(self, path: str, value: str) -> None:
        (group, item), parsed = parse_item(self.state, path, value)
        self.changes.append(("state_item_set", path, value))
        self.state[group][item] = parsed

    def config_reload(self) -> str:
        self.changes.append(("config_reload",))
        return ""

    def config_replace(self, config: str) -> str:
        self.changes.append(("config_replace", config))
        return ""

    def config_diff(self, config: str) -> str:
        if config == "broken":
            raise MethodError("ConfigReloadFail")
        return f"runner.name: asked of {config or 'the file'}"

    def option_set(self, name: str, port: str, index: str, value: str) -> None:
        if port:
            self._must_exist(port)
        if name != "priority":
            raise MethodError("NoSuchOption")
        self.changes.append(("option_set", name, port, index, value))

    def snapshot(self) -> TeamSnapshot:
        return self.team

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def become(self, after: TeamSnapshot) -> None:
        before, self.team = self.team, after
        for listener in list(self.listeners):
            listener(before, after)

    def _must_exist(self, port: str) -> None:
        if port not in INTERFACES:
            raise MethodError("NoSuchDev")


def team(*ports: str, up: bool = True, active: str = "", carrier: bool = True) -> TeamSnapshot:
    """A team of these ports, of which each is up, or none."""
    link = Link(1, "team0", bytes(6), bytes(6), up=True, carrier=carrier)
    members = (replace(link, ifindex=index, name=name) for index, name in enumerate(ports, 2))
    return TeamSnapshot(
        ifindex=1,
        link=link,
        runner_name="activebackup",
        mode="activebackup",
        ports=tuple(PortSnapshot(member, up, ()) for member in members),
        runner={"active_port": active},
    )


def _dump(value: object) -> str:
    return json.dumps(value, indent=4, sort_keys=True)
