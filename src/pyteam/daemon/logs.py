"""Where log lines go: bare to a terminal, with an identity to syslog.

Owns the handlers of the root logger. Must not know who logs what.
"""

from __future__ import annotations

import logging
import sys
import syslog
from contextvars import ContextVar
from typing import Final

_PRIORITY: Final = {
    logging.DEBUG: syslog.LOG_DEBUG,
    logging.INFO: syslog.LOG_INFO,
    logging.WARNING: syslog.LOG_WARNING,
    logging.ERROR: syslog.LOG_ERR,
    logging.CRITICAL: syslog.LOG_CRIT,
}


#: The team that is at work, where one process has many.
team: Final[ContextVar[str]] = ContextVar("team", default="")


class Named(logging.Formatter):
    """Puts the name of the team, if there are many, in front."""

    def format(self, record: logging.LogRecord) -> str:
        name = team.get()
        return f"{name}: {super().format(record)}" if name else super().format(record)


class _Syslog(logging.Handler):
    """Facility daemon; a record, be it of several lines, is one message."""

    def __init__(self, identity: str) -> None:
        super().__init__()
        self._program = identity
        self._identity = ""

    def emit(self, record: logging.LogRecord) -> None:
        name = team.get()
        identity = f"{self._program}_{name}" if name else self._program
        if identity != self._identity:
            self._identity = identity
            syslog.openlog(identity, syslog.LOG_PID, syslog.LOG_DAEMON)
        syslog.syslog(_PRIORITY.get(record.levelno, syslog.LOG_INFO), self.format(record))


def start(output: str, identity: str, debug_level: int = 0) -> None:
    """Send everything that is logged to ``output``: stdout, stderr or syslog."""
    handler: logging.Handler
    if output == "syslog":
        handler = _Syslog(identity)
    else:
        handler = logging.StreamHandler(sys.stdout if output == "stdout" else sys.stderr)
        handler.setFormatter(Named())
    logging.getLogger().handlers[:] = [handler]
    set_debug_level(debug_level)


def set_debug_level(level: int) -> None:
    """0: errors, warnings and information; more: all. asyncio's own trace is nobody's business."""
    logging.getLogger().setLevel(logging.DEBUG if level else logging.INFO)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
