"""What every control transport needs from the daemon: its methods, no transport in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from pyteam.errors import PyteamError

if TYPE_CHECKING:
    # Not for teamdctl, which knows the daemon's errors only.
    from pyteam.engine.snapshot import TeamSnapshot

#: Called after a change with the team before and after it.
Listener: TypeAlias = "Callable[[TeamSnapshot, TeamSnapshot], None]"


class MethodError(PyteamError):
    """A method failed. ``code`` is one of the protocol's error codes (``NoSuchDev``, ...).

    ``text`` is the protocol's own sentence for that code unless a better one is given; clients
    show it, so it may name the port, the path and the reason.
    """

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code
        self.text = text


class Core(Protocol):
    """The running team, as control methods see it. Each raises `MethodError` on failure."""

    def port_config_update(self, port: str, config: str) -> None: ...

    def port_config_dump(self, port: str) -> str: ...

    def port_add(self, port: str) -> None: ...

    def port_remove(self, port: str) -> None: ...

    def config_dump(self) -> str: ...

    def config_dump_actual(self) -> str: ...

    def state_dump(self) -> str: ...

    def state_item_get(self, path: str) -> str: ...

    def state_item_set(self, path: str, value: str) -> None: ...

    def config_reload(self) -> str: ...

    def config_replace(self, config: str) -> str: ...

    def config_diff(self, config: str) -> str: ...

    def option_set(self, name: str, port: str, index: str, value: str) -> None: ...

    def snapshot(self) -> TeamSnapshot:
        """The team as it is now."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have every change told; the answer ends that."""
