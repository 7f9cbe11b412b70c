"""The system's resolver, which may take half a minute, kept out of the way of everything else."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable
from contextvars import copy_context

from pyteam.engine.events import HostSeen
from pyteam.engine.linkwatch.hosts import Lookup

Later = Callable[[Callable[[], object]], object]


def look_up(lookup: Lookup, answer: Callable[[HostSeen], object], later: Later) -> None:
    """Ask, and return at once. ``later`` takes a call from any thread into the caller's own.

    The thread is no loop's executor: a daemon that ends waits for those.
    """

    def work() -> None:
        seen = _resolve(lookup)
        # The loop may have ended meanwhile: nobody wants to know any more.
        with contextlib.suppress(RuntimeError):
            later(lambda: answer(seen))

    # The answer is handled as what asked for it is: where many teams are at work, in the name of one.
    context = copy_context()
    thread = threading.Thread(target=context.run, args=(work,), name=f"look up {lookup.name}", daemon=True)
    # Signals are for the thread that listens to them.
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _resolve(lookup: Lookup) -> HostSeen:
    family = socket.AF_INET6 if lookup.ipv6 else socket.AF_INET
    try:
        found = socket.getaddrinfo(lookup.name, None, family, socket.SOCK_DGRAM)
        # An address may name its interface, which is the port here.
        text = str(found[0][4][0]).partition("%")[0]
        address = socket.inet_pton(family, text)
    except (OSError, UnicodeError) as error:
        return HostSeen(lookup, None, f"getaddrinfo failed: {getattr(error, 'strerror', None) or error}")
    return HostSeen(lookup, address)
