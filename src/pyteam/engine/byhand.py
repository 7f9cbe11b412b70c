"""Options that users set by hand, beside the configuration: which are theirs to set, and what follows.

What the configuration gives (`settings`) is replaced, the active port is chosen. Everything else
that a team wants follows from decisions; it is put right, and must not be known here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyteam.engine.port import Port
from pyteam.engine.reconcile import ACTIVE_PORT
from pyteam.engine.runners.base import Runner
from pyteam.engine.settings import Settings
from pyteam.engine.wish import Wish
from pyteam.options import OptionKey, OptionValue


class ByHand:
    """``settings`` are the team's; ``ports`` by ifindex, as they come and go."""

    def __init__(self, settings: Settings, ports: Mapping[int, Port], runner: Runner) -> None:
        self._settings = settings
        self._ports = ports
        self._runner = runner
        self._active = Wish(runner.active)
        self._active.accept()

    def permits(self, key: OptionKey) -> bool:
        """Whether what a user sets stands, for as long as nothing new is configured or decided."""
        settings = self._settings_of(key)
        return key == ACTIVE_PORT or (settings is not None and settings.value(key.name) is not None)

    def see(self, now: float, key: OptionKey, value: OptionValue) -> bool:
        """News of an option, perhaps of our own doing: whether anything may follow from it."""
        if key == ACTIVE_PORT and self._active.see(int(value)) and self.activate(now, int(value)):
            self._active.accept()
            return True
        settings = self._settings_of(key)
        return settings is not None and settings.see(key.name, value)

    def choose(self, now: float, key: OptionKey, value: OptionValue) -> bool:
        """A user has set it, and nobody else."""
        if key == ACTIVE_PORT:
            return self.activate(now, int(value))
        settings = self._settings_of(key)
        return settings is not None and settings.choose(key.name, value)

    def activate(self, now: float, ifindex: int) -> bool:
        """The port is the active one, until the next decision. False: it cannot be."""
        port = self._ports.get(ifindex)
        return port is not None and bool(port.joined) and self._runner.choose(now, ifindex)

    def decided(self) -> None:
        """The runner may have changed its mind: news of that is no news."""
        if self._runner.active:
            self._active.want(self._runner.active)
        else:
            # Whoever is set from now on is somebody's choice, also the last one of ours.
            self._active.value = None

    def _settings_of(self, key: OptionKey) -> Settings | None:
        if not key.port:
            return self._settings
        port = self._ports.get(key.port)
        return port.settings if port is not None and port.joined else None
