"""The clients over D-Bus: one for asyncio, one that waits. Also for a daemon of the original.

    with dbus.Client("team0") as team:
        print(team.state_item_get("runner.active_port"))

Users may ask, only root may change anything (see docs/teamd.md).
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Coroutine
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.validators import is_bus_name_valid

from pyteam.client.errors import ClientError, ConnectError, number
from pyteam.client.methods import Methods
from pyteam.client.usock import TIMEOUT
from pyteam.control.dbus_object import INTERFACE, PATH, bus_name, error_code, read_signal
from pyteam.control.events import Event
from pyteam.control.methods import METHODS

_BUS: Final = "org.freedesktop.DBus"
_BUS_PATH: Final = "/org/freedesktop/DBus"
#: Errors of the bus itself that have an errno; any other is EINVAL.
_ERRNO: Final = {
    "ServiceUnknown": errno.ENOENT,
    "NameHasNoOwner": errno.ENOENT,
    "AccessDenied": errno.EACCES,
    "NoReply": errno.ETIMEDOUT,
    "Timeout": errno.ETIMEDOUT,
    "Disconnected": errno.ECONNRESET,
}


class AsyncClient(Methods[Coroutine[Any, Any, str], Coroutine[Any, Any, None]]):
    """As `pyteam.client.aio.AsyncClient`, over the system bus."""

    def __init__(self, device: str, timeout: float = TIMEOUT) -> None:
        self.device = device
        self.name = bus_name(device)
        self._timeout = timeout
        self._bus: MessageBus | None = None
        self._ended: asyncio.Future[None]

    async def connect(self) -> None:
        """Raises `ConnectError` where there is no bus, or nobody of that name on it."""
        if not is_bus_name_valid(self.name):
            raise ConnectError(errno.EINVAL, self.name)
        where = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "system bus"
        try:
            async with asyncio.timeout(self._timeout):
                self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
            # Or asyncio complains of an end that nobody asked about.
            self._ended = asyncio.ensure_future(_ended(self._bus))
        except Exception as error:
            raise ConnectError(number(error), where) from error
        try:
            await self._bus_call("GetNameOwner", self.name)
        except ClientError as error:
            await self.close()
            raise ConnectError(error.errno or errno.ENOENT, f"{where}: {self.name}") from error

    async def __aenter__(self) -> AsyncClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; closing twice is fine."""
        bus, self._bus = self._bus, None
        if bus is not None:
            if bus.connected:
                bus.disconnect()
            await asyncio.shield(self._ended)

    async def events(self) -> AsyncEvents:
        """What changes from now on, told as it happens, over a connection of its own."""
        client = AsyncClient(self.device, self._timeout)
        await client.connect()
        try:
            assert client._bus is not None
            events = AsyncEvents(client, client._bus, client._ended)
            for rule in (
                f"type='signal',sender='{self.name}',path='{PATH}',interface='{INTERFACE}'",
                f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{self.name}'",
            ):
                await client._bus_call("AddMatch", rule)
        except BaseException:
            await client.close()
            raise
        return events

    async def _do(self, name: str, *arguments: str) -> None:
        await self._call(self.name, PATH, INTERFACE, name, *arguments)

    async def _ask(self, name: str, *arguments: str) -> str:
        body = await self._call(self.name, PATH, INTERFACE, name, *arguments)
        if METHODS[name].returns and not (body and isinstance(body[0], str)):
            raise ClientError(errno.EBADMSG, f"{self.name}: {name}")
        return body[0] if body else ""

    async def _bus_call(self, name: str, *arguments: str) -> None:
        await self._call(_BUS, _BUS_PATH, _BUS, name, *arguments)

    async def _call(self, to: str, path: str, interface: str, name: str, *arguments: str) -> list[Any]:
        what = f"{self.name}: {name}"
        if self._bus is None or not self._bus.connected:
            raise ClientError(errno.ENOTCONN, what)
        request = Message(
            destination=to,
            path=path,
            interface=interface,
            member=name,
            signature="s" * len(arguments),
            body=list(arguments),
        )
        try:
            async with asyncio.timeout(self._timeout):
                reply = await self._bus.call(request)
        except Exception as error:
            raise ClientError(number(error), what) from error
        if reply is None:
            raise ClientError(errno.ECONNRESET, what)
        if reply.message_type is MessageType.ERROR:
            raise _refused(what, reply)
        return list(reply.body)


class AsyncEvents:
    """Endless: raises `ClientError` when the daemon, or the bus, ends."""

    def __init__(self, client: AsyncClient, bus: MessageBus, ended: asyncio.Future[None]) -> None:
        self._client = client
        #: None: the daemon has ended.
        self._told: asyncio.Queue[Event | None] = asyncio.Queue()
        bus.add_message_handler(self._receive)
        ended.add_done_callback(lambda _: self._told.put_nowait(None))

    async def close(self) -> None:
        """Hear of nothing any more."""
        await self._client.close()

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Event:
        event = await self._told.get()
        if event is None:
            await self.close()
            raise ClientError(errno.ECONNRESET, f"{self._client.name}: events")
        return event

    def _receive(self, message: Message) -> bool:
        if message.message_type is not MessageType.SIGNAL:
            return False
        if message.member == "NameOwnerChanged" and message.sender == _BUS:
            self._told.put_nowait(None)
        elif (event := read_signal(message)) is not None:
            self._told.put_nowait(event)
        return False


class Client(Methods[str, None]):
    """As `pyteam.client.Client`, over the system bus. Not for use inside an event loop."""

    def __init__(self, device: str, timeout: float = TIMEOUT) -> None:
        self.device = device
        self._runner = asyncio.Runner()
        self._client = AsyncClient(device, timeout)
        try:
            self._runner.run(self._client.connect())
        except BaseException:
            self._runner.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        if self._client._bus is not None:
            self._runner.run(self._client.close())
        self._runner.close()

    def events(self) -> Events:
        """What changes from now on, told as it happens."""
        return Events(self._runner, self._runner.run(self._client.events()))

    def _do(self, name: str, *arguments: str) -> None:
        self._runner.run(self._client._do(name, *arguments))

    def _ask(self, name: str, *arguments: str) -> str:
        return self._runner.run(self._client._ask(name, *arguments))


class Events:
    """As `AsyncEvents`; lives no longer than its client."""

    def __init__(self, runner: asyncio.Runner, events: AsyncEvents) -> None:
        self._runner = runner
        self._events = events

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hear of nothing any more."""
        self._runner.run(self._events.close())

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        return self._runner.run(self._next())

    async def _next(self) -> Event:
        return await self._events.__anext__()


async def _ended(bus: MessageBus) -> None:
    try:
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    except Exception:
        return


def _refused(what: str, reply: Message) -> ClientError:
    raw = reply.error_name or ""
    text = str(reply.body[0]) if reply.body else ""
    if code := error_code(raw):
        return ClientError(errno.EINVAL, what, code, text, raw)
    return ClientError(_ERRNO.get(raw.rpartition(".")[2], errno.EINVAL), what, raw, text, raw)
