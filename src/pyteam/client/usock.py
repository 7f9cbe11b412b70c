"""The client that waits, over the control socket. The standard library only: ``teamdctl`` lives on it."""

from __future__ import annotations

import errno
import socket
from typing import Final

from pyteam.client.errors import ClientError, ConnectError, number
from pyteam.client.methods import Methods
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

#: Seconds that a connection or an answer may take.
TIMEOUT: Final = 5.0
#: Bytes of one answer.
MAX_REPLY: Final = 4 * 1024 * 1024


class Client(Methods[str, None]):
    """A connection to the daemon of the team ``device``; every call may raise `ClientError`.

    ``run_dir`` None: ``TEAMD_RUN_DIR``, else ``/var/run/teamd``. ``timeout`` is in seconds. After
    an error that is not teamd's own answer the connection is closed.
    """

    def __init__(self, device: str, run_dir: str | None = None, timeout: float = TIMEOUT) -> None:
        self.device = device
        self.path = socket_path(device, run_dir)
        self._run_dir = run_dir
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(self.path)
        except (OSError, ValueError) as error:
            self.close()
            raise ConnectError(number(error), self.path) from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        self._socket.close()

    def events(self) -> Events:
        """What changes from now on, told as it happens, over a connection of its own."""
        return Events(Client(self.device, self._run_dir, self._timeout))

    def _do(self, name: str, *arguments: str) -> None:
        self._ask(name, *arguments)

    def _ask(self, name: str, *arguments: str) -> str:
        try:
            request = encode_request(METHODS[name], arguments)
        except ProtocolError as error:
            raise ClientError(errno.EINVAL, str(error)) from error
        try:
            return decode_reply(self._exchange(request))
        except MethodError as error:
            raise ClientError(errno.EINVAL, f"{self.device}: {name}", error.code, error.text) from error
        except (OSError, ProtocolError) as error:
            # A late answer would be taken for that of the next request.
            self.close()
            raise ClientError(number(error), f"{self.path}: {name}") from error
        except BaseException:
            self.close()
            raise

    def _exchange(self, request: bytes) -> bytes:
        if len(request) > self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(request))
        self._socket.send(request)
        return self._receive()

    def _receive(self) -> bytes:
        packet, _, flags, _ = self._socket.recvmsg(MAX_REPLY)
        if not packet:
            raise ConnectionResetError(errno.ECONNRESET, "teamd hung up")
        if flags & socket.MSG_TRUNC:
            raise OSError(errno.EMSGSIZE, "answer too long")
        return packet

    def _next_event(self) -> Event:
        """Wait for it, for ever."""
        self._socket.settimeout(None)
        try:
            while (event := decode_event(self._receive())) is None:
                pass
        except (OSError, ProtocolError) as error:
            self.close()
            raise ClientError(number(error), f"{self.path}: events") from error
        return event


class Events:
    """Endless: raises `ClientError` when the daemon ends, or drops who does not keep up."""

    def __init__(self, client: Client) -> None:
        self._client = client
        try:
            client._do("Subscribe")
        except BaseException:
            client.close()
            raise

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hear of nothing any more."""
        self._client.close()

    def __iter__(self) -> Events:
        return self

    def __next__(self) -> Event:
        return self._client._next_event()
