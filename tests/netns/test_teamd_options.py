"""The real daemon and its command line: every option does what it says, and says what it does."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyteam
from tests.netns.teams import ENVIRONMENT, TWO_PORTS, Done, Host, host, wait_for

ORIGINAL = "/usr/bin/teamd"
NO_PORTS = {"device": "team0", "runner": {"name": "roundrobin"}}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


@pytest.mark.needs("nsenter", "unshare", ORIGINAL)
@pytest.mark.parametrize(
    "line",
    [
        "-e",
        "-k",
        "-e -t nosuch",
        "-k -t nosuch",
        "-e -c {}",
        "-k -c {",
        "-e -f nowhere",
        "-c {} -f nowhere",
        "team0",
        "-h team0",
        "--frob",
        "-t",
        "-h -k -v",
        "-v -h",
        "--ver",
        '-c {"runner":{"name":"turbo"}} -t team0',
        "-c [] -t team0",
        "-t a-name-too-long-to-be -c {}",
    ],
)
def test_exit_code_and_stream_are_the_originals(box: Host, line: str) -> None:
    theirs = box.run(ORIGINAL, *line.split())
    ours = box.teamd(*line.split())
    assert shape(ours) == shape(theirs)


def shape(done: Done) -> tuple[int, bool, bool]:
    """Exit code, and which streams something came out of."""
    # The warning that one is root, which both are, is the original's alone.
    err = done.err.replace("This program is not intended to be run as root.\n", "")
    return done.code, bool(done.out), bool(err)


def test_version_and_help(box: Host) -> None:
    assert box.teamd("-v") == (0, f"teamd {pyteam.__version__}\n", "")
    done = box.teamd("--help")
    assert (done.code, done.err) == (0, "")
    assert "--check-config" in done.out
    assert box.traces() == []


def test_the_log_in_the_foreground(box: Host) -> None:
    before = box.looks("eth0", "eth1")
    daemon = box.start(config={**TWO_PORTS, "ports": {**TWO_PORTS["ports"], "eth9": {}}}).ready()  # type: ignore[dict-item]
    box.cut("eth0")
    daemon.says('Changed active port to "eth1".')
    assert daemon.end() == 0
    # Bare lines, the originals; ports are told in the order in which they joined.
    assert daemon.log.splitlines() == [
        "eth9: Skipped adding a missing port.",
        "eth0: ethtool-link went up.",
        'Changed active port to "eth0".',
        "eth1: ethtool-link went up.",
        f"{pyteam.__version__} successfully started.",
        "eth0: ethtool-link went down.",
        'Changed active port to "eth1".',
        "Got SIGINT, SIGQUIT or SIGTERM.",
        "Exiting...",
    ]
    assert box.traces() == []
    box.mend("eth0")
    assert box.looks("eth0", "eth1") == before


def test_debug_levels(box: Host) -> None:
    daemon = box.start("-gg", config=TWO_PORTS).ready()
    assert box.item("setup.debug_level") == "2"
    assert box.ctl("state", "item", "set", "setup.debug_level", "0").code == 0
    assert box.item("setup.debug_level") == "0"
    assert box.ctl("port", "remove", "eth9").code != 0
    box.cut("eth0")
    daemon.says("eth0: ethtool-link went down.")
    assert "NoSuchDev" not in daemon.log
    assert box.ctl("state", "item", "set", "setup.debug_level", "1").code == 0
    assert box.ctl("port", "remove", "eth9").code != 0
    daemon.says("answered NoSuchDev")
    assert daemon.end() == 0


@pytest.mark.parametrize(("words", "level"), [((), 3), (("-g",), 3), (("-gggg",), 4)])
def test_the_higher_debug_level_counts(box: Host, words: tuple[str, ...], level: int) -> None:
    box.start(*words, config={**NO_PORTS, "debug_level": 3}).ready()
    assert box.item("setup.debug_level") == str(level)


def test_a_configuration_file_and_a_device_of_the_command_line(box: Host, tmp_path: Path) -> None:
    (tmp_path / "team.conf").write_text(json.dumps(TWO_PORTS))
    done = box.teamd("-d", "-f", "team.conf", "-t", "team5", cwd=tmp_path)
    assert done == (0, "", "")
    assert {"team5", "team5-peer"} <= set(box.links())
    assert json.loads(box.ctl("config", "dump", team="team5").out)["device"] == "team5"
    assert box.teamd("-e", "-t", "team5").code == 0
    assert box.teamd("-e", "-f", "team.conf", cwd=tmp_path).code == 1
    assert box.teamd("-k", "-t", "team5") == (0, "", "")
    assert box.teamd("-e", "-t", "team5").code == 1
    assert box.traces() == []


def test_the_command_line_wins_over_the_file(box: Host, tmp_path: Path) -> None:
    (tmp_path / "team.conf").write_text("{not read")
    done = box.teamd("-d", "-f", str(tmp_path / "team.conf"), config=NO_PORTS)
    assert done == (0, "", "Command line config string is present, ignoring given config file.\n")
    assert box.item("setup.runner_name") == "roundrobin"


def test_the_first_free_name(box: Host) -> None:
    box.ip("link", "add", "team0", "type", "veth", "peer", "name", "team2")
    assert box.teamd("-d", config={}).code == 0
    assert json.loads(box.ctl("config", "dump", team="team1").out) == {
        "device": "team1",
        "runner": {"name": "roundrobin"},
    }
    assert box.teamd("-d", config={}).code == 0
    assert "team3" in box.links()


def test_run_directory_and_pid_file(box: Host, tmp_path: Path) -> None:
    places = {
        "default": ((), {}, Path("/var/run/teamd")),
        "option": (("--run-dir", str(tmp_path / "option")), {}, tmp_path / "option"),
        "variable": ((), {"TEAMD_RUN_DIR": str(tmp_path / "variable")}, tmp_path / "variable"),
        "both": (
            ("--run-dir", str(tmp_path / "both")),
            {"TEAMD_RUN_DIR": str(tmp_path / "not")},
            tmp_path / "both",
        ),
    }
    for words, env, place in places.values():
        assert box.teamd("-d", *words, config=NO_PORTS, env=ENVIRONMENT | env).code == 0
        shown = box.sh(
            f"stat -c '%A %s %n' {place}/*; stat -c %A {place}; cat {place}/team0.pid"
        ).splitlines()
        pid = shown.pop()
        assert shown == [
            f"-rw-r--r-- {len(pid) + 1} {place}/team0.pid",
            f"srwx------ 0 {place}/team0.sock",
            "drwxr-xr-x",
        ]
        assert box.teamd("-e", "-t", "team0", *words, env=ENVIRONMENT | env).code == 0
        assert box.teamd("-k", "-t", "team0", *words, env=ENVIRONMENT | env).code == 0
        assert box.sh(f"ls {place}") == ""
    assert not (tmp_path / "not").exists()


def test_a_pid_file_elsewhere(box: Host, tmp_path: Path) -> None:
    done = box.teamd("-d", "-p", "here.pid", config=NO_PORTS, cwd=tmp_path)
    assert done.code == 0
    assert box.item("setup.pid_file") == str(tmp_path / "here.pid")
    assert box.item("setup.pid") == (tmp_path / "here.pid").read_text().strip()
    # Without a device: what the pid file says is enough.
    assert box.teamd("-e", "-p", "here.pid", cwd=tmp_path).code == 0
    assert box.teamd("-k", "-p", "here.pid", cwd=tmp_path) == (0, "", "")
    assert os.listdir(tmp_path) == []


def test_without_ports_and_without_socket(box: Host) -> None:
    daemon = box.start("-n", config=TWO_PORTS).ready()
    assert "ports" not in box.state()
    # Their configuration is there for later.
    assert box.ctl("port", "add", "eth1").code == 0
    assert box.ctl("port", "add", "eth0").code == 0
    assert box.item("runner.active_port") == "eth0"
    assert json.loads(box.ctl("port", "config", "dump", "eth0").out)["prio"] == 10
    assert daemon.end() == 0
    for words, sockets in (("-u",), 0), (("-u", "-U"), 1), (("-U", "-u"), 0):
        daemon = box.start(*words, config=NO_PORTS).ready()
        assert len(box.sh("find /run -type s").split()) == sockets
        assert daemon.end() == 0


def test_log_outputs(box: Host) -> None:
    for words, env, heard in (
        ((), {}, "stderr"),
        (("-l", "stdout"), {}, "stdout"),
        (("-l", "stderr"), {"TEAM_LOG_OUTPUT": "stdout"}, "stderr"),
        ((), {"TEAM_LOG_OUTPUT": "stdout"}, "stdout"),
        ((), {"TEAM_LOG_OUTPUT": "nonsense"}, "stderr"),
        (("-l", "nonsense"), {"TEAM_LOG_OUTPUT": "stdout"}, "stdout"),
        (("-l", "syslog"), {}, ""),
    ):
        daemon = box.start(*words, config=NO_PORTS, env=ENVIRONMENT | env)
        wait_for(box.has_socket, "the socket")
        assert daemon.end() == 0
        said = {"stdout": daemon.out, "stderr": daemon.log}
        assert [name for name, text in said.items() if "successfully started." in text] == [heard] * bool(
            heard
        )


def test_syslog_in_the_background(box: Host) -> None:
    box.sh("mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3; mknod -m 444 /dev/urandom c 1 9")
    log = box.directory / "syslog"
    listener = (
        "import os, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('/dev/log')\n"
        f"out = open({str(log)!r}, 'wb', 0)\n"
        "if os.fork(): sys.exit()\n"
        "null = os.open('/dev/null', os.O_RDWR)\n"
        "for fd in range(3): os.dup2(null, fd)\n"
        "while True: out.write(s.recv(4096) + b'\\n')\n"
    )
    assert box.run(sys.executable, "-c", listener).code == 0
    assert box.teamd("-d", config=TWO_PORTS).code == 0
    pid = box.item("setup.pid")
    # Facility daemon (3), priority info (6), and the identity.
    line = f"<30>Nov 1 00:00:00 teamd_team0[{pid}]: {pyteam.__version__} successfully started."
    start, end = line[:4], line[line.index(" teamd_") :]
    wait_for(
        lambda: [x for x in log.read_text().splitlines() if x.startswith(start) and x.endswith(end)], "syslog"
    )


@pytest.mark.parametrize("choice", [("--datapath", "kernel"), ()], ids=["option", "key"])
@pytest.mark.parametrize("words", [("-d",), ()], ids=["background", "foreground"])
def test_a_datapath_that_is_not_there_is_refused(
    box: Host, words: tuple[str, ...], choice: tuple[str, ...]
) -> None:
    if box.run("ip", "link", "add", "probe", "type", "team").code == 0:
        pytest.skip("this kernel has the team driver")
    box.datapath = ()
    done = box.teamd(*words, *choice, config=NO_PORTS if choice else {**NO_PORTS, "datapath": "kernel"})
    assert done.code == 1
    assert done.err.startswith("Failed: ")
    assert "ebpf" in done.err
    box.leaves_nothing()


def test_the_command_line_chooses_the_datapath(box: Host) -> None:
    box.start("--datapath", "ebpf", config={**NO_PORTS, "datapath": "kernel"}).ready()
    assert box.item("setup.datapath") == "ebpf"


def test_checking_a_configuration_touches_nothing(box: Host) -> None:
    assert box.teamd("--check-config", config=TWO_PORTS) == (0, "", "")
    assert box.teamd("--check-config", config={"device": 5}).code == 1
    assert box.sh("ls /run") == ""


def test_as_networkmanager_runs_it(box: Host) -> None:
    """Foreground child, an environment of one variable, SIGPIPE ignored, ready when the socket appears."""
    words = ("-o", "-n", "-U", "-N", "-t", "team0", "-gg")
    environment = {"TEAM_LOG_OUTPUT": "stderr"}
    daemon = box.start(*words, config={"runner": {"name": "activebackup"}}, env=environment)
    wait_for(box.has_socket, "the socket")
    assert box.ctl("config", "dump", "actual").code == 0
    for port, prio in ("eth0", 0), ("eth1", 100):
        assert box.ctl("port", "config", "update", port, json.dumps({"prio": prio})).code == 0
        assert box.ctl("port", "add", port).code == 0
    assert box.item("runner.active_port") == "eth1"
    ports = json.loads(box.ctl("config", "dump", "actual").out)["ports"]
    assert ports["eth1"] == {"link_watch": {"name": "ethtool"}, "prio": 100}
    daemon.says('Changed active port to "eth1".')
    # It goes away without taking the team along, and the next one goes on where it was.
    assert daemon.end() == 0
    assert box.links()["eth1"]["operstate"] == "UP"
    again = box.start(*words, config={"runner": {"name": "activebackup"}}, env=environment).ready()
    assert box.ports() == ["eth0", "eth1"]
    assert "Changed active port" not in again.log
    assert box.item("runner.active_port") == "eth1"


def test_the_mac_of_a_new_device_is_not_udevs_to_change(box: Host) -> None:
    """It replaces one that the kernel made up (MACAddressPolicy=persistent), not one that was set."""
    assert box.teamd("-d", config={**TWO_PORTS, "ports": {}}).code == 0
    box.sh("mount -t sysfs none /mnt")
    for name in ("team0", "team0-peer"):
        # NET_ADDR_SET, include/uapi/linux/netdevice.h
        assert box.sh(f"cat /mnt/class/net/{name}/addr_assign_type").strip() == "3"
