"""What the runner remembers, kept in a file beside the pid file for the daemon after this one.

A device that is taken over shows what it is, but not what was agreed with a partner. Must not know
what is remembered.
"""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path
from typing import Final, Protocol

from pyteam.datapath.kernel.memory import whereabouts
from pyteam.engine.snapshot import Memory
from pyteam.files import replace_text

log = logging.getLogger(__name__)

#: Seconds after a change, during which others may follow, until the file is written.
PATIENCE: Final = 0.2


class Keeper(Protocol):
    """Who keeps a memory between two daemons."""

    def load(self) -> Memory: ...

    def save(self, memory: Memory) -> None: ...


class MemoryFile:
    """Of the device with this index; another one's, or that of before a reboot, counts for nothing."""

    def __init__(self, path: Path, ifindex: int) -> None:
        self._path = path
        self._of = {"ifindex": ifindex, "where": whereabouts()}
        self._written: Memory = {}

    def load(self) -> Memory:
        """Nothing, where nothing fit for use was left; never raises for what is in the file."""
        try:
            document = json.loads(self._path.read_bytes())
            if {key: document[key] for key in self._of} == self._of:
                return dict(document["runner"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: cannot read what the daemon before has left: %s", self._path, error)
        return {}

    def save(self, memory: Memory) -> None:
        """Where that fails, the team works on, and a successor knows less."""
        if memory == self._written:
            return
        self._written = memory
        try:
            replace_text(self._path, json.dumps({**self._of, "runner": memory}))
        except OSError as error:
            log.warning("%s: cannot write for a daemon after this one: %s", self._path, error.strerror)

    def forget(self) -> None:
        """The device is no more."""
        with contextlib.suppress(OSError):
            self._path.unlink()
