"""teamd on a system bus: what everybody may ask, what only root may, and a bus that comes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.control.dbus_object import INTERFACE, PATH
from tests.netns.buses import POLICY, Bus, bus_of
from tests.netns.teams import TWO_PORTS, Done, Host, host, program

NAME = "org.libteam.teamd.team0"
#: As NetworkManager starts it.
ENVIRONMENT = {"TEAM_LOG_OUTPUT": "stderr"}
NOBODY = 65534

pytestmark = pytest.mark.needs("dbus-daemon", "dbus-send", "setpriv", "teamdctl")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


@pytest.fixture
def system_bus(machine: Host) -> Iterator[Bus]:
    with bus_of(machine) as made:
        yield made


def send(machine: Host, *words: str, to: str = NAME, user: int = 0) -> Done:
    """A method call: member, then arguments; what it answers, or on stderr the error and its text."""
    before = ("setpriv", f"--reuid={user}", "--clear-groups") if user else ()
    return machine.run(*before, "dbus-send", "--system", "--print-reply=literal", f"--dest={to}", *words)


def call(machine: Host, member: str, *arguments: str, user: int = 0) -> Done:
    words = (f"string:{argument}" for argument in arguments)
    return send(machine, PATH, f"{INTERFACE}.{member}", *words, user=user)


def ask_the_bus(machine: Host, member: str) -> Done:
    bus = "org.freedesktop.DBus"
    return send(machine, "/org/freedesktop/DBus", f"{bus}.{member}", f"string:{NAME}", to=bus)


def test_as_networkmanager_starts_it(machine: Host, system_bus: Bus) -> None:
    daemon = machine.start(
        *("-o", "-n", "-U", "-D", "-N", "-t", "team0"),
        config={"runner": {"name": "activebackup"}},
        env=ENVIRONMENT,
        before=("env", "-i", "TEAM_LOG_OUTPUT=stderr"),
    ).ready()
    # It compares who owns the name with whom it started.
    assert ask_the_bus(machine, "GetConnectionUnixProcessID").out.split() == [
        "uint32",
        str(daemon.process.pid),
    ]
    assert machine.item("setup.dbus_enabled") == "true"
    assert daemon.end() == 0
    assert ask_the_bus(machine, "NameHasOwner").out.split() == ["boolean", "false"]


def test_in_the_background_the_name_is_there_when_it_returns(machine: Host, system_bus: Bus) -> None:
    assert machine.teamd("-d", "-D", config=TWO_PORTS).code == 0
    assert ask_the_bus(machine, "NameHasOwner").out.split() == ["boolean", "true"]
    assert machine.teamd("-k", "-t", "team0").code == 0
    system_bus.stop()
    refused = machine.teamd("-d", "-D", config=TWO_PORTS)
    assert refused.code == 1
    assert "Failed: D-Bus: cannot reach the system bus: No such file or directory" in refused.err


def test_the_original_and_we_speak_to_it(machine: Host, system_bus: Bus) -> None:
    machine.start("-D", "-u", config=TWO_PORTS).ready()
    for teamdctl in (["/usr/bin/teamdctl"], program("teamdctl")):
        done = machine.run(*teamdctl, "-D", "team0", "state", "item", "get", "runner.active_port")
        assert done == (0, "eth0\n", "")
        done = machine.run(*teamdctl, "-D", "team0", "port", "add", "nope")
        assert done.code == 1
        assert '"org.libteam.teamd.NoSuchDev"' in done.err
    # There is no control socket: without being told so, both find their way.
    for teamdctl in (["/usr/bin/teamdctl"], program("teamdctl")):
        done = machine.run(*teamdctl, "team0", "port", "present", "eth1")
        assert done == (0, "", "")


def test_strangers_read_and_root_changes(machine: Host, system_bus: Bus) -> None:
    machine.start("-D", config=TWO_PORTS).ready()
    assert call(machine, "StateItemValueGet", "runner.active_port", user=NOBODY).out.strip() == "eth0"
    properties = "org.freedesktop.DBus.Properties.GetAll"
    assert "Carrier" in send(machine, PATH, properties, f"string:{INTERFACE}", user=NOBODY).out
    for order in (
        ("PortRemove", "eth0"),
        ("StateItemValueSet", "runner.active_port", "eth1"),
        ("OptionSet", "priority", "eth0", "0", "1"),
        ("PortConfigUpdate", "eth0", "{}"),
    ):
        refused = call(machine, *order, user=NOBODY)
        assert refused.code == 1
        assert "org.freedesktop.DBus.Error.AccessDenied" in refused.err
    assert machine.item("runner.active_port") == "eth0"
    assert call(machine, "StateItemValueSet", "runner.active_port", "eth1").code == 0
    assert machine.item("runner.active_port") == "eth1"


def test_whoever_looks_around_finds_the_object(machine: Host, system_bus: Bus) -> None:
    machine.start("-D", config=TWO_PORTS).ready()
    introspect = "org.freedesktop.DBus.Introspectable.Introspect"
    for path, what in (("/", "org"), ("/org/libteam", "teamd"), (PATH, "PortConfigUpdate")):
        assert f'name="{what}"' in send(machine, path, introspect).out
    assert 'name="PortConfigUpdate"' in send(machine, PATH, introspect, user=NOBODY).out
    assert send(machine, PATH, "org.freedesktop.DBus.Peer.Ping").code == 0
    assert "org.freedesktop.DBus.Error.UnknownMethod" in call(machine, "Frobnicate").err


def test_a_bus_that_is_restarted_gets_its_team_back(machine: Host, system_bus: Bus) -> None:
    daemon = machine.start("-D", config=TWO_PORTS).ready()
    system_bus.stop()
    daemon.says("D-Bus: the connection is lost")
    # The team does not wait for it.
    machine.cut("eth0")
    machine.becomes("runner.active_port", "eth1")
    system_bus.start(policy="")
    daemon.says("may not own org.libteam.teamd.team0")
    system_bus.stop()
    system_bus.start()
    daemon.says("D-Bus: connected again as org.libteam.teamd.team0.")
    assert call(machine, "StateItemValueGet", "runner.active_port").out.strip() == "eth1"
    assert call(machine, "PortRemove", "eth0").code == 0
    assert daemon.end() == 0
    assert "Traceback" not in daemon.log


def test_without_a_bus_it_does_not_start_and_leaves_nothing(machine: Host) -> None:
    before = machine.looks("eth0", "eth1")
    daemon = machine.start("-D", config=TWO_PORTS)
    assert daemon.wait() == 1
    assert "Failed: D-Bus: cannot reach the system bus: No such file or directory" in daemon.log
    machine.leaves_nothing()
    assert machine.looks("eth0", "eth1") == before


def test_a_name_that_is_not_for_us_is_an_error_and_says_which_file_is_missing(
    machine: Host, system_bus: Bus
) -> None:
    system_bus.stop()
    system_bus.start(policy="")
    daemon = machine.start("-D", config=TWO_PORTS)
    assert daemon.wait() == 1
    assert f"D-Bus: may not own {NAME}:" in daemon.log
    assert POLICY.name in daemon.log


def test_a_name_that_no_bus_takes_is_refused_before_anything_is_touched(machine: Host) -> None:
    done = machine.teamd("-D", "-t", "0team", config={"runner": {"name": "activebackup"}})
    assert done.code == 1
    assert "org.libteam.teamd.0team is no valid bus name" in done.err
    machine.leaves_nothing()
