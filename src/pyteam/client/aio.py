"""The client for asyncio, over the control socket.

async with AsyncClient("team0") as team:
    await team.port_add("eth0")
    async for event in await team.events():
        print(event)
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Coroutine
from typing import Any

from pyteam.client.errors import ClientError, ConnectError, number
from pyteam.client.methods import Methods
from pyteam.client.usock import MAX_REPLY, TIMEOUT
from pyteam.control.core import MethodError
from pyteam.control.events import Event
from pyteam.control.methods import METHODS
from pyteam.control.protocol import (
    ProtocolError,
    decode_event,
    decode_reply,
    encode_request,
    socket_path,
)


class AsyncClient(Methods[Coroutine[Any, Any, str], Coroutine[Any, Any, None]]):
    """As `pyteam.client.Client`; connects when it is entered, or told to. Calls may overlap."""

    def __init__(self, device: str, run_dir: str | None = None, timeout: float = TIMEOUT) -> None:
        self.device = device
        self.path = socket_path(device, run_dir)
        self._run_dir = run_dir
        self._timeout = timeout
        self._socket: socket.socket | None = None
        #: One question at a time: answers do not say what they answer.
        self._turn = asyncio.Lock()

    async def connect(self) -> None:
        """Raises `ConnectError`."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            async with asyncio.timeout(self._timeout):
                await asyncio.get_running_loop().sock_connect(connection, self.path)
        except (OSError, ValueError) as error:
            connection.close()
            raise ConnectError(number(error), self.path) from error
        except BaseException:
            connection.close()
            raise
        self._socket = connection

    async def __aenter__(self) -> AsyncClient:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def events(self) -> AsyncEvents:
        """What changes from now on, told as it happens, over a connection of its own."""
        client = AsyncClient(self.device, self._run_dir, self._timeout)
        await client.connect()
        try:
            await client._do("Subscribe")
        except BaseException:
            client.close()
            raise
        return AsyncEvents(client)

    async def _do(self, name: str, *arguments: str) -> None:
        await self._ask(name, *arguments)

    async def _ask(self, name: str, *arguments: str) -> str:
        try:
            request = encode_request(METHODS[name], arguments)
        except ProtocolError as error:
            raise ClientError(errno.EINVAL, str(error)) from error
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    return decode_reply(await self._exchange(request))
            except MethodError as error:
                raise ClientError(errno.EINVAL, f"{self.device}: {name}", error.code, error.text) from error
            except (OSError, ProtocolError) as error:
                # A late answer would be taken for that of the next request.
                self.close()
                raise ClientError(number(error), f"{self.path}: {name}") from error
            except BaseException:
                self.close()
                raise

    async def _exchange(self, request: bytes) -> bytes:
        connection = self._connection()
        if len(request) > connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(request))
        await asyncio.get_running_loop().sock_sendall(connection, request)
        return await self._receive()

    async def _receive(self) -> bytes:
        packet = await asyncio.get_running_loop().sock_recv(self._connection(), MAX_REPLY + 1)
        if not packet:
            raise ConnectionResetError(errno.ECONNRESET, "teamd hung up")
        if len(packet) > MAX_REPLY:
            raise OSError(errno.EMSGSIZE, "answer too long")
        return packet

    def _connection(self) -> socket.socket:
        if self._socket is None:
            raise OSError(errno.ENOTCONN, "not connected")
        return self._socket

    async def _next_event(self) -> Event:
        """Wait for it, for ever."""
        try:
            while (event := decode_event(await self._receive())) is None:
                pass
        except (OSError, ProtocolError) as error:
            self.close()
            raise ClientError(number(error), f"{self.path}: events") from error
        return event


class AsyncEvents:
    """Endless: raises `ClientError` when the daemon ends, or drops who does not keep up."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def close(self) -> None:
        """Hear of nothing any more."""
        self._client.close()

    def __aiter__(self) -> AsyncEvents:
        return self

    async def __anext__(self) -> Event:
        return await self._client._next_event()
