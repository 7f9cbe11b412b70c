"""A start that cannot be: the true reason on the terminal, exit code 1, and the network as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.teams import TWO_PORTS, Host, host, program, wait_for

DEVICE_EXISTS = (
    "Failed: Failed to create team device: team0 exists, see the options -o and -r (File exists)\n"
)
CAPABILITIES = "CAP_NET_ADMIN and CAP_NET_RAW and CAP_PERFMON and CAP_BPF"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


def port_is_up(box: Host) -> None:
    box.ip("link", "set", "eth1", "up")


def port_of_another_team(box: Host) -> None:
    assert box.teamd("-d", config={**TWO_PORTS, "device": "other0", "ports": {"eth1": {}}}).code == 0


def port_of_a_bridge(box: Host) -> None:
    box.ip("link", "add", "br0", "type", "bridge")
    box.ip("link", "set", "eth1", "up", "master", "br0")


def device_exists(box: Host) -> None:
    box.ip("link", "add", "team0", "type", "veth", "peer", "name", "other")


def run_dir_read_only(box: Host) -> None:
    box.sh("mount -o remount,ro /run")


def run_dir_full(box: Host) -> None:
    box.sh("mkdir /run/teamd; mount -t tmpfs -o size=4k none /run/teamd; echo x >/run/teamd/ballast")


def run_dir_is_a_file(box: Host) -> None:
    box.sh("touch /run/teamd")


def socket_name_is_taken(box: Host) -> None:
    box.sh("mkdir /run/teamd; touch /run/teamd/team0.sock")


def pid_file_is_something_else(box: Host) -> None:
    box.sh("mkdir /run/teamd; echo precious >/run/teamd/team0.pid")


def nothing(box: Host) -> None:
    pass


def ports(*names: str) -> dict[str, Any]:
    return {**TWO_PORTS, "ports": {name: {} for name in names}}


#: What is wrong; with which configuration; what the terminal shows, last of all.
REASONS: list[tuple[Callable[[Host], None], dict[str, Any], str]] = [
    (
        port_is_up,
        TWO_PORTS,
        "eth1: Failed to add port (Device or resource busy). "
        "eth1 is up: set it down first (ip link set eth1 down)\n"
        "Failed: Device or resource busy\n",
    ),
    (
        port_of_a_bridge,
        TWO_PORTS,
        "eth1: Failed to add port (Device or resource busy). "
        "eth1 is up, as a port of br0: release it there first (ip link set eth1 nomaster)\n"
        "Failed: Device or resource busy\n",
    ),
    (
        nothing,
        ports("eth0", "lo"),
        "lo: Failed to add port (Invalid argument). lo is a loopback: no frame leaves by it\n"
        "Failed: Invalid argument\n",
    ),
    (
        port_of_another_team,
        TWO_PORTS,
        "eth1: Failed to add port (Device or resource busy). eth1 is a port of another team already\n"
        "Failed: Device or resource busy\n",
    ),
    (device_exists, TWO_PORTS, DEVICE_EXISTS),
    (run_dir_read_only, TWO_PORTS, "Failed: run directory /var/run/teamd: Read-only file system\n"),
    (run_dir_is_a_file, TWO_PORTS, "Failed: run directory /var/run/teamd: File exists\n"),
    (run_dir_full, TWO_PORTS, "Failed: pid file /var/run/teamd/team0.pid: No space left on device\n"),
    (
        pid_file_is_something_else,
        TWO_PORTS,
        "Failed: pid file /var/run/teamd/team0.pid: it exists and holds no process id: "
        "remove it, or choose another\n",
    ),
    (
        socket_name_is_taken,
        TWO_PORTS,
        "Failed: control socket /var/run/teamd/team0.sock: "
        "there is a file of that name, and it is not a socket\n",
    ),
    (nothing, {**TWO_PORTS, "runner": {"name": "turbo"}}, "Failed to load config.\n"),
    (nothing, {**TWO_PORTS, "device": "name-of-16-bytes"}, "Failed to load config.\n"),
]


@pytest.mark.parametrize(
    ("spoil", "config", "reason"), REASONS, ids=lambda value: getattr(value, "__name__", "")
)
@pytest.mark.parametrize("words", [("-d",), ()], ids=["background", "foreground"])
def test_refused(
    box: Host, words: tuple[str, ...], spoil: Callable[[Host], None], config: dict[str, Any], reason: str
) -> None:
    spoil(box)
    traces, looks = box.traces(), box.looks("eth0", "eth1")
    done = box.teamd(*words, config=config)
    assert (done.code, done.out) == (1, "")
    assert done.err.endswith(reason)
    # In the foreground a log of what went well comes before; in the background nothing but this.
    if words:
        assert len(done.err.splitlines()) <= len(reason.splitlines()) + 1
    assert box.looks("eth0", "eth1") == looks
    # Whoever told the reason may take a moment to end.
    wait_for(lambda: box.traces() == traces, "what was made to be gone")


@pytest.mark.needs("setpriv")
@pytest.mark.parametrize("words", [("-d",), ()], ids=["background", "foreground"])
def test_without_capabilities(box: Host, words: tuple[str, ...]) -> None:
    before = box.looks("eth0", "eth1")
    drop = ("setpriv", "--bounding-set", "-net_admin,-net_raw,-sys_admin,-bpf,-perfmon", "--inh-caps=-all")
    done = box.teamd(*words, config=TWO_PORTS, before=drop)
    assert done.code == 1
    assert f"Failed: the eBPF datapath needs the capability {CAPABILITIES}: run teamd as root" in done.err
    assert "/run/teamd/team0.pid" not in box.traces()
    assert box.looks("eth0", "eth1") == before


@pytest.mark.needs("setpriv")
def test_by_somebody_who_may_not_even_write(box: Host) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    done = box.teamd("-d", config=TWO_PORTS, before=nobody)
    assert done == (1, "", "Failed: run directory /var/run/teamd: Permission denied\n")


def test_a_missing_port_and_other_warnings_are_shown_and_the_start_goes_on(box: Host) -> None:
    done = box.teamd("-d", config={**ports("eth0", "eth9"), "runer": {}})
    assert done.code == 0
    first, second = done.err.splitlines()
    assert 'Did you mean "runner"?' in first
    assert second == "eth9: Skipped adding a missing port."
    assert box.ports() == ["eth0"]


def test_a_device_that_exists_is_made_anew_on_request(box: Host) -> None:
    device_exists(box)
    assert box.teamd("-d", "-r", config=TWO_PORTS) == (0, "", "")
    assert "other" not in box.links()
    assert box.ports() == ["eth0", "eth1"]
    # Not that of a daemon that lives.
    done = box.teamd("-d", "-r", config=TWO_PORTS)
    assert done.code == 1
    assert done.err.startswith("Failed: Daemon already running on PID ")
    done = box.teamd("-d", "-r", "--run-dir", "/run/other", config=TWO_PORTS)
    assert done.code == 1
    assert "team0 belongs to process " in done.err
    assert box.item("runner.active_port") == "eth0"


def test_adopting_what_is_no_team(box: Host) -> None:
    device_exists(box)
    done = box.teamd("-d", "-o", config=TWO_PORTS)
    assert done.code == 1
    assert done.err == "Failed: team0 exists and is not a team device (Invalid argument)\n"
    assert "other" in box.links()


def test_adopting_what_is_not_there_makes_it(box: Host) -> None:
    assert box.teamd("-d", "-o", config=TWO_PORTS) == (0, "", "")
    assert box.ports() == ["eth0", "eth1"]


def test_two_daemons_for_one_device(box: Host) -> None:
    assert box.teamd("-d", config=TWO_PORTS).code == 0
    pid = box.item("setup.pid")
    before = box.traces(), box.looks("eth0", "eth1")
    for words in (), ("-d",), ("-d", "-o"), ("-d", "-r"):
        done = box.teamd(*words, config=TWO_PORTS)
        assert done == (1, "", f"Failed: Daemon already running on PID {pid}.\n")
        done = box.teamd(*words, "--run-dir=/run/other", config=TWO_PORTS)
        assert done.code == 1
        assert f"team0 belongs to process {pid}: stop it first" in done.err
        box.sh("rmdir /run/other")
    assert (box.traces(), box.looks("eth0", "eth1")) == before


def test_two_at_the_same_time(box: Host) -> None:
    both = [box.start(config=TWO_PORTS) for _ in range(2)]
    losers = [daemon for daemon in both if "Failed" in wait_for_verdict(daemon.log_file)]
    assert [daemon.wait() for daemon in losers] == [1]
    # The loser takes nothing of the winner's with it.
    assert box.teamd("-e", "-t", "team0").code == 0
    assert box.ports() == ["eth0", "eth1"]


def wait_for_verdict(log: Path) -> str:
    wait_for(lambda: {"Failed", "started."} & set(log.read_text().replace(":", " ").split()), "a verdict")
    return log.read_text()


def test_nothing_but_standard_streams_is_inherited(box: Host) -> None:
    done = box.run(
        "sh",
        "-c",
        'exec 7</dev/null; "$@"',
        "sh",
        *program("teamd"),
        *box.datapath,
        "-d",
        "-c",
        json.dumps(TWO_PORTS),
    )
    assert done.code == 0
    open_files = box.sh(f"ls -l /proc/{box.item('setup.pid')}/fd")
    assert open_files.count("/dev/null") == 3
