"""What a client can run into. Knows no transport."""

from __future__ import annotations

import errno
import os

from pyteam.control.protocol import ProtocolError
from pyteam.errors import PyteamError


class ClientError(PyteamError, OSError):
    """No answer, or not the one hoped for; ``errno`` says why.

    Where teamd itself refused, ``errno`` is EINVAL, ``code`` the protocol's error code
    (``PathDoesNotExist``, ...) and ``text`` its sentence; else both are empty, or those of the bus.
    ``raw`` is the code as it was received.
    """

    def __init__(self, number: int, what: str, code: str = "", text: str = "", raw: str = "") -> None:
        super().__init__(number, what)
        self.what = what
        self.code = code
        self.text = text
        self.raw = raw or code

    def __str__(self) -> str:
        if self.code:
            return f"{self.what}: {self.code}: {self.text}"
        return f"{self.what}: {os.strerror(self.errno or 0)}"


class ConnectError(ClientError):
    """There is no daemon to talk to; ``path`` is the socket or address that was tried."""

    def __init__(self, number: int, path: str) -> None:
        super().__init__(number, path)
        self.path = path


def number(error: Exception) -> int:
    """An errno for every failure: some of Python's own come without one."""
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    if isinstance(error, ProtocolError):
        return errno.EBADMSG
    return getattr(error, "errno", None) or errno.ENAMETOOLONG
