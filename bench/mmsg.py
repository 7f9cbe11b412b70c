"""sendmmsg(2) and recvmmsg(2): many datagrams a system call, with the kernel's time of arrival.

A thin ctypes binding over two preallocated rings. Knows nothing of sequence numbers or of pace; every
datagram is a row of 64-bit words in host order.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from array import array
from typing import Final

SO_TIMESTAMPNS: Final = 35
#: One SCM_TIMESTAMPNS message: header (16 bytes), struct timespec (16 bytes).
CONTROL_WORDS: Final = 4
#: struct sk_meminfo: nine u32, the drops of this socket last (linux/sock_diag.h).
SO_MEMINFO: Final = 55


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


_libc = ctypes.CDLL(None, use_errno=True)


class Ring:
    """``rows`` datagrams of ``words`` 64-bit words each, ready for the kernel."""

    def __init__(self, rows: int, words: int, control_words: int = 0) -> None:
        self.rows = rows
        self.words = words
        self._payload = (ctypes.c_uint64 * (rows * words))()
        self._control = (ctypes.c_uint64 * (rows * control_words))() if control_words else None
        self._iovecs = (_Iovec * rows)()
        self._headers = (_Mmsghdr * rows)()
        for row in range(rows):
            self._iovecs[row].base = ctypes.addressof(self._payload) + row * words * 8
            self._iovecs[row].length = words * 8
            header = self._headers[row].header
            header.iov = ctypes.addressof(self._iovecs[row])
            header.iovlen = 1
            if self._control is not None:
                header.control = ctypes.addressof(self._control) + row * control_words * 8
                header.controllen = control_words * 8
        self._pristine = bytes(self._headers)
        self._words = memoryview(self._payload).cast("B").cast("Q")
        self._stamps = None if self._control is None else memoryview(self._control).cast("B").cast("q")

    def number(self, first: int, count: int) -> None:
        """Write ``first``, ``first + 1``, ... into the first word of the first ``count`` rows."""
        self._words[0 : count * self.words : self.words] = memoryview(array("Q", range(first, first + count)))

    def numbers(self, count: int) -> list[int]:
        """The first word of each of the first ``count`` rows."""
        return self._words[0 : count * self.words : self.words].tolist()

    def stamps(self, count: int) -> list[int]:
        """When the first ``count`` datagrams arrived: ns, CLOCK_REALTIME. Needs control words."""
        assert self._stamps is not None, "a ring without control words has no time of arrival"
        seconds = self._stamps[2 : count * CONTROL_WORDS : CONTROL_WORDS].tolist()
        nanos = self._stamps[3 : count * CONTROL_WORDS : CONTROL_WORDS].tolist()
        return [s * 1_000_000_000 + n for s, n in zip(seconds, nanos, strict=True)]

    def send(self, sock: socket.socket, count: int) -> int:
        """Send ``count`` rows over a connected socket; return how many of them the kernel refused."""
        done = refused = 0
        while done < count:
            sent = _libc.sendmmsg(
                sock.fileno(),
                ctypes.byref(self._headers, done * ctypes.sizeof(_Mmsghdr)),
                ctypes.c_uint(count - done),
                ctypes.c_int(0),
            )
            if sent < 0:
                if ctypes.get_errno() == errno.EINTR:
                    continue
                # A cable that is down answers with an error: that packet is lost, the next one is tried.
                refused += 1
                sent = 1
            done += sent
        return refused

    def receive(self, sock: socket.socket, flags: int) -> int:
        """Receive up to ``rows`` datagrams; return how many there were, 0 when none waits."""
        # The kernel shortens controllen to what it wrote.
        ctypes.memmove(self._headers, self._pristine, len(self._pristine))
        count: int = _libc.recvmmsg(
            sock.fileno(), self._headers, ctypes.c_uint(self.rows), ctypes.c_int(flags), None
        )
        if count >= 0:
            return count
        error = ctypes.get_errno()
        if error in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
            return 0
        raise OSError(error, os.strerror(error))


def drops(sock: socket.socket) -> int:
    """Datagrams that the kernel dropped at this socket because nobody fetched them in time."""
    return array("I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8]
