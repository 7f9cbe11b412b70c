"""``teamdctl`` from its arguments to its texts and exit code; the daemon is a `FakeCore`."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyteam.cli import teamdctl, transports
from pyteam.cli.stateview import render
from pyteam.client import Client, ClientError, ConnectError
from pyteam.control.core import MethodError
from pyteam.control.dispatch import call
from pyteam.control.methods import ERRORS, METHODS
from tests.unit.control.fakecore import FakeCore
from tests.unit.control.states import activebackup_state

HELP = teamdctl.help_text()
VIEW = render(activebackup_state())
VERBOSE_VIEW = render(activebackup_state(), verbose=True)


class Wired(Client):
    """A client whose wire is a function call."""

    core: FakeCore
    tried: str | None = None

    def __init__(self, device: str, run_dir: str | None = None, timeout: float = 5) -> None:
        if device == "dead":
            raise ConnectError(111, device)
        type(self).tried = run_dir

    def close(self) -> None:
        pass

    def _ask(self, name: str, *arguments: str) -> str:
        try:
            return call(self.core, METHODS[name], arguments)
        except MethodError as error:
            text = error.text or ERRORS[error.code]
            raise ClientError(22, name, error.code, text) from error


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCore]:
    Wired.core = FakeCore()
    for module in (teamdctl, transports):
        monkeypatch.setattr(module, "Client", Wired)
    monkeypatch.setattr("socket.if_nametoindex", {"team0": 7, "other": 8}.__getitem__)
    yield Wired.core
    Wired.tried = None


@pytest.fixture
def run(core: FakeCore, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs teamdctl; answers with exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = teamdctl.main(arguments)
        return code, *capsys.readouterr()

    return run


def refused(code: str) -> str:
    return (
        f'libteamdctl: cli_usock_process_msg: usock: Error message received: "{code}"\n'
        f'libteamdctl: cli_usock_process_msg: usock: Error message content: "{ERRORS[code]}"\n'
        "command call failed (Invalid argument)\n"
    )


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("team0 state", VIEW),
        ("team0 state view", VIEW),
        ("-v team0 s v", VERBOSE_VIEW),
        ("team0 state -v --verb", VERBOSE_VIEW),
        ("team0 state item get setup.runner_name", "activebackup\n"),
        ("team0 s i g setup.dbus_enabled", "false\n"),
        ("-U team0 s i g ports.p0.link.speed", "10000\n"),
        ("team0 port present p0", ""),
        ("-o team0 port config dump p0", '{"prio": 10}\n'),
        ("team0 p c d p0", '{\n    "prio": 10\n}\n'),
        ("-o team0 c d n", '{"device": "team0", "runner": {"name": "activebackup"}}\n'),
        (
            "--oneline team0 config dump actual",
            '{"device": "team0", "ports": {"p0": {"prio": 10}}, "runner": {"name": "activebackup"}}\n',
        ),
        ("team0 config diff", "runner.name: asked of the file\n"),
        ("team0 config reload", ""),
        ("team0 c rel", ""),
        ("--help", HELP),
        ("-h team0 nonsense", HELP),
    ],
)
def test_output(run: Any, line: str, out: str) -> None:
    assert run(*line.split()) == (0, out, "")


def test_dumps_are_printed_sorted_over_lines(run: Any, core: FakeCore) -> None:
    for line, value in ("config dump", core.config), ("state dump", core.state):
        assert run("team0", *line.split()) == (0, json.dumps(value, indent=4, sort_keys=True) + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        (("port", "add", "p1"), ("port_add", "p1")),
        (("p", "r", "p0"), ("port_remove", "p0")),
        (("port", "config", "update", "p1", '{"a":\n1}'), ("port_config_update", "p1", '{"a":\n1}')),
        (("s", "i", "s", "setup.debug_level", "2"), ("state_item_set", "setup.debug_level", "2")),
        (("s", "i", "s", "runner.active_port", ""), ("state_item_set", "runner.active_port", "")),
    ],
)
def test_orders_are_silent(
    run: Any, core: FakeCore, arguments: tuple[str, ...], change: tuple[str, ...]
) -> None:
    assert run("team0", *arguments) == (0, "", "")
    assert core.changes == [change]


@pytest.mark.parametrize(
    ("line", "out", "err"),
    [
        ("", HELP, "No team device specified.\n"),
        ("-q team0 state", HELP, "teamdctl: option -q not recognized\nunknown option.\n"),
        ("-Z", HELP, "teamdctl: option -Z requires argument\nunknown option.\n"),
        ("--verbosity team0 state", HELP, "teamdctl: option --verbosity not recognized\nunknown option.\n"),
        (
            "-D -U team0 state",
            HELP,
            "Only one interface could be forced at a time (UNIX domain socket, D-Bus, ZMQ).\n",
        ),
        ("team0", HELP, "None or incomplete command\n"),
        ("team0 port", HELP, "None or incomplete command\n"),
        ("team0 state item", HELP, "None or incomplete command\n"),
        ("team0 frob", HELP, 'Unknown command "frob".\n'),
        ("team0 states", HELP, 'Unknown command "states".\n'),
        ("team0 port add a b", HELP, 'Unknown command "a".\n'),
        ("team0 state item get", HELP, 'Command line parameter "ITEMPATH" expected.\n'),
        ("team0 s i s setup.debug_level", HELP, 'Command line parameter "VALUE" expected.\n'),
        ("nodev state", "", 'Device "nodev" does not exist\n'),
        (
            "other state",
            "",
            "Unable to access to other through connected teamd daemon because it controls team0.\n",
        ),
        ("team0 state item get nope", "", refused("PathDoesNotExist")),
        ("team0 port add nope", "", refused("NoSuchDev")),
        ("team0 port present p1", "", "command call failed (No such device)\n"),
    ],
)
def test_failures(
    run: Any, core: FakeCore, monkeypatch: pytest.MonkeyPatch, line: str, out: str, err: str
) -> None:
    def index(name: str) -> int:
        if name not in ("team0", "other"):
            raise OSError("no interface with this name")
        return 1

    monkeypatch.setattr("socket.if_nametoindex", index)
    assert run(*line.split()) == (1, out, err)
    assert core.changes == []


@pytest.mark.parametrize(
    ("method", "reply", "err"),
    [
        ("config_dump", "garbage", "Failed to parse JSON dump.\n"),
        ("config_dump", "[]", "Failed to parse JSON dump.\n"),
        ("config_dump", "{}", "Failed to parse device name from config.\n"),
        ("state_dump", "", "Failed to parse JSON dump.\n"),
    ],
)
def test_a_daemon_that_talks_nonsense(
    run: Any, core: FakeCore, monkeypatch: pytest.MonkeyPatch, method: str, reply: str, err: str
) -> None:
    monkeypatch.setattr(core, method, lambda: reply)
    assert run("team0", "state") == (1, "", err)


def test_no_daemon_names_the_socket(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(device: str, run_dir: str | None) -> Client:
        raise ConnectError(2, f"{run_dir}/{device}.sock")

    monkeypatch.setattr(transports, "Client", refuse)
    # Nor is there a bus.
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    code, out, err = run("--run-dir", "/run/elsewhere", "team0", "state")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "libteamdctl: cli_usock_init: usock: Failed to connect socket (/run/elsewhere/team0.sock).",
        'libteamdctl: teamdctl_connect: Failed to connect using CLI "usock".',
        "teamdctl_connect failed (No such file or directory)",
    ]


def test_run_dir_reaches_the_client(run: Any) -> None:
    run("team0", "state", "--run-dir=/run/elsewhere")
    assert Wired.tried == "/run/elsewhere"


def test_a_reader_that_leaves_early_is_no_traceback(tmp_path: Any) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [sys.executable, "-m", "pyteam.cli.teamdctl", "--help"], stdout=write_end, stderr=subprocess.PIPE
    )
    os.close(write_end)
    assert (process.returncode, process.stderr) == (1, b"")


def test_it_imports_nothing_heavy() -> None:
    listing = (
        "import sys; before = set(sys.modules); import pyteam.cli.teamdctl; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    heavy = {"argparse", "asyncio", "dataclasses", "inspect", "logging"} | {
        "dbus_fast",
        "pyroute2",
        "subprocess",
        "zmq",
    }
    assert "pyteam.client" in done.stdout.split()
    assert not heavy & set(done.stdout.split())


def test_a_configuration_is_sent_from_a_file_or_from_stdin(
    run: Any, core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "team.conf"
    file.write_text('{"ports":\n{}}')
    assert run("team0", "config", "replace", str(file)) == (0, "", "")
    monkeypatch.setattr("sys.stdin", io.StringIO("{}"))
    assert run("team0", "config", "replace", "-") == (0, "", "")
    assert core.changes == [("config_replace", '{"ports":\n{}}'), ("config_replace", "{}")]
    code, out, _ = run("team0", "config", "diff", str(file))
    assert (code, out) == (0, 'runner.name: asked of {"ports":\n{}}\n')


def test_a_configuration_that_cannot_be_read_or_taken(run: Any, core: FakeCore, tmp_path: Path) -> None:
    file = tmp_path / "team.conf"
    assert run("team0", "config", "replace", str(file)) == (
        1,
        "",
        f"cannot read {file}: No such file or directory\n",
    )
    file.write_bytes(b"\xff")
    assert run("team0", "config", "replace", str(file)) == (
        1,
        "",
        f"cannot read {file}: not UTF-8 (byte 0)\n",
    )
    file.write_text("broken")
    assert run("team0", "config", "diff", str(file)) == (1, "", refused("ConfigReloadFail"))
    assert core.changes == []


def test_teams_that_answer_are_listed(run: Any, tmp_path: Path) -> None:
    assert run("--list", f"--run-dir={tmp_path / 'nowhere'}") == (0, "", "")
    for name in ("team1.sock", "team0.sock", "dead.sock", "team0.pid"):
        (tmp_path / name).touch()
    assert run("--list", f"--run-dir={tmp_path}") == (0, "team0\nteam1\n", "")
    assert run("--list", f"--run-dir={tmp_path / 'dead.sock'}")[0] == 1
