"""Network namespaces without a name: gone as soon as the last descriptor of them is closed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CLONE_NEWNET: Final = 0x40000000
THIS_NAMESPACE: Final = "/proc/thread-self/ns/net"

_libc: Final = ctypes.CDLL(None, use_errno=True)


@contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Run in the namespace of a file descriptor; only this thread does."""
    before = os.open(THIS_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(namespace, CLONE_NEWNET))
        yield
    finally:
        _check(_libc.setns(before, CLONE_NEWNET))
        os.close(before)


@contextmanager
def namespace() -> Iterator[int]:
    """A new network namespace, as a file descriptor. This thread stays where it is."""
    before = os.open(THIS_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(CLONE_NEWNET))
        made = os.open(THIS_NAMESPACE, os.O_RDONLY | os.O_CLOEXEC)
        _check(_libc.setns(before, CLONE_NEWNET))
    finally:
        os.close(before)
    try:
        yield made
    finally:
        os.close(made)


def _check(result: int) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
