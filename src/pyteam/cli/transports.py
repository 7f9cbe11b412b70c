"""How teamdctl reaches a daemon: its transports, and what it says of each when something fails.

The texts are those of the original's library, which scripts look for. What D-Bus and ZeroMQ need is
imported only when one of them is used: it takes longer than all the rest of a run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pyteam.cli.terminal import Failure
from pyteam.client import Client, ClientError, ConnectError

if TYPE_CHECKING:
    from pyteam.client import dbus, zmq

Daemon: TypeAlias = "Client | dbus.Client | zmq.Client"


class Place(NamedTuple):
    """Where a daemon is to be found."""

    device: str
    run_dir: str | None
    zmq_address: str


class Transport(NamedTuple):
    """One row. The last three are functions of the original's library, whose messages name them."""

    #: The option that forces it.
    letter: str
    name: str
    title: str
    open: Callable[[Place], Daemon]
    at_start: str
    in_a_call: str
    at_an_error: str


def _usock(place: Place) -> Daemon:
    return Client(place.device, place.run_dir)


def _dbus(place: Place) -> Daemon:
    from pyteam.client import dbus

    return dbus.Client(place.device)


def _zmq(place: Place) -> Daemon:
    from pyteam.client import zmq

    return zmq.Client(place.device, place.zmq_address)


USOCK: Final = Transport(
    "U", "usock", "UNIX socket", _usock, "cli_usock_init", "cli_usock_method_call", "cli_usock_process_msg"
)
DBUS: Final = Transport(
    "D", "dbus", "D-Bus", _dbus, "cli_dbus_init", "cli_dbus_method_call", "cli_dbus_check_error_msg"
)
ZMQ: Final = Transport(
    "Z", "zmq", "ZeroMQ", _zmq, "cli_zmq_init", "cli_zmq_method_call", "cli_zmq_process_msg"
)
TRANSPORTS: Final = {transport.letter: transport for transport in (USOCK, DBUS, ZMQ)}


def connect(place: Place, forced: str) -> tuple[Daemon, Transport]:
    """By the transport of this letter; without one by the unix socket, else by D-Bus.

    Raises `Failure`, its reasons being told.
    """
    if forced:
        transport = TRANSPORTS[forced]
        return _open(transport, place), transport
    try:
        return USOCK.open(place), USOCK
    except ConnectError as error:
        try:
            return DBUS.open(place), DBUS
        except (ImportError, ClientError):
            # It was but a second thought: what is missing is the socket.
            raise _unreachable(USOCK, error) from error


def explain(transport: Transport, error: ClientError) -> None:
    """Tell why a call failed."""
    if error.code:
        _library(transport.at_an_error, f'{transport.name}: Error message received: "{error.raw}"')
        _library(transport.at_an_error, f'{transport.name}: Error message content: "{error.text}"')
    else:
        _library(transport.in_a_call, f"{transport.name}: {error}")


def _open(transport: Transport, place: Place) -> Daemon:
    try:
        return transport.open(place)
    except ImportError as error:
        # Which one is missing says the module's name.
        package = {"dbus_fast": "dbus-fast", "zmq": "pyzmq"}.get((error.name or "").partition(".")[0])
        if package is None:
            raise
        raise Failure(
            f"{transport.title} support is not installed: no Python package {package} (pip install {package})"
        ) from error
    except ConnectError as error:
        raise _unreachable(transport, error) from error


def _unreachable(transport: Transport, error: ConnectError) -> Failure:
    what = "socket" if transport is USOCK else "to"
    _library(transport.at_start, f"{transport.name}: Failed to connect {what} ({error.path}).")
    _library("teamdctl_connect", f'Failed to connect using CLI "{transport.name}".')
    return Failure(f"teamdctl_connect failed ({os.strerror(error.errno or 0)})")


def _library(function: str, message: str) -> None:
    print(f"libteamdctl: {function}: {message}", file=sys.stderr)
