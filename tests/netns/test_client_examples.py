"""The examples of docs/client.md, as they are written there, against a real daemon."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.netns.buses import bus_of
from tests.netns.teams import ENVIRONMENT, PATIENCE, TWO_PORTS, Host, host, wait_for

DOCUMENT: Final = (Path(__file__).parents[2] / "docs/client.md").read_text()
EXAMPLES: Final = [part.partition("\n```")[0] for part in DOCUMENT.split("```python\n")[1:]]

pytestmark = pytest.mark.needs("dbus-daemon")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1", "eth2") as made, bus_of(made):
        pytest.importorskip("zmq")
        made.start("-D", "-Z", "ipc:///run/teamd/team0.zmq", config=TWO_PORTS).ready()
        yield made


@pytest.mark.parametrize(
    ("word", "out"),
    [
        ("eth2", "eth2\n"),
        ("nosuch0", "NoSuchDev - No such device.\n"),
        ("client.dbus", "eth0 up\neth1 up\n"),
        ("client.zmq", "true\n"),
    ],
)
def test_an_example_that_ends(machine: Host, word: str, out: str) -> None:
    [example] = [example for example in EXAMPLES if word in example]
    done = machine.run(sys.executable, "-c", example)
    assert (done.code, done.out) == (0, out), done.err


@pytest.mark.parametrize(
    ("word", "first", "told"),
    [
        (
            "team.events() as events",
            "now eth0\n",
            ["LinkChanged eth0 False", "ActivePortChanged eth1 None", "LinkChanged eth0 True"],
        ),
        (
            "asyncio.run",
            "",
            ["LinkChanged eth0 active: eth", "ActivePortChanged eth1 active: eth"],
        ),
    ],
)
def test_an_example_that_watches(
    machine: Host, tmp_path: Path, word: str, first: str, told: list[str]
) -> None:
    [example] = [example for example in EXAMPLES if word in example]
    out = tmp_path / "told"
    with out.open("w") as file:
        process = subprocess.Popen(
            machine.within(sys.executable, "-c", example),
            stdout=file,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    try:
        if first:
            wait_for(lambda: first in out.read_text(), "its first words")

        def happens() -> bool:
            # Whether it listens already is not to be seen from here; it may begin in the middle.
            machine.cut("eth0")
            machine.becomes("runner.active_port", "eth1")
            machine.mend("eth0")
            machine.becomes("runner.active_port", "eth0")
            return all(line in out.read_text() for line in told)

        wait_for(happens, "what has happened")
    finally:
        process.kill()
        process.wait(PATIENCE)


def test_there_is_no_other_example_and_none_is_long() -> None:
    assert len(EXAMPLES) == 6
    assert all(len(list(filter(None, example.splitlines()))) <= 10 for example in EXAMPLES)
