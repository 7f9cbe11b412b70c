"""Many teams in one process, without a kernel: each file for itself, whatever is wrong with the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pyteam
from pyteam.client import Client
from tests.unit.daemon import teamd

CONFIG: dict[str, Any] = {"runner": {"name": "activebackup"}, "ports": {"eth0": {}}}
PATIENCE = 20.0


class Daemon:
    """teamd, its directory of configurations and its run directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "conf"
        self.directory.mkdir()
        self.run_dir = directory / "run"
        self._log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def write(self, name: str, config: Any = CONFIG) -> None:
        text = config if isinstance(config, str) else json.dumps(config)
        (self.directory / f"{name}.conf").write_text(text)

    def remove(self, name: str) -> None:
        (self.directory / f"{name}.conf").unlink()

    def command(self, *words: str, failure: str = "nothing") -> list[str]:
        where = (f"--config-dir={self.directory}", f"--run-dir={self.run_dir}", "-l", "stderr")
        return [sys.executable, "-m", teamd.__name__, failure, *where, *words]

    def start(self, *words: str, failure: str = "nothing") -> None:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command(*words, failure=failure),
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).parents[3],
            )

    def call(self, *words: str, failure: str = "nothing") -> tuple[int, str]:
        """To its end: exit code and what it said."""
        done = subprocess.run(
            self.command(*words, failure=failure),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=Path(__file__).parents[3],
        )
        return done.returncode, done.stderr

    @property
    def log(self) -> str:
        return self._log.read_text()

    def says(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.log.count(text) < times:
            assert time.monotonic() < deadline, f"not said: {text!r}, but:\n{self.log}"
            time.sleep(0.01)

    def hang_up(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGHUP)

    def end(self) -> int:
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def item(self, team: str, path: str) -> str:
        with Client(team, str(self.run_dir)) as client:
            return client.state_item_get(path)

    @property
    def teams(self) -> list[str]:
        return sorted(path.stem for path in self.run_dir.glob("*.sock"))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    yield made
    for pid_file in made.run_dir.glob("teamd-config-dir.pid"):
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    if made.process is not None:
        made.process.kill()
        made.process.wait()


def test_each_file_is_a_team_named_by_itself_or_by_its_file(daemon: Daemon) -> None:
    daemon.write("uplink")
    daemon.write("b", {**CONFIG, "device": "team1"})
    daemon.write("notes.txt")
    (daemon.directory / "README").touch()
    daemon.start()
    daemon.says("3 of 3 teams started.")
    assert daemon.teams == ["notes.txt", "team1", "uplink"]
    assert daemon.item("team1", "runner.active_port") == "eth0"
    assert "team1: eth0: ethtool-link went up.\n" in daemon.log
    pids = {path.read_text() for path in daemon.run_dir.glob("*.pid")}
    assert daemon.process
    assert pids == {f"{daemon.process.pid}\n"}
    assert daemon.end() == 0
    assert "\nGot SIGINT, SIGQUIT or SIGTERM.\n" in daemon.log
    assert daemon.log.count("Exiting...") == 3
    assert os.listdir(daemon.run_dir) == []


def test_a_broken_file_stops_no_other_and_is_tried_again(daemon: Daemon) -> None:
    daemon.write("a", '{"ports": {"eth0": {"prio": "x"}}, "debug_level": -1}')
    daemon.write("b")
    daemon.write("c", {**CONFIG, "device": "b"})
    daemon.write("d", {**CONFIG, "runner": {"name": "turbo"}})
    daemon.start()
    daemon.says("1 of 4 teams started.")
    for file, text in (
        ("a", "ports.eth0.prio"),
        ("a", "debug_level"),
        ("c", "device: b is the team of"),
        ("d", "turbo"),
    ):
        assert any(f"{file}.conf: " in line and text in line for line in daemon.log.splitlines())
    daemon.write("a")
    daemon.hang_up()
    daemon.says(f"a: {pyteam.__version__} successfully started.")
    assert daemon.teams == ["a", "b"]
    assert daemon.end() == 0


def test_files_come_go_and_change(daemon: Daemon) -> None:
    daemon.write("a")
    daemon.write("b")
    daemon.start()
    daemon.says("2 of 2 teams started.")
    daemon.write("a", {**CONFIG, "ports": {"eth0": {"prio": 7}}})
    daemon.remove("b")
    daemon.write("c")
    daemon.hang_up()
    daemon.says(f"c: {pyteam.__version__} successfully started.")
    assert daemon.teams == ["a", "c"]
    assert "a: ports.eth0.prio: added: 7\n" in daemon.log
    assert "b: Exiting...\n" in daemon.log
    assert sorted(os.listdir(daemon.run_dir)) == [
        "a.pid",
        "a.sock",
        "c.pid",
        "c.sock",
        "teamd-config-dir.pid",
    ]
    # Also what did not change: a file that it names may have, or it was changed by hand since.
    daemon.hang_up()
    daemon.says("c: Configuration reloaded: the same.")
    daemon.write("a", "{")
    daemon.hang_up()
    daemon.says("a: Failed to reload config: nothing was changed.")
    assert daemon.log.count("changes.") == 1
    assert daemon.end() == 0


def test_a_file_that_cannot_be_read_stops_no_other(daemon: Daemon) -> None:
    daemon.write("a")
    directory = Path(daemon.directory)
    (directory / "b.conf").mkdir()
    (directory / "c.conf").symlink_to("nowhere")
    (directory / ".#a.conf").symlink_to("nowhere")
    daemon.start()
    daemon.says("1 of 3 teams started.")
    assert daemon.teams == ["a"]
    assert "b.conf: " in daemon.log
    assert daemon.end() == 0


def test_no_file_is_no_reason_to_end(daemon: Daemon) -> None:
    daemon.start()
    daemon.says("0 of 0 teams started.")
    daemon.write("a")
    daemon.hang_up()
    daemon.says(f"a: {pyteam.__version__} successfully started.")
    assert daemon.end() == 0


def test_when_no_team_can_be_started_there_is_nothing_to_run(daemon: Daemon) -> None:
    daemon.write("a")
    daemon.write("b")
    code, said = daemon.call(failure="refuse")
    assert code == 1
    assert said.count("Failed: [Errno 28] No space left on device") == 2
    assert os.listdir(daemon.run_dir) == []


def test_what_goes_wrong_at_the_end_of_one_team_has_a_code(daemon: Daemon) -> None:
    daemon.write("a")
    daemon.write("b")
    daemon.start(failure="destroy")
    daemon.says("2 of 2 teams started.")
    assert daemon.end() == 2
    assert "b: Failed: [Errno 5] cannot delete it" in daemon.log


def test_a_defect_in_one_teams_loop_is_survived_and_named(daemon: Daemon) -> None:
    daemon.write("a")
    daemon.start(failure="loop")
    daemon.says("a: Loop callback failed with: a defect (next try in 1 s)")
    assert daemon.end() == 0


def test_in_the_background_it_is_asked_and_stopped_by_its_directory(daemon: Daemon) -> None:
    daemon.write("a")
    daemon.write("b", "{")
    assert daemon.call("-e")[0] == 1
    code, said = daemon.call("-d")
    assert code == 0
    assert "b.conf: Failed to parse config" in said
    assert daemon.call("-e")[0] == 0
    assert "already running" in daemon.call("-d")[1]
    # By the name of one team it can be asked, but not stopped: that would stop the others.
    one = [sys.executable, "-m", teamd.__name__, "nothing", f"--run-dir={daemon.run_dir}", "-t", "a"]
    assert subprocess.run([*one, "-e"], check=False).returncode == 0
    done = subprocess.run([*one, "-k"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "runs many teams: to end one, take its file away" in done.stderr
    assert daemon.call("-k") == (0, "")
    assert daemon.call("-k") == (1, "Daemon not running\n")
    assert os.listdir(daemon.run_dir) == []


@pytest.mark.parametrize("words", [("-f", "/dev/null"), ("-c", "{}"), ("-t", "team0"), ("-Z", "ipc://x")])
def test_options_for_one_team(daemon: Daemon, words: tuple[str, ...]) -> None:
    code, said = daemon.call(*words)
    assert code == 1
    assert f"--config-dir: {words[0]} is for one team" in said


def test_a_directory_that_cannot_be_read(daemon: Daemon) -> None:
    daemon.directory.rmdir()
    code, said = daemon.call()
    assert (code, said) == (1, f"--config-dir {daemon.directory}: No such file or directory\n")


def test_all_files_are_checked(daemon: Daemon) -> None:
    daemon.write("a")
    assert daemon.call("--check-config") == (0, "")
    daemon.write("b", "{")
    daemon.write("c", {**CONFIG, "runner": {"name": "turbo"}})
    code, said = daemon.call("--check-config")
    assert code == 1
    assert "b.conf: Failed to parse config" in said
    assert "c.conf: " in said
