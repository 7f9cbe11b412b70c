"""The ends of a daemon, wanted or not, and what comes after: nothing is left, or nothing is lost."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.netns.teams import TWO_PORTS, Daemon, Host, host, wait_for

STICKY = {**TWO_PORTS, "ports": {"eth0": {"prio": 10}, "eth1": {"sticky": True}}}
#: A predecessor that died before it had done anything but make the device.
STILLBORN = """
import os
from pyteam.datapath.ebpf.datapath import EbpfDatapath
EbpfDatapath.create("team0")
os._exit(0)
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


@contextmanager
def undisturbed(box: Host) -> Iterator[None]:
    """Nothing happens to any interface meanwhile, and the active port stays."""
    log = box.directory / "monitor"

    def heard(mtu: int) -> bool:
        """Whether a change that has nothing to do with teams is told by now."""
        box.ip("link", "set", "lo", "mtu", str(mtu))
        return f"mtu {mtu}" in log.read_text()

    with log.open("wb") as out:
        monitor = subprocess.Popen(box.within("ip", "-o", "monitor", "link"), stdout=out)
    try:
        numbers = itertools.count(60000)
        wait_for(lambda: heard(next(numbers)), "the monitor to listen")
        yield
        last = next(numbers)
        wait_for(lambda: heard(last), "the monitor to have told all")
    finally:
        monitor.terminate()
        monitor.wait()
    assert [line for line in log.read_text().splitlines() if ": lo:" not in line] == []


def switched(box: Host, *words: str) -> Daemon:
    """With a better port than the active one, so that whoever decides anew would decide otherwise."""
    daemon = started(box, *words, config=STICKY)
    box.ip("link", "set", "team0", "up")
    box.cut("eth0")
    box.becomes("runner.active_port", "eth1")
    box.mend("eth0")
    box.becomes("ports.eth0.link_watches.up", "true")
    return daemon


def started(box: Host, *words: str, config: Any = TWO_PORTS) -> Daemon:
    return box.start(*words, config=config).ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_clean_end(box: Host, number: signal.Signals) -> None:
    before = box.looks("eth0", "eth1")
    daemon = started(box)
    box.ip("link", "set", "team0", "mtu", "1400", "address", "02:00:00:00:00:aa", "up")
    wait_for(
        lambda: {box.links()[name]["mtu"] for name in ("eth0", "eth1")} == {1400}, "the MTU of the ports"
    )
    assert daemon.end(number) == 0
    assert daemon.log.endswith("Got SIGINT, SIGQUIT or SIGTERM.\nExiting...\n")
    assert box.traces() == []
    assert box.looks("eth0", "eth1") == before


def test_what_an_administrator_had_set_is_given_back(box: Host) -> None:
    box.ip("link", "set", "eth0", "mtu", "1300", "promisc", "on", "address", "02:00:00:00:00:01")
    box.sh("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")
    before = box.looks("eth0", "eth1")
    started(box).end()
    assert box.looks("eth0", "eth1") == before


def test_more_signals_while_it_ends_change_nothing(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    daemon = started(box)
    while daemon.process.poll() is None:
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGQUIT:
            daemon.send(number)
    assert daemon.wait() == 0
    assert daemon.log.count("Got SIGINT, SIGQUIT or SIGTERM.") == 1
    assert box.traces() == []
    assert box.looks("eth0", "eth1") == before


def test_a_signal_at_any_moment_of_the_start(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    for moment in "team0.pid", "team0.sock":
        daemon = box.start(config=TWO_PORTS)
        wait_for(lambda moment=moment: box.run("test", "-e", f"/run/teamd/{moment}").code == 0, moment)  # type: ignore[misc]
        assert daemon.end() == 0
        assert box.traces() == []
        assert box.looks("eth0", "eth1") == before


def test_killed_and_started_again(box: Host) -> None:
    """It takes over by itself, and nothing that traffic could notice happens."""
    before = box.looks("eth0", "eth1")
    switched(box).end(signal.SIGKILL)
    with undisturbed(box):
        daemon = started(box, config=STICKY)
    assert "team0 was left by a daemon that died: taking it over.\n" in daemon.log
    assert "Process " in daemon.log
    assert "Changed active port" not in daemon.log
    assert box.item("runner.active_port") == "eth1"
    assert daemon.end() == 0
    assert box.traces() == []
    assert box.looks("eth0", "eth1") == before


def test_what_happened_in_between_is_seen(box: Host) -> None:
    started(box).end(signal.SIGKILL)
    box.cut("eth0")
    box.plug("eth2")
    config = {**TWO_PORTS, "ports": {**TWO_PORTS["ports"], "eth2": {"prio": 5}}}  # type: ignore[dict-item]
    started(box, config=config)
    box.becomes("runner.active_port", "eth2")
    assert box.ports() == ["eth0", "eth1", "eth2"]


def test_a_port_that_is_busy_does_not_keep_a_successor_away(box: Host) -> None:
    started(box).end(signal.SIGKILL)
    box.plug("eth2")
    box.ip("link", "set", "eth2", "up")
    config = {**TWO_PORTS, "ports": {**TWO_PORTS["ports"], "eth2": {}}}  # type: ignore[dict-item]
    daemon = started(box, config=config)
    daemon.says("eth2: Failed to add port (Device or resource busy). eth2 is up")
    assert box.ports() == ["eth0", "eth1"]


def test_another_runner_than_the_predecessors(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    started(box).end(signal.SIGKILL)
    daemon = started(box, config={**TWO_PORTS, "runner": {"name": "roundrobin"}})
    assert box.item("setup.kernel_team_mode_name") == "roundrobin"
    assert box.ports() == ["eth0", "eth1"]
    assert daemon.end() == 0
    assert box.looks("eth0", "eth1") == before


def test_a_predecessor_that_had_only_begun(box: Host) -> None:
    assert box.run(sys.executable, "-c", STILLBORN).code == 0
    assert "team0" in box.links()
    daemon = started(box)
    assert box.item("runner.active_port") == "eth0"
    assert daemon.end() == 0
    assert box.traces() == []


def test_a_takeover_that_fails_leaves_it_to_the_next(box: Host) -> None:
    started(box).end(signal.SIGKILL)
    box.sh("rm /run/teamd/team0.sock; mkdir /run/teamd/team0.sock")
    with undisturbed(box):
        done = box.teamd(config=TWO_PORTS)
    assert done.code == 1
    assert "control socket /var/run/teamd/team0.sock: there is a file of that name" in done.err
    box.sh("rmdir /run/teamd/team0.sock")
    started(box)
    assert box.ports() == ["eth0", "eth1"]


def test_left_alone_on_request(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    daemon = switched(box, "-N")
    with undisturbed(box):
        assert daemon.end() == 0
    assert [trace for trace in box.traces() if trace.startswith("/")] == []
    # Left on purpose, it is not taken over by accident.
    done = box.teamd("-d", config=TWO_PORTS)
    assert done.code == 1
    assert "team0 exists, see the options -o and -r" in done.err
    with undisturbed(box):
        daemon = started(box, "-o", config=STICKY)
    assert box.item("runner.active_port") == "eth1"
    assert daemon.end() == 0
    assert box.looks("eth0", "eth1") == before


@pytest.mark.parametrize("words", [(), ("-N",)])
@pytest.mark.parametrize("end", ["team0", "team0-peer"])
def test_the_device_is_deleted(box: Host, words: tuple[str, ...], end: str) -> None:
    before = box.looks("eth0", "eth1")
    daemon = started(box, *words)
    box.ip("link", "delete", end)
    assert daemon.wait() == 0
    assert daemon.log.endswith("Team device removal detected.\nExiting...\n")
    assert box.traces() == []
    assert box.looks("eth0", "eth1") == before


def test_the_device_is_moved_away(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    box.ip("netns", "add", "away")
    daemon = started(box)
    box.ip("link", "set", "team0", "netns", "away")
    assert daemon.wait() == 0
    assert "Team device removal detected." in daemon.log
    box.ip("netns", "delete", "away")
    wait_for(lambda: not [name for name in box.links() if name.startswith("team")], "the other end to go")
    assert box.looks("eth0", "eth1") == before


def test_the_end_in_the_background(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    assert box.teamd("-d", config=TWO_PORTS).code == 0
    pid = int(box.item("setup.pid"))
    # A daemon: no terminal, no directory, no parent that waits for it.
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
    assert os.getsid(pid) not in (pid, os.getsid(0))
    assert box.teamd("-k", "-t", "team0") == (0, "", "")
    assert box.traces() == []
    assert box.looks("eth0", "eth1") == before
