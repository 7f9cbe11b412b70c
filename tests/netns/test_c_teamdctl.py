"""The original's own client, from Debian's libteam-utils, and ours: same daemon, same answers.

Each call runs in namespaces of its own (mount and network), where team0 exists and the control
socket of a server in this process is to be found at the place that the original insists on. Over
D-Bus, ``-D``, both speak through a bus of the test's.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.control import dbus
from pyteam.control.usock import Server
from tests.netns.buses import Bus, bus
from tests.unit.control.fakecore import FakeCore
from tests.unit.control.states import lacp_state

ORIGINAL = ["/usr/bin/teamdctl"]
OURS = [sys.executable, "-m", "pyteam.cli.teamdctl"]

pytestmark = pytest.mark.needs("unshare", "mount", "dbus-daemon", *ORIGINAL)

# The directory of the socket is $0.
NAMESPACE = """\
set -e
ip link add team0 type veth peer name p0
ip link add other type veth peer name p1
mount -t tmpfs none /run
mkdir /run/teamd
mount --bind "$0" /run/teamd
exec "$@"
"""

#: ``lacp`` in front: against a team with the lacp runner.
COMMANDS = [
    "config dump",
    "-o config dump",
    "config dump noports",
    "c d a",
    "state",
    "-v state view",
    "lacp state",
    "lacp -v state",
    "state dump",
    "-o state dump",
    "s i g setup.runner_name",
    "state item get setup.dbus_enabled",
    'state item get ports."p0".link.speed',
    "state item get nope",
    "state item set setup.debug_level 2",
    "state item set setup.debug_level x",
    "state item set setup.pid 1",
    "state item set runner.active_port <empty>",
    "port add p1",
    "port add nope",
    "port add team0",
    "port add <empty>",
    "port remove p0",
    "port remove nope",
    "port present p0",
    "port present p1",
    "port config update p1 {}",
    r'port config update p1 {"a":"\\\n\\<newline><newline>"}',
    "port config update p1 {",
    "port config dump p0",
    "port config dump p1",
    "-U state",
]

#: Ours has more options, so the help on stdout is its own.
MISTAKES = ["", "port", "state item get", "state item set x", "port add a b", "frob", "states", "-D -U state"]


@pytest.fixture(scope="module")
def system_bus() -> Iterator[Bus]:
    with bus() as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBUS_SYSTEM_BUS_ADDRESS", made.address)
        yield made


async def spoken(
    core: FakeCore, run_dir: Path, client: list[str], words: list[str]
) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of one client against servers for this core."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    server, on_the_bus = Server(str(run_dir / "team0.sock"), core), dbus.Server("team0", core)
    server.start(asyncio.get_running_loop())
    if "-D" in words:
        environment["DBUS_SYSTEM_BUS_ADDRESS"] = os.environ["DBUS_SYSTEM_BUS_ADDRESS"]
        server.close()
        await on_the_bus.start()
    try:
        process = await asyncio.create_subprocess_exec(
            *("unshare", "--mount", "--net", "sh", "-c", NAMESPACE, str(run_dir), *client, *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode or 0, out, err
    finally:
        await on_the_bus.close()
        server.close()


def words_of(line: str) -> tuple[FakeCore, list[str]]:
    core = FakeCore()
    words = [word.replace("<newline>", "\n").replace("<empty>", "") for word in line.split()]
    if words[:1] == ["lacp"]:
        core.state = lacp_state()
        words.pop(0)
    return core, words


@pytest.mark.parametrize("line", COMMANDS)
def test_same_command_same_answer(tmp_path: Path, line: str) -> None:
    (core, words), (witness, _) = words_of(line), words_of(line)
    theirs = asyncio.run(spoken(witness, tmp_path, ORIGINAL, ["team0", *words]))
    ours = asyncio.run(spoken(core, tmp_path, OURS, ["team0", *words]))
    assert ours == theirs
    assert core.changes == witness.changes


@pytest.mark.parametrize("line", COMMANDS)
def test_same_command_same_answer_over_dbus(tmp_path: Path, system_bus: Bus, line: str) -> None:
    (core, words), (witness, _) = words_of(line), words_of(line)
    if "-U" in words:
        return
    theirs = asyncio.run(spoken(witness, tmp_path, ORIGINAL, ["-D", "team0", *words]))
    ours = asyncio.run(spoken(core, tmp_path, OURS, ["-D", "team0", *words]))
    assert ours == theirs
    assert core.changes == witness.changes


@pytest.mark.parametrize("line", MISTAKES)
def test_same_mistake_same_words(tmp_path: Path, line: str) -> None:
    core, words = words_of(line)
    theirs = asyncio.run(spoken(core, tmp_path, ORIGINAL, ["team0", *words]))
    ours = asyncio.run(spoken(core, tmp_path, OURS, ["team0", *words]))
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])
    assert theirs[1]
    assert ours[1]


@pytest.mark.parametrize("device", ["nodev", "other"])
def test_a_device_that_is_not_there_or_not_ours(tmp_path: Path, device: str) -> None:
    core = FakeCore()
    os.symlink("team0.sock", tmp_path / "other.sock")
    theirs = asyncio.run(spoken(core, tmp_path, ORIGINAL, [device, "state"]))
    ours = asyncio.run(spoken(core, tmp_path, OURS, [device, "state"]))
    assert ours == theirs
    assert ours[0] == 1


def test_c_teamdctl_was_really_answered(tmp_path: Path) -> None:
    code, out, err = asyncio.run(
        spoken(FakeCore(), tmp_path, ORIGINAL, ["team0", "port", "config", "dump", "p0"])
    )
    assert (code, out, err) == (0, b'{\n    "prio": 10\n}\n', b"")
