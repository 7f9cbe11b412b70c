"""A netlink socket for requests: sends one, waits for its answer, turns refusals into `NetlinkError`.

Owns sequence numbers, acknowledgements, dumps and their repetition. Must not know a family's
messages: `rtnl` and the generic netlink families sit on top.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from types import TracebackType
from typing import Final, Self

from pyteam.errors import PyteamError
from pyteam.netlink import message as nl

SOL_NETLINK: Final = 270
NETLINK_CAP_ACK: Final = 10
NETLINK_EXT_ACK: Final = 11
NETLINK_GET_STRICT_CHK: Final = 12
SO_RCVBUFFORCE: Final = 33

#: The kernel builds dumps in buffers of at most 32 KiB; a single answer may be larger.
RECEIVE_SIZE: Final = 1 << 17
#: A dump of a busy namespace is interrupted by every change; so many tries before its last result
#: is an error.
DUMP_TRIES: Final = 20


class NetlinkError(PyteamError, OSError):
    """The kernel refused, or did not answer: ``errno`` is its own, ``reason`` its text if it gave one."""

    def __init__(self, code: int, what: str, reason: str = "") -> None:
        super().__init__(code, what)
        self.reason = reason

    def __str__(self) -> str:
        why = os.strerror(self.errno or 0)
        return f"{self.strerror}: {self.reason} ({why})" if self.reason else f"{self.strerror}: {why}"


def enlarge(listening: socket.socket, size: int) -> None:
    """Give a socket a receive buffer of ``size`` bytes, or what may be had."""
    try:
        listening.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except PermissionError:
        # Without CAP_NET_ADMIN net.core.rmem_max is the limit; overruns are survived anyway.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


class Transport:
    """One blocking socket of one netlink protocol; belongs to the network namespace it was made in.

    ``timeout`` in seconds guards every wait for an answer (ETIMEDOUT). ``buffer``: bytes that may wait
    to be read; 0 leaves the kernel's default, enough for answers that wait for their reader. Not for
    several threads.
    """

    def __init__(self, protocol: int, *, timeout: float = 5.0, buffer: int = 0) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        try:
            self._socket.bind((0, 0))
            self._socket.settimeout(timeout)
            if buffer:
                enlarge(self._socket, buffer)
            for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK):
                # Kernels before 4.20 lack some of them: only the error texts get poorer.
                with contextlib.suppress(OSError):
                    self._socket.setsockopt(SOL_NETLINK, option, 1)
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def request(self, kind: int, payload: bytes, *, flags: int = 0, what: str) -> list[nl.Message]:
        """Send one request and wait for its acknowledgement; what came before it is returned.

        ``what`` begins the error's text: what was tried, on what.
        """
        answers, _ = self._exchange(kind, nl.NLM_F_ACK | flags, payload, what, ends_with_ack=True)
        return answers

    def dump(self, kind: int, payload: bytes, *, what: str) -> list[nl.Message]:
        """A consistent list: repeated while changes interrupt it. EINTR when that does not end."""
        for _ in range(DUMP_TRIES):
            answers, interrupted = self._exchange(kind, nl.NLM_F_DUMP, payload, what, ends_with_ack=False)
            if not interrupted:
                return answers
        raise NetlinkError(errno.EINTR, what, f"interrupted by changes {DUMP_TRIES} times in a row")

    def _exchange(
        self, kind: int, flags: int, payload: bytes, what: str, *, ends_with_ack: bool
    ) -> tuple[list[nl.Message], bool]:
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        try:
            self._socket.send(nl.pack(kind, nl.NLM_F_REQUEST | flags, self._sequence, payload))
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO, what) from error
        answers: list[nl.Message] = []
        interrupted = False
        while True:
            for message in nl.messages(self._receive(what)):
                if message.sequence != self._sequence:
                    # The late answer of a request that timed out.
                    continue
                interrupted = interrupted or bool(message.flags & nl.NLM_F_DUMP_INTR)
                if message.kind in (nl.NLMSG_ERROR, nl.NLMSG_DONE):
                    answer = nl.answer(message)
                    if answer.errno:
                        raise NetlinkError(answer.errno, what, answer.text)
                    if message.kind == nl.NLMSG_ERROR or not ends_with_ack:
                        return answers, interrupted
                elif message.kind != nl.NLMSG_NOOP:
                    answers.append(message)

    def _receive(self, what: str) -> bytes:
        """One datagram of the kernel's."""
        while True:
            try:
                data, _, flags, sender = self._socket.recvmsg(RECEIVE_SIZE)
            except TimeoutError as error:
                raise NetlinkError(errno.ETIMEDOUT, what, "the kernel did not answer") from error
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, what) from error
            if sender[0] != 0:
                # Another process may write to our port; only the kernel is believed.
                continue
            if flags & socket.MSG_TRUNC:
                raise NetlinkError(errno.EMSGSIZE, what, f"answer of more than {RECEIVE_SIZE} bytes")
            return data
