"""What other processes tell a daemon by signal: to stop, and to read its configuration again.

Blocked from `block` on, except while somebody is `listening`: nothing is to be left half-made.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final

#: To end and leave everything as it is, for a successor that goes on with it.
_SUCCEEDED: Final = signal.SIGUSR1
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, _SUCCEEDED)


def block() -> None:
    """What comes from now on waits until somebody listens."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ENDING, signal.SIGHUP})


@contextmanager
def listening(stop: Callable[[bool], None], reload: Callable[[], None]) -> Iterator[None]:
    """In the running loop: ``stop`` is called once, ``reload`` once for all that came since the last.

    ``stop`` is told whether a successor goes on with everything as it is.
    """
    loop = asyncio.get_running_loop()
    # A signal comes in the middle of whatever is done, which may be one team's business.
    context = copy_context()
    due = over = False

    def told_to_stop(number: int, _frame: object) -> None:
        nonlocal over
        # Once is enough. With the loop's own handlers, who goes on telling it keeps it from listening.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        if not over:
            over = True
            loop.call_soon_threadsafe(stop, number == _SUCCEEDED, context=context)

    def told_to_reload(_number: int, _frame: object) -> None:
        nonlocal due
        if not due:
            due = True
            loop.call_soon_threadsafe(answer, context=context)

    def answer() -> None:
        nonlocal due
        due = False
        reload()

    for number in _ENDING:
        signal.signal(number, told_to_stop)
    signal.signal(signal.SIGHUP, told_to_reload)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        yield
    finally:
        # The loop is about to close, and the pid file is still there.
        block()
