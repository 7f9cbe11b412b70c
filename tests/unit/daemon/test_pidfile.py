"""The pid file: believed only when its process lives and is a teamd, and never half written."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyteam.daemon import pidfile
from pyteam.daemon.pidfile import PidFileError, RunningError

#: Says so when it is ready.
SLEEPER = "import signal, sys; print('ready', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team0.pid"


@contextmanager
def process(*words: str, code: str = SLEEPER) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process with these words as further arguments."""
    with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def namesake(tmp_path: Path, name: str) -> Iterator[int]:
    """A process whose program is called so."""
    program = tmp_path / name
    program.symlink_to(sys.executable)
    with subprocess.Popen([program, "-c", SLEEPER], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        try:
            yield child.pid
        finally:
            child.kill()


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as child:
        return child.pid


def test_no_file_no_daemon(path: Path) -> None:
    assert pidfile.running(str(path)) == 0


@pytest.mark.parametrize("name", ["teamd", "pyteam.cli.teamd"])
def test_a_living_teamd_is_believed(path: Path, tmp_path: Path, name: str) -> None:
    with namesake(tmp_path, name) as pid:
        path.write_text(f"{pid}\n")
        assert pidfile.running(str(path)) == pid
        with pytest.raises(RunningError, match=f"^Daemon already running on PID {pid}\\.$"):
            pidfile.write(str(path))
        assert path.read_text() == f"{pid}\n"
        assert sorted(os.listdir(tmp_path)) == sorted([name, path.name])


def test_a_dead_process_is_forgotten_with_the_originals_words(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid = dead_pid()
    path.write_text(f"{pid}\n")
    with caplog.at_level(logging.INFO):
        assert pidfile.running(str(path)) == 0
    assert caplog.messages == [f"Process {pid} died: No such process; trying to remove PID file. ({path})"]
    assert not path.exists()


def test_another_program_with_that_number_is_no_daemon(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with process("/etc/teamd.conf", "teamdctl") as other, caplog.at_level(logging.INFO):
        path.write_text(f"{other.pid}\n")
        assert pidfile.running(str(path)) == 0
    assert "is no teamd" in caplog.text
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "rubbish", "-1", "0", "12 34", "9" * 30, "\0", "4194305"])
def test_a_file_that_is_something_else_is_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    for use in pidfile.running, pidfile.write:
        with pytest.raises(PidFileError, match=f"^pid file {path}: it exists and holds no process id"):
            use(str(path))
    pidfile.remove(str(path))
    assert path.read_text() == content


def test_writing_and_removing(path: Path) -> None:
    before = os.umask(0o077)
    try:
        pidfile.write(str(path))
    finally:
        os.umask(before)
    assert path.read_text() == f"{os.getpid()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert os.listdir(path.parent) == [path.name]
    pidfile.remove(str(path))
    assert not path.exists()
    pidfile.remove(str(path))


def test_a_stale_file_is_replaced(path: Path) -> None:
    path.write_text(f"{dead_pid()}\n")
    pidfile.write(str(path))
    assert path.read_text() == f"{os.getpid()}\n"


def test_a_successors_file_is_not_removed(path: Path) -> None:
    path.write_text("1\n")
    pidfile.remove(str(path))
    assert path.read_text() == "1\n"


def test_no_directory(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "x.pid"
    with pytest.raises(PidFileError, match=rf"^pid file {path}: No such file or directory$"):
        pidfile.write(str(path))
    with pytest.raises(PidFileError, match="Is a directory"):
        pidfile.running(str(tmp_path))


def test_kill_waits_for_the_end_also_of_somebody_elses_child() -> None:
    with process() as child:
        assert pidfile.kill(child.pid)
        # Nobody has waited for it yet: it is a zombie, and counts as ended.
        assert child.wait(0) == -signal.SIGTERM


def test_kill_of_what_is_dead() -> None:
    assert pidfile.kill(dead_pid())


def test_kill_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pidfile, "KILL_PATIENCE", 0.01)
    with process(code=STUBBORN) as child:
        assert not pidfile.kill(child.pid)
