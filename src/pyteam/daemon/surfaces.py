"""The ways in to one team: those that the command line asks for, opened and closed together.

What a transport needs is imported only where it is asked for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pyteam.control.core import Core
from pyteam.control.usock import Server
from pyteam.daemon.arguments import Arguments

if TYPE_CHECKING:
    from pyteam.control import dbus, zmq


def require(arguments: Arguments, device: str) -> None:
    """Before anything is touched. Raises `BusError` for a name that no bus takes."""
    if arguments.dbus:
        from pyteam.control import dbus

        dbus.require(device)


class Surfaces:
    """Of the team ``device``. ``socket_file`` is where the control socket is to be."""

    def __init__(self, arguments: Arguments, device: str, socket_file: str, core: Core) -> None:
        self._usock = Server(socket_file, core, arguments.group) if arguments.usock else None
        self._zmq: zmq.Server | None = None
        self._dbus: dbus.Server | None = None
        if arguments.zmq is not None:
            from pyteam.control import zmq

            self._zmq = zmq.Server(arguments.zmq, core)
        if arguments.dbus:
            from pyteam.control import dbus

            self._dbus = dbus.Server(device, core)

    async def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whoever finds one of them finds a team that works; the bus name comes last.

        Raises what keeps one of them from being there.
        """
        if self._usock is not None:
            self._usock.start(loop)
        if self._zmq is not None:
            self._zmq.start(loop)
        if self._dbus is not None:
            await self._dbus.start()

    async def close(self) -> None:
        """Answer nobody any more. Whoever was not started needs no end."""
        if self._dbus is not None:
            await self._dbus.close()
        if self._zmq is not None:
            self._zmq.close()
        if self._usock is not None:
            self._usock.close()
