"""What may be typed next: from the tables, from what there is, and as the shells hear it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyteam.cli import completion
from pyteam.cli.programs import PROGRAMS
from pyteam.client import Client, ConnectError
from tests.unit.control.states import activebackup_state

SCRIPTS = Path(__file__).parent.parent.parent.parent / "completion"


class Daemon(Client):
    """The daemon of team0, in memory."""

    def __init__(self, device: str, run_dir: str | None = None, timeout: float = 0) -> None:
        if device != "team0":
            raise ConnectError(2, device)

    def close(self) -> None:
        pass

    def state_dump(self) -> str:
        return json.dumps(activebackup_state())


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine: the daemons of team0 and lone0 (which does not answer), interfaces p0, p1, p2."""
    monkeypatch.setattr(completion, "Client", Daemon)
    monkeypatch.setattr(completion, "_INTERFACES", str(tmp_path / "net"))
    monkeypatch.setenv("TEAMD_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    for name in ("team0.sock", "team0.pid", "lone0.sock"):
        (tmp_path / "run" / name).touch()
    names = ("lo", "p0", "p1", "p2", "team0", "lone0")
    monkeypatch.setattr(socket, "if_nameindex", lambda: list(enumerate(names)))
    for name in names:
        (tmp_path / "net" / name).mkdir(parents=True)
    (tmp_path / "net/p2/master").symlink_to("../lone0")
    return tmp_path


def offered(line: str) -> list[str]:
    """For a line that ends where the cursor is."""
    name, *words = line.split(" ")
    return [candidate for candidate, _ in completion.complete(PROGRAMS[name](), words)]


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("teamdctl ", "lone0 team0"),
        ("teamdctl -v t", "team0"),
        ("teamdctl team0 ", "config state lacp port"),
        ("teamdctl team0 s", "state"),
        ("teamdctl team0 state ", "dump view item"),
        ("teamdctl team0 s i ", "get set"),
        ("teamdctl team0 state item get setup.p", "setup.pid setup.pid_file"),
        (
            "teamdctl team0 state item get ports.p0.link.",
            "ports.p0.link.duplex ports.p0.link.speed ports.p0.link.up",
        ),
        ("teamdctl team0 state item set ", "runner.active_port setup.debug_level"),
        ("teamdctl team0 state item set runner.active_port ", "p0"),
        ("teamdctl team0 state item set setup.debug_level ", ""),
        ("teamdctl team0 state item set runner.fast_rate ", "true false"),
        ("teamdctl team0 port add ", "p1 p2 lone0"),
        ("teamdctl team0 port remove ", "p0"),
        ("teamdctl team0 port config update ", "p0 p1 p2 lone0"),
        ("teamdctl team0 port config dump p0 ", ""),
        ("teamdctl team0 config dump ", "noports actual"),
        ("teamdctl team0 config replace ", ":files"),
        ("teamdctl team0 nonsense ", ""),
        ("teamdctl --fo", "--force-dbus --force-zmq --force-usock"),
        ("teamnl -", "--help -h --port_name -p --array_index -a --json -j --run-dir"),
        ("teamdctl --run-dir ", ":directories"),
        ("teamdctl --run-dir=/nowhere ", ""),
        ("teamdctl -vZ addr team0 p", "port"),
        ("teamdctl -- -", ""),
        ("teamnl lone0 -p ", "p2"),
        ("teamnl team0 getoption lb_h", "lb_hash_stats"),
        ("teamnl team0 setoption lb_h", ""),
        ("teamnl team0 setoption enabled ", ""),
        ("teamnl team0 monitor ", "changed all"),
        ("teamd --dat", "--datapath"),
        ("teamd --datapath k", "kernel"),
        ("teamd --datapath=k", "--datapath=kernel"),
        ("teamd --datapath = k", "kernel"),
        ("teamd --datapath =", "auto kernel ebpf"),
        ("teamd -df ", ":files"),
        ("teamd -t t", "team0"),
        ("teamd -k ", ""),
        ("teamd ", ""),
        ("bond2team --master ", ":files"),
        ("bond2team --rename p", "p0 p1 p2"),
        ("team2bond --output n", "networkd nmcli netplan"),
        ("team2bond ", ":files"),
        ("pyteam ", "convert"),
        ("pyteam convert ", ":files"),
    ],
)
def test_candidates(there: Path, line: str, candidates: str) -> None:
    assert offered(line) == candidates.split()


def test_every_candidate_says_what_it_is(there: Path) -> None:
    for line in (
        "teamdctl -",
        "teamdctl team0 state ",
        "teamdctl team0 state item get ",
        "teamnl team0 ",
        "teamd -",
    ):
        name, *words = line.split(" ")
        for candidate, meaning in completion.complete(PROGRAMS[name](), words):
            assert meaning or candidate == "item", candidate


BASH = """
. pyteam.bash
complete -p "$1" >&2
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_pyteam "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compadd() { print -rl -- "$names[@]" }
fpath=($PWD $fpath)
autoload -U _pyteam
words=("$@") CURRENT=$#
_pyteam
true
"""
FISH = """
source pyteam.fish
complete -C "$LINE" | cut -f 1
"""


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(["bash", "--norc", "-c", BASH, "bash"], id="bash", marks=pytest.mark.needs("bash")),
        pytest.param(["zsh", "-f", "-c", ZSH, "zsh"], id="zsh", marks=pytest.mark.needs("zsh")),
        pytest.param(["fish", "--no-config", "-c", FISH], id="fish", marks=pytest.mark.needs("fish")),
    ],
)
@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (["teamdctl", "team0", "state", ""], ["dump", "view", "item"]),
        (["teamdctl", "team0", "port", "c"], ["config"]),
        (["teamd", "--datapath", "e"], ["ebpf"]),
        (["teamnl", "team0", "setoption", "lb_tx_m"], ["lb_tx_method"]),
        (["teamdctl", "team0", "nonsense", ""], []),
    ],
    ids=" ".join,
)
def test_a_shell_offers_them(shell: list[str], words: list[str], candidates: list[str]) -> None:
    assert sorted(run(*shell, *words, line=" ".join(words))) == sorted(candidates)


@pytest.mark.needs("bash")
def test_a_program_that_does_not_know_the_question_offers_nothing(tmp_path: Path) -> None:
    original = tmp_path / "teamdctl"
    original.write_text("#!/bin/sh\necho usage: something\nexit 1\n")
    original.chmod(0o755)
    assert run("bash", "--norc", "-c", BASH, "bash", str(original), "team0", "") == []


def run(*command: str, line: str = "") -> list[str]:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LINE": line}
    done = subprocess.run(command, cwd=SCRIPTS, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_scripts_know_every_program() -> None:
    programs = " ".join(PROGRAMS)
    for script, line in (
        ("pyteam.bash", f"complete -F _pyteam {programs}"),
        ("_pyteam", f"#compdef {programs}"),
        ("pyteam.fish", f"for program in {programs}"),
    ):
        assert line in (SCRIPTS / script).read_text().splitlines()
