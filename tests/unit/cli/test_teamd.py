"""teamd up to the point where it touches the network: what it answers, on which stream, with which code."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

import pyteam
from pyteam.cli.teamd import main
from pyteam.config import json_schema
from pyteam.daemon import device
from pyteam.engine.runners import RUNNERS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def teamd(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Exit code, stdout and stderr of the command in an empty directory, which is its run directory too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEAMD_RUN_DIR", str(tmp_path))
    # The next thing that a start does, and the first that needs the network.
    monkeypatch.setattr(device, "free_name", Mock(side_effect=AssertionError("not refused")))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["/usr/bin/teamd", *words])
        out, err = capsys.readouterr()
        return code, out, err

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


def test_version(teamd: Run) -> None:
    assert teamd("-v") == (0, f"teamd {pyteam.__version__}\n", "")


def test_help(teamd: Run) -> None:
    code, out, err = teamd("-h", "-f", "nowhere")
    assert (code, err) == (0, "")
    assert out.startswith("teamd [options]\n    -h --help ")
    assert out.endswith(f"\nAvailable runners: {', '.join(RUNNERS)}\n")


def test_schema(teamd: Run) -> None:
    code, out, err = teamd("--schema")
    assert (code, err) == (0, "")
    assert json.loads(out) == json_schema()


@pytest.mark.parametrize("command", ["-k", "-e"])
def test_whose_daemon(teamd: Run, command: str) -> None:
    assert teamd(command) == (1, "", "Team device name not specified.\n")


def test_a_daemon_that_does_not_run(teamd: Run) -> None:
    for naming in ("-t", "team0"), ("-c", '{"device": "team0"}'), ("-p", "x.pid"):
        assert teamd("-k", *naming) == (1, "", "Daemon not running\n")
        assert teamd("-e", *naming) == (1, "", "")


def test_a_daemon_that_died(teamd: Run) -> None:
    with subprocess.Popen(["true"]) as child:
        pid = child.pid
    Path("team0.pid").write_text(f"{pid}\n")
    code, _, err = teamd("-e", "-t", "team0")
    assert code == 1
    assert err.startswith(f"Process {pid} died: No such process; trying to remove PID file. (")
    assert not Path("team0.pid").exists()


def test_a_pid_file_that_is_none(teamd: Run) -> None:
    Path("team0.pid").write_text("precious")
    code, _, err = teamd("-k", "-t", "team0")
    assert code == 1
    assert "team0.pid: it exists and holds no process id" in err
    assert Path("team0.pid").read_text() == "precious"


def test_check_config(teamd: Run) -> None:
    assert teamd("--check-config", "-c", '{"runner": {"name": "activebackup"}}') == (0, "", "")
    code, out, err = teamd("--check-config", "-c", '{"runer": {}, "ports": {"eth0.5": {"prio": "3"}}}')
    assert (code, out) == (0, "")
    assert 'Did you mean "runner"?' in err
    assert 'ports."eth0.5".prio' in err


def test_check_config_of_nothing(teamd: Run) -> None:
    assert teamd("--check-config") == (1, "", "--check-config: nothing to check, give -f FILE or -c TEXT\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": \n  x}', ["on line 2, column 3"]),
        ('{"device": "a", "device": "a"}', ["device: duplicate key"]),
        ("[]", ["an array at the top level"]),
        ("", ["Failed to parse config: "]),
        ('{"runner": {"name": "turbo"}}', ['No runner named "turbo" available.']),
        ('{"ports": {"a/b": {}}, "device": "x/y", "debug_level": -1}', ["a/b", "x/y", "debug_level"]),
        (
            '{"ports": {"a": {"pryo": 1}}, "debug_level": -1}',
            ['ports.a.pryo: unknown key, ignored. Did you mean "prio"?', "debug_level"],
        ),
    ],
)
@pytest.mark.parametrize("checking", [True, False])
def test_every_mistake_of_a_configuration_is_named(
    teamd: Run, text: str, words: list[str], checking: bool
) -> None:
    Path("x.conf").write_text(text)
    code, out, err = teamd(*["--check-config"] * checking, "-f", "x.conf")
    assert (code, out) == (1, "")
    *problems, last = err.splitlines()
    assert last == "Failed to load config."
    assert len(problems) == len(words)
    for word in words:
        assert word in err
    assert all(problem.startswith(f"{os.path.realpath('x.conf')}: ") for problem in problems)


def test_a_name_that_no_device_can_have(teamd: Run) -> None:
    code, _, err = teamd("-e", "-t", "a-very-long-name")
    assert code == 1
    assert err.startswith('device: name too long: "a-very-long-name" (16 bytes).')


def test_the_device_of_the_command_line_wins(teamd: Run) -> None:
    Path("team7.pid").write_text("not read")
    assert teamd("-e", "-c", '{"device": "team7"}', "-t", "team8") == (1, "", "")
    assert "team7.pid" in teamd("-e", "-c", '{"device": "team7"}')[2]


def test_a_file_that_cannot_be_read(teamd: Run, tmp_path: Path) -> None:
    code, _, err = teamd("-f", str(tmp_path))
    assert (code, err) == (1, f"cannot read {tmp_path}: Is a directory\n")


def test_warnings_come_before_anything_else(teamd: Run) -> None:
    Path("x.conf").touch()
    code, _, err = teamd("-e", "-t", "team0", "-c", "{}", "-f", "x.conf", "-l", "journal")
    assert code == 1
    assert err.splitlines() == [
        '-l: "journal" is not one of stdout, stderr, syslog; ignored.',
        "Command line config string is present, ignoring given config file.",
    ]


@pytest.mark.parametrize("words", [("--check-config",), ()])
def test_a_team_is_no_port_of_its_own(teamd: Run, words: tuple[str, ...]) -> None:
    config = "-c", '{"device": "team0", "ports": {"team0": {}}}'
    code, out, err = teamd(*words, *config)
    assert (code, out) == (1, "")
    assert (
        err == "ports.team0: is the team device itself. Allowed: other interfaces.\nFailed to load config.\n"
    )
    # Under another name it is an interface like any other.
    assert teamd("--check-config", "-t", "team1", *config)[0] == 0
