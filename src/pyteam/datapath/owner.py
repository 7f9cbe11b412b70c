"""One owner at a time: a lock that its holder cannot forget, since it dies with the process.

An abstract unix socket belongs to the network namespace, as the team device does, and not to a
directory; nothing is left of it after kill -9.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct

from pyteam.datapath.interface import DatapathError


class Ownership:
    """Held from its making until `release`. EBUSY, naming the process, when somebody else has it."""

    def __init__(self, team: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        name = f"\0pyteam/{team}"
        try:
            self._socket.bind(name)
            # Never accepted: each who asks for the holder stays in the queue.
            self._socket.listen(socket.SOMAXCONN)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise DatapathError(error.errno or errno.EIO, f"cannot lock the team {team}") from error
            raise DatapathError(
                errno.EBUSY, f"{team} belongs to process {_holder(name)}: stop it first"
            ) from None

    def release(self) -> None:
        self._socket.close()


def _holder(name: str) -> str:
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe,
    ):
        probe.setblocking(False)
        probe.connect(name)
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return str(struct.unpack("3i", credentials)[0])
    return "(unknown)"
