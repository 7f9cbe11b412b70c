"""Each client drives each daemon: the original's teamdctl (and libteamdctl) ours, and ours the original's.

What the original's teamdctl gets from the original's teamd is what either has to come to.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from pyteam.cli import teamdctl
from tests.lab.original import unexplained
from tests.lab.sidebyside import Side, flat, side
from tests.netns.buses import USUAL, Bus, running

ORIGINAL: Final = "/usr/bin/teamdctl"

pytestmark = pytest.mark.needs("/usr/bin/teamd", ORIGINAL)

Outcome = tuple[int, str, str]
Client = Callable[[list[str]], Outcome]

CONFIG: Final = {
    "device": "team0",
    "runner": {"name": "activebackup"},
    "ports": {"eth1": {"prio": 10}, "eth2": {"prio": 5}},
}
#: One after the other; in front of those that are refused, a mark.
LINES: Final = (
    "config dump",
    "-o config dump",
    "config dump noports",
    "config dump actual",
    "state view",
    "-v state",
    "-o state dump",
    "state item get setup.runner_name",
    "s i g ports.eth1.link.speed",
    "state item get runner.active_port",
    "! state item get runner.nothing",
    "state item set runner.active_port eth2",
    "state item get runner.active_port",
    "! state item set runner.active_port eth3",
    "! state item set setup.pid 1",
    "! state item set setup.debug_level x",
    "port present eth1",
    "! port present eth3",
    "port config dump eth1",
    "! port config dump eth3",
    "! port config dump nobody",
    """port config update eth3 '{"prio": 20}'""",
    "! port config update eth3 '{'",
    "! port config update nobody {}",
    "port add eth3",
    "port present eth3",
    "port config dump eth3",
    "port add eth3",
    "! port add far1",
    "! port add nobody",
    "port remove eth1",
    "! port remove eth1",
    "! port remove nobody",
    "config dump actual",
    "state dump",
    "-U state item get team_device.ifinfo.ifname",
)


#: What travels in another way.
LINES_OF_DBUS: Final = (
    "config dump",
    "state view",
    "-o state dump",
    "state item get runner.active_port",
    "! state item get runner.nothing",
    "state item set runner.active_port eth2",
    "state item get runner.active_port",
    "! state item set setup.pid 1",
    "! port config dump nobody",
    """port config update eth3 '{"prio": 20}'""",
    "port add eth3",
    "port present eth3",
    "! port add nobody",
    "port remove eth1",
)


def theirs(words: list[str]) -> Outcome:
    done = subprocess.run([ORIGINAL, *words], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def ours(capsys: pytest.CaptureFixture[str]) -> Client:
    def run(words: list[str]) -> Outcome:
        capsys.readouterr()
        code = teamdctl.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def over_dbus(client: Client) -> Client:
    return lambda words: client(["-D", *words])


def said(
    daemon: str, client: Client, directory: Path, lines: Sequence[str] = LINES, *options: str
) -> list[Outcome]:
    with side(daemon, directory) as one:
        one.start(options, CONFIG)
        one.comes_to("state.runner.active_port=eth1 state.ports.eth2.link_watches.up=true")
        return [settled(one, client, line) for line in lines]


def settled(one: Side, client: Client, line: str) -> Outcome:
    words = shlex.split(line.removeprefix("! "))
    options = [word for word in words if word.startswith("-")]
    code, out, err = client([*options, "team0", *words[len(options) :]])
    one.comes_to("")
    return code, re.sub(r"(PID|\"pid\"): \d+", r"\1: 0", out), err


def test_the_same_answers(tmp_path: Path, ours: Client) -> None:
    compare(tmp_path, theirs, ours, LINES)


@pytest.mark.needs("dbus-daemon")
def test_the_same_answers_over_dbus(tmp_path: Path, ours: Client) -> None:
    os.makedirs(os.path.dirname(USUAL), exist_ok=True)
    with running(Bus(tmp_path, USUAL)):
        compare(tmp_path, over_dbus(theirs), over_dbus(ours), LINES_OF_DBUS, "-D")


def compare(directory: Path, theirs: Client, ours: Client, lines: Sequence[str], *options: str) -> None:
    reference = said("original", theirs, directory, lines, *options)
    for line, (code, _, err) in zip(lines, reference, strict=True):
        assert bool(code) == line.startswith("! "), f"{line}: {err}"
    wrong = []
    for line, expected, got in zip(
        lines, reference, said("original", ours, directory, lines, *options), strict=True
    ):
        if got != expected:
            wrong.append(f"our teamdctl, {line}: {expected} | {got}")
    for line, expected, got in zip(
        lines, reference, said("ours", theirs, directory, lines, *options), strict=True
    ):
        left = unexplained("teamdctl", line, plain(line, expected), plain(line, got))
        wrong += [f"our teamd, {line}: {path}: {their} | {our}" for path, (their, our) in left.items()]
    assert not wrong, "\n".join(wrong)


def plain(line: str, outcome: Outcome) -> tuple[dict[str, object], list[str]]:
    """JSON as a picture; anything else as lines."""
    code, out, err = outcome
    with suppress(ValueError):
        what = "state" if "state" in line else "config"
        return {"code": code, "err": err, **dict(flat(what, json.loads(out)))}, []
    return {"code": code}, [*out.splitlines(), *err.splitlines()]
