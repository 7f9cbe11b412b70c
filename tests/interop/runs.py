"""Stories side by side, each in a process of its own: nearly all that they do is wait for timers.

Results come back as lines of JSON, one a row.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.interop.columns import Column, title
from tests.interop.document import PROPERTY
from tests.interop.partner import Partner
from tests.interop.stories import STORIES, Row, Story
from tests.interop.trial import Pace, Trial, trial
from tests.lab.sidebyside import RUN_DIR, Daemon, fork

#: Seconds between two looks at results.
PAUSE: Final = 0.1
#: Seconds that a row has to have its outcome, once its story has begun.
LONGEST: Final = 280.0
_CLONE_NEWNS: Final = 0x00020000
_PRIVATE: Final = 0x44000  # MS_REC | MS_PRIVATE


@dataclass(frozen=True)
class Case:
    """A row with a partner on a datapath."""

    story: Story
    row: Row
    partner: type[Partner]
    datapath: str

    @property
    def name(self) -> str:
        return f"{self.partner.__name__.lower()}-{self.datapath}-{self.row.do.__name__}"

    @property
    def column(self) -> str:
        return title((self.partner, self.datapath))


@dataclass(frozen=True)
class Result:
    """``note``: what was measured, or what went wrong."""

    row: str
    passed: bool
    note: str


def cases(columns: Sequence[Column], every: bool) -> list[Case]:
    """The rows of the table, story by story, so that none is waited for longer than need be.

    ``every`` False: the first story with every partner once and every datapath once, each other one with one
    column, in turn; no long one.
    """
    return [
        Case(story, row, partner, datapath)
        for number, story in enumerate(STORIES)
        for place, (partner, datapath) in enumerate(columns)
        if every or (place in (0, 3) if not number else number % len(columns) == place and not story.long)
        for row in story.rows
    ]


def selected(request: pytest.FixtureRequest) -> list[Case]:
    """The cases of a module that are going to be asked for."""
    items = [item for item in request.session.items if item.path == request.path]
    return [item.callspec.params["case"] for item in items if isinstance(item, pytest.Function)]  # type: ignore[misc]


class Runs:
    """Of the stories that some cases need; at most ``most`` at a time."""

    def __init__(self, needed: Iterable[Case], directory: Path, most: int, pace: Pace) -> None:
        self._queue = list(dict.fromkeys((case.story, case.partner, case.datapath) for case in needed))
        self._directory = directory
        self._most = most
        self._pace = pace
        self._begun: dict[tuple[Story, type[Partner], str], tuple[Daemon, Path]] = {}

    def result(self, case: Case) -> Result:
        """Waits for it."""
        key = case.story, case.partner, case.datapath
        deadline = time.monotonic() + LONGEST
        while True:
            self._begin()
            if key in self._begun:
                process, directory = self._begun[key]
                over = process.over()
                for found in _read(directory):
                    if found.row == case.row.title:
                        return found
                assert not over, f"the story ended before this row:\n{process.log}"
            assert time.monotonic() < deadline, f"no outcome within {LONGEST:g} s"
            time.sleep(PAUSE)

    def check(self, case: Case, record_property: Callable[[str, object], None]) -> None:
        """A test of one row; its cell of the table goes with the report."""
        found = self.result(case)
        record_property(PROPERTY, [case.row.title, case.column, found.note or "yes"])
        if not found.passed:
            pytest.fail(found.note, pytrace=False)

    def _begin(self) -> None:
        running = sum(not process.over() for process, _ in self._begun.values())
        while self._queue and running < self._most:
            key = story, partner, datapath = self._queue.pop(0)
            directory = self._directory / f"{partner.__name__}-{datapath}-{story.name.replace(' ', '-')}"
            directory.mkdir()
            process = fork(_process(story, partner, datapath, directory, self._pace), directory / "log")
            self._begun[key] = process, directory
            running += 1

    def close(self) -> None:
        for process, _ in self._begun.values():
            if not process.over():
                process.end()


def _read(directory: Path) -> list[Result]:
    path = directory / "results"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [Result(**json.loads(line)) for line in lines if line.endswith("\n")]


def _process(
    story: Story, partner: type[Partner], datapath: str, directory: Path, pace: Pace
) -> Callable[[], int]:
    def work() -> int:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _own_run_directory()
        with trial(directory, datapath, partner, story.cables, story.others, pace) as made:
            _tell(story, made, directory / "results")
        return 0

    return work


def _own_run_directory() -> None:
    """The original can look nowhere else."""
    libc = ctypes.CDLL(None, use_errno=True)
    RUN_DIR.mkdir(exist_ok=True)
    steps = (
        libc.unshare(_CLONE_NEWNS),
        libc.mount(b"none", b"/", None, ctypes.c_ulong(_PRIVATE), None),
        libc.mount(b"tmpfs", bytes(RUN_DIR), b"tmpfs", ctypes.c_ulong(0), None),
    )
    assert not any(steps), os.strerror(ctypes.get_errno())


def _tell(story: Story, made: Trial, path: Path) -> None:
    broken = ""
    for row in story.rows:
        reason = made.theirs.cannot.get(row.do.__name__, "")
        if broken or reason:
            found = Result(row.title, not broken, f"not tried: {broken}" if broken else reason)
        else:
            found = _try(row, made)
            if not found.passed:
                broken = f"{row.title}: failed" if row is story.rows[0] else _recover(made)
        with path.open("a") as file:
            file.write(json.dumps(asdict(found)) + "\n")


def _try(row: Row, made: Trial) -> Result:
    try:
        return Result(row.title, True, row.do(made))
    except Exception:
        logs = "\n".join(daemon.log for daemon in made.ours.daemons)
        return Result(row.title, False, f"{traceback.format_exc()}\n{logs}")


def _recover(made: Trial) -> str:
    """What the next rows expect; or why they cannot have it."""
    try:
        for cable in made.cables:
            made.mend(cable, made.ours.end)
            made.mend(cable, made.theirs.end)
        made.forms()
    except Exception as error:
        return str(error)
    return ""
