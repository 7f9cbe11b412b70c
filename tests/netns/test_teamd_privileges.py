"""Somebody who is not root, with four capabilities: the whole life of a team, and what is kept of it."""

from __future__ import annotations

import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.manager import Manager, manager
from tests.netns.teams import TWO_PORTS, Host, host, program
from tests.netns.test_teamd_life import undisturbed

CAPABILITIES = "-all,+net_admin,+net_raw,+bpf,+perfmon"
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *(f"{option}={CAPABILITIES}" for option in ("--bounding-set", "--inh-caps", "--ambient-caps")),
)
BALANCED = {**TWO_PORTS, "runner": {"name": "loadbalance", "rx_balancer": {"name": "arp"}}}
SPREAD = {**TWO_PORTS, "runner": {"name": "loadbalance", "tx_hash": ["ipv4"]}}

pytestmark = pytest.mark.needs("setpriv")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        made.sh("mkdir -m 755 /run/teamd; chown nobody /run/teamd")
        yield made


@pytest.fixture
def keeper(box: Host) -> Iterator[Manager]:
    with manager(box) as made:
        yield made


def test_from_start_to_end_without_a_manager(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    daemon = box.start(config=TWO_PORTS, before=NOBODY).ready()
    status = box.sh(f"cat /proc/{box.item('setup.pid')}/status")
    # CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_PERFMON 38, CAP_BPF 39
    assert f"CapEff:\t{1 << 12 | 1 << 13 | 1 << 38 | 1 << 39:016x}" in status
    assert "Uid:\t65534\t65534\t65534\t65534" in status
    box.cut("eth0")
    box.becomes("runner.active_port", "eth1")
    assert daemon.end() == 0
    box.mend("eth0")
    assert box.looks("eth0", "eth1") == before
    assert box.traces() == []


@pytest.mark.parametrize(
    ("config", "count"),
    [(TWO_PORTS, 2), (SPREAD, 2), (BALANCED, 4)],
    ids=["activebackup", "loadbalance", "rx_balancer"],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_a_successor_goes_on_with_what_was_kept(
    box: Host, keeper: Manager, number: signal.Signals, config: dict[str, Any], count: int
) -> None:
    first = keeper.start(config=config, before=NOBODY)
    keeper.hears("READY=1")
    box.ip("link", "set", "team0", "up")
    box.cut("eth0")
    box.becomes("ports.eth0.link_watches.up", "false")
    keeper.listen()
    programs = {name for name in keeper.kept if name.startswith("program")}
    with undisturbed(box):
        assert first.end(number) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
        second = keeper.start(config=config, before=NOBODY)
        keeper.hears("READY=1")
    assert "team0 was left by a daemon that died: taking it over." in second.log
    assert "Repairing" not in second.log
    # One that sends and one that receives, for each; the same, not others in their place.
    now = {name for name in keeper.kept if name.startswith("program")}
    assert (len(now), now <= programs) == (count, True)
    assert second.end() == 0
    assert "team0" not in box.links()
    assert box.programs("eth0") == box.programs("eth1") == 0


def test_many_teams_and_who_comes_after_them(box: Host, keeper: Manager) -> None:
    box.plug("eth2")
    directory = box.directory / "conf"
    directory.mkdir()
    # A user that is not root may not look into the directories of a test.
    box.sh(f"mkdir /run/conf; mount --bind {directory} /run/conf")
    (directory / "team0.conf").write_text('{"ports": {"eth0": {}, "eth1": {}}}')
    (directory / "team1.conf").write_text('{"ports": {"eth2": {}}}')
    words = ("--config-dir=/run/conf",)
    first = keeper.start(*words, before=NOBODY)
    keeper.hears("STATUS=2 of 2 teams run; without carrier: team0, team1")
    box.ip("link", "set", "team0", "up")
    keeper.hears("STATUS=2 of 2 teams run; without carrier: team1")
    first.end(signal.SIGKILL)
    with undisturbed(box):
        second = keeper.start(*words, before=NOBODY)
        keeper.hears("STATUS=2 of 2 teams run; without carrier: team1")
    assert second.log.count("was left by a daemon that died: taking it over.") == 2
    assert second.end(signal.SIGUSR1) == 0
    assert {"team0", "team1"} <= box.links().keys()
    third = keeper.start(*words, before=NOBODY)
    keeper.hears("READY=1")
    assert third.end() == 0
    assert not {"team0", "team1"} & box.links().keys()
    assert [box.programs(name) for name in ("eth0", "eth1", "eth2")] == [0, 0, 0]


def test_of_what_nobody_kept_is_told_what_to_do(box: Host) -> None:
    first = box.start(config=TWO_PORTS, before=NOBODY).ready()
    first.end(signal.SIGKILL)
    looks = box.looks("eth0", "eth1")
    second = box.start(config=TWO_PORTS, before=NOBODY)
    assert second.wait() == 1
    assert "CAP_SYS_ADMIN only, as nobody kept them: start teamd as root, or delete the device" in second.log
    assert box.looks("eth0", "eth1") == looks
    # Root needs nobody.
    third = box.start(config=TWO_PORTS).ready()
    assert "taking it over" in third.log
    assert third.end() == 0
    box.leaves_nothing()


def test_programs_of_others_are_left_alone_unseen(box: Host, keeper: Manager) -> None:
    box.sh(f"{sys.executable} -c '{HANG_ONE}' eth1")
    assert box.programs("eth1") == 1
    daemon = keeper.start(config=TWO_PORTS, before=NOBODY).ready()
    assert box.ports() == ["eth0", "eth1"]
    assert box.programs("eth1") == 2
    assert daemon.end() == 0
    assert box.programs("eth1") == 1


#: Some program of somebody's, which passes everything since it knows no team.
HANG_ONE = """
import socket, sys
from pyteam.datapath.ebpf import hooks, libbpf
loaded = libbpf.Object(hooks.object_code(), {"team_tx_ab"})
libbpf.attach(loaded.programs["team_tx_ab"], socket.if_nametoindex(sys.argv[1]), libbpf.TCX_INGRESS)
"""


def test_the_manager_hears_how_it_goes(box: Host, keeper: Manager) -> None:
    daemon = keeper.start(config=TWO_PORTS, before=NOBODY, watchdog=0.5).ready()
    keeper.hears("WATCHDOG=1")
    box.ip("link", "set", "team0", "up")
    keeper.hears("STATUS=2 of 2 ports up, active port eth0, carrier up")
    box.cut("eth0")
    keeper.hears("STATUS=1 of 2 ports up, active port eth1, carrier up")
    assert daemon.end() == 0
    assert keeper.listen()[-1] == "STOPPING=1"


def test_nothing_that_others_may_write(box: Host, keeper: Manager) -> None:
    keeper.start(config=TWO_PORTS, before=NOBODY).ready()
    found = box.sh("find /run/teamd ! -type l -printf '%m %p\\n'").splitlines()
    assert sorted(path for _, path in map(str.split, found)) == [
        "/run/teamd",
        "/run/teamd/team0.pid",
        "/run/teamd/team0.sock",
    ]
    for mode, path in map(str.split, found):
        assert not int(mode, 8) & (stat.S_IWOTH | stat.S_IWGRP), path


@pytest.mark.needs("/usr/bin/teamdctl")
def test_a_group_looks_and_changes_nothing(box: Host) -> None:
    box.start("--group=nogroup", config=TWO_PORTS).ready()
    user = ("setpriv", "--reuid=4711", "--regid=4711")
    # Without it the original's client does not come as far as the socket.
    capable = ("--inh-caps=+net_raw", "--ambient-caps=+net_raw")
    for client, needs in ((program("teamdctl"), ()), (("/usr/bin/teamdctl",), capable)):
        member, stranger = (*user, *needs, "--groups=65534"), (*user, *needs, "--clear-groups")
        assert box.run(*member, *client, "team0", "config", "dump").code == 0
        done = box.run(*member, *client, "team0", "port", "remove", "eth0")
        assert done.code == 1
        assert "PortRemove is for root only." in done.err
        assert box.run(*stranger, *client, "team0", "config", "dump").code == 1
    assert box.ports() == ["eth0", "eth1"]
