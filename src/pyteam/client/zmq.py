"""The client that waits, over ZeroMQ. Needs the package pyzmq."""

from __future__ import annotations

import errno

import zmq

from pyteam.client.errors import ClientError, ConnectError, number
from pyteam.client.methods import Methods
from pyteam.client.usock import TIMEOUT
from pyteam.control.core import MethodError
from pyteam.control.methods import METHODS
from pyteam.control.protocol import ProtocolError, decode_reply, encode_request


class Client(Methods[str, None]):
    """As `pyteam.client.Client`, of the daemon that is bound to ``address``; ``device`` is for messages.

    Nobody need be there yet: that turns out with the first question, after ``timeout`` seconds.
    """

    def __init__(self, device: str, address: str, timeout: float = TIMEOUT) -> None:
        self.device = device
        self.address = address
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.linger = 0
        self._socket.sndtimeo = self._socket.rcvtimeo = int(timeout * 1000)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise ConnectError(error.errno or errno.EINVAL, address) from error

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; closing twice is fine."""
        self._socket.close()
        self._context.term()

    def _do(self, name: str, *arguments: str) -> None:
        self._ask(name, *arguments)

    def _ask(self, name: str, *arguments: str) -> str:
        what = f"{self.address}: {name}"
        try:
            request = encode_request(METHODS[name], arguments, escapes=False)
        except ProtocolError as error:
            raise ClientError(errno.EINVAL, str(error)) from error
        try:
            self._socket.send(request)
            return decode_reply(self._socket.recv())
        except MethodError as error:
            raise ClientError(errno.EINVAL, f"{self.device}: {name}", error.code, error.text) from error
        except zmq.Again as error:
            # A REQ socket that was not answered asks nothing more.
            self.close()
            raise ClientError(errno.ETIMEDOUT, what) from error
        except zmq.ZMQError as error:
            self.close()
            raise ClientError(error.errno or errno.EIO, what) from error
        except ProtocolError as error:
            self.close()
            raise ClientError(number(error), what) from error
