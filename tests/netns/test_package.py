"""The Debian package on a machine that boots: installed, run by a real systemd, and removed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import pyteam
from package.__main__ import ROOT, deb
from tests.netns.machine import Machine, machine
from tests.netns.teams import TWO_PORTS, Done

pytestmark = pytest.mark.needs("systemd-nspawn", "dpkg-deb", "clang")

SHOW = (
    "systemctl show teamd@team0 -p ActiveState,StatusText,NFileDescriptorStore,NRestarts,Result,User;"
    "ip -o link show team0 | cut -d: -f1"
)
STEPS = {
    "plug": "for i in 0 1; do ip link add eth$i type veth peer name far$i; ip link set far$i up; done",
    "start": f"systemctl start teamd@team0; ip link set team0 up; sleep 1.5; {SHOW}",
    "status": "cat /proc/$(systemctl show -P MainPID teamd@team0)/status",
    "silent": "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
    "files": "find /run/teamd -printf '%m %u %p\\n'",
    "item": "teamdctl team0 state item get setup.datapath",
    "cut": f"ip link set far0 down; sleep 1.5; {SHOW}",
    "killed": f"systemctl kill -s KILL teamd@team0; sleep 2; {SHOW}",
    "restarted": f"systemctl restart teamd@team0; {SHOW}",
    "reloaded": f"systemctl reload teamd@team0; {SHOW}",
    "hung": "mkdir -p /run/systemd/system/teamd@.service.d;"
    "printf '[Service]\\nWatchdogSec=1\\n' >/run/systemd/system/teamd@.service.d/watchdog.conf;"
    "systemctl daemon-reload; systemctl restart teamd@team0; sleep 1.5;"
    "systemctl show teamd@team0 -p NRestarts;"
    f"systemctl kill -s STOP teamd@team0; sleep 3; {SHOW}",
    "other program": "ip link set far0 up; sleep 0.5; teamdctl team0 state item get runner.active_port",
    "log": "journalctl -u teamd@team0 -o cat --no-pager",
    "stopped": f"systemctl stop teamd@team0; {SHOW}",
    "not configured": "systemctl start teamd@team7; systemctl show teamd@team7 -p Result,NRestarts",
    "again": f"systemctl start teamd@team0; {SHOW}",
    "again stopped": "systemctl stop teamd@team0",
    "many": "systemctl start teamd; systemctl show teamd -p ActiveState,StatusText",
    "many restarted": "systemctl restart teamd; systemctl show teamd -p StatusText,NFileDescriptorStore",
    "removed": f"dpkg --purge pyteam; {SHOW}",
}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    scratch = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "bpf", "src"):
        (scratch / name).symlink_to(ROOT / name)
    wheels = tmp_path_factory.mktemp("wheel")
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, wheels], cwd=scratch, check=True, capture_output=True)
    with machine(tmp_path_factory.mktemp("machine")) as made:
        deb(made.shared, next(wheels.iterdir())).rename(made.shared / "pyteam.deb")
        yield made


@pytest.fixture(scope="module")
def installed(box: Machine) -> Done:
    return box.run("dpkg", "--install", "/shared/pyteam.deb")


@pytest.fixture(scope="module")
def said(box: Machine, installed: Done) -> dict[str, str]:
    (box.shared / "team0.conf").write_text(json.dumps({**TWO_PORTS, "datapath": "ebpf"}))
    box.run("cp", "/shared/team0.conf", "/etc/teamd/team0.conf")
    return box.boot(STEPS)


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def device(text: str) -> str:
    """The ifindex of team0, empty when it is not there."""
    numbers = [line for line in text.splitlines() if line.isdigit()]
    return "".join(numbers)


def test_installed_with_what_it_needs(box: Machine, installed: Done) -> None:
    assert installed.code == 0, installed.err
    assert box.run("teamd", "--version") == (0, f"teamd {pyteam.__version__}\n", "")
    assert box.run("teamdctl", "--help").code == 0
    assert box.run("teamnl", "--help").code == 0
    config = '{"device": "team0", "runner": {"name": "broadcast"}}'
    assert box.run("teamd", "--check-config", "-c", config) == (0, "", "")
    assert box.run("teamd", "--check-config", "-c", '{"runner": {"name": "turbo"}}').code == 1
    assert box.run("getent", "passwd", "teamd").out.startswith("teamd:x:")
    # The original's package gave way.
    other = box.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "libteam-utils")
    assert other.out != "installed"


def test_nothing_that_others_may_write(box: Machine, installed: Done) -> None:
    paths = box.run("dpkg", "-L", "pyteam").out.split("\n")
    ours = [path for path in paths if re.search("pyteam|team(d|nl)", path)]
    assert "/usr/bin/teamd" in ours
    found = box.run("find", *ours, "-maxdepth", "0", "-perm", "/022")
    assert (found.out, found.err) == ("", "")


def test_it_runs_as_an_ordinary_user(said: dict[str, str]) -> None:
    shown = properties(said["start"])
    assert (shown["ActiveState"], shown["User"]) == ("active", "teamd")
    assert shown["StatusText"] == "2 of 2 ports up, active port eth0, carrier up"
    status = said["status"]
    assert f"CapEff:\t{1 << 12 | 1 << 13 | 1 << 38 | 1 << 39:016x}" in status
    assert re.search(r"^Uid:\t([1-9]\d*)\t\1\t\1\t\1$", status, re.MULTILINE)
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert said["silent"] == "1\n"
    assert said["item"] == "ebpf\n"
    assert sorted(said["files"].splitlines()) == [
        "644 teamd /run/teamd/team0.pid",
        "700 teamd /run/teamd/team0.sock",
        "755 teamd /run/teamd",
    ]


def test_a_cut_cable_is_in_its_status(said: dict[str, str]) -> None:
    assert properties(said["cut"])["StatusText"] == "1 of 2 ports up, active port eth1, carrier up"


@pytest.mark.parametrize(
    ("step", "restarts"), [("killed", "1"), ("restarted", "0"), ("reloaded", "0"), ("hung", "1")]
)
def test_the_team_stays(said: dict[str, str], step: str, restarts: str) -> None:
    shown = properties(said[step])
    assert (shown["ActiveState"], shown["NRestarts"]) == ("active", restarts)
    assert int(shown["NFileDescriptorStore"]) > 0
    assert device(said[step]) == device(said["start"]) != ""
    # The successor looks at the cable that was cut, and finds nothing to repair.
    assert shown["StatusText"] == "1 of 2 ports up, active port eth1, carrier up"
    assert "Repairing" not in said["log"]
    assert said["other program"] == "eth0\n"


def test_a_daemon_that_hangs_is_replaced_and_says_where_it_hung(said: dict[str, str]) -> None:
    # Fed in time it is not.
    assert said["hung"].startswith("NRestarts=0\n")
    assert "Fatal Python error: Aborted" in said["log"]


def test_a_stop_is_a_stop(said: dict[str, str]) -> None:
    shown = properties(said["stopped"])
    assert (shown["ActiveState"], shown["Result"], shown["NFileDescriptorStore"]) == (
        "inactive",
        "success",
        "0",
    )
    assert device(said["stopped"]) == ""


def test_what_is_not_configured_is_not_tried_again(said: dict[str, str]) -> None:
    assert properties(said["not configured"]) == {"Result": "exit-code", "NRestarts": "0"}


def test_all_teams_in_one_process(said: dict[str, str]) -> None:
    shown = properties(said["many"])
    assert shown == {"ActiveState": "active", "StatusText": "1 of 1 teams run; without carrier: team0"}
    shown = properties(said["many restarted"])
    assert shown["StatusText"] == "1 of 1 teams run; without carrier: team0"
    assert int(shown["NFileDescriptorStore"]) > 0


def test_removed_without_a_trace(box: Machine, said: dict[str, str]) -> None:
    assert device(said["again"]) != ""
    assert device(said["removed"]) == ""
    assert "inactive" in said["removed"]
    # Where the original's package was, overlayfs has marks of files that are no more.
    left = [path for path in box.upper.rglob("*") if "team" in path.name and not path.is_char_device()]
    names = sorted(str(path.relative_to(box.upper)) for path in left)
    # The user's own file.
    assert [name for name in names if not name.startswith("var/")] == ["etc/teamd", "etc/teamd/team0.conf"]
