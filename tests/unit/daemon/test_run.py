"""The whole life of a daemon as a process, without a kernel: its end, whatever it is, and who hears of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pyteam
from pyteam.client import Client
from tests.unit.daemon import teamd

CONFIG = json.dumps({"device": "team0", "runner": {"name": "activebackup"}, "ports": {"eth0": {}}})
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a daemon in which something goes wrong; ended with the test."""
    made: list[subprocess.Popen[str]] = []
    standing = ("--run-dir", str(tmp_path), "-l", "stderr", "-c", CONFIG)

    def start(failure: str, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", teamd.__name__, failure, *words, *standing],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, **(env or {})},
        )
        made.append(process)
        return process

    yield start
    for process in made:
        process.kill()
        process.communicate()
    pid_file = tmp_path / "team0.pid"
    if pid_file.exists():
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Exit code and what it said on the way."""
    _, said = process.communicate(timeout=20)
    return process.returncode, said.splitlines()


def wait_for(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stop(process: subprocess.Popen[str], tmp_path: Path) -> tuple[int, list[str]]:
    wait_for((tmp_path / "team0.sock").exists)
    process.send_signal(signal.SIGTERM)
    return ended(process)


def test_from_start_to_end(start: Start, tmp_path: Path) -> None:
    code, said = stop(start("nothing"), tmp_path)
    assert code == 0
    assert said == [
        "eth0: ethtool-link went up.",
        'Changed active port to "eth0".',
        f"{pyteam.__version__} successfully started.",
        "Got SIGINT, SIGQUIT or SIGTERM.",
        "Exiting...",
    ]
    assert os.listdir(tmp_path) == []


def test_what_goes_wrong_after_the_start_has_a_code_of_its_own(start: Start, tmp_path: Path) -> None:
    code, said = stop(start("destroy"), tmp_path)
    assert code == 2
    assert said[-1] == "Failed: [Errno 5] cannot delete it"
    assert os.listdir(tmp_path) == []


def test_a_defect_at_the_start_shows_where_it_is(start: Start, tmp_path: Path) -> None:
    code, said = ended(start("start"))
    assert code == 1
    assert said[0] == "Failed: a defect"
    assert said[-1] == "ZeroDivisionError: a defect"
    assert os.listdir(tmp_path) == []


def test_a_defect_in_the_loop_is_logged_and_survived(start: Start, tmp_path: Path) -> None:
    process = start("loop")
    wait_for((tmp_path / "team0.sock").exists)
    with Client("team0", str(tmp_path)) as client:
        assert client.state_item_get("runner.active_port") == "eth0"
    code, said = stop(process, tmp_path)
    assert code == 0
    assert "Loop callback failed with: a defect (next try in 1 s)" in said
    assert "ZeroDivisionError: a defect" in said


# In the background


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ("refuse", ["Failed: [Errno 28] No space left on device"]),
        ("die", ["Daemon process failed: it ended without a word."]),
        ("hang", ["Could not receive return value from daemon process."]),
    ],
)
def test_the_foreground_says_why(start: Start, failure: str, says: list[str], tmp_path: Path) -> None:
    assert ended(start(failure, "-d")) == (1, says)


def test_a_defect_at_the_start_is_shown_there_too(start: Start, tmp_path: Path) -> None:
    code, said = ended(start("start", "-d"))
    assert code == 1
    assert (said[0], said[-1]) == ("Failed: a defect", "ZeroDivisionError: a defect")


def test_the_foreground_ends_when_it_works_and_is_silent(start: Start, tmp_path: Path) -> None:
    assert ended(start("nothing", "-d")) == (0, [])
    with Client("team0", str(tmp_path)) as client:
        assert client.state_item_get("setup.daemonized") == "true"
        assert int(client.state_item_get("setup.pid")) == int((tmp_path / "team0.pid").read_text())
    assert ended(start("nothing", "-k")) == (0, [])
    assert os.listdir(tmp_path) == []


def test_a_foreground_that_was_killed_does_not_matter(start: Start, tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    waits.touch()
    foreground = start("dawdle", "-d", env={"FOREGROUND": str(waits)})
    wait_for((tmp_path / "team0.pid").exists)
    foreground.kill()
    foreground.wait()
    waits.unlink()
    wait_for((tmp_path / "team0.sock").exists)
    assert ended(start("nothing", "-e"))[0] == 0
    assert ended(start("nothing", "-k"))[0] == 0
