"""Many real teams in one process: each has its own of everything that users see, and they share the rest."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netns.buses import bus_of
from tests.netns.teams import Daemon, Host, host, program, wait_for


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, *(f"eth{number}" for number in range(6))) as made:
        yield made


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "conf"
    made.mkdir()
    for number in range(3):
        write(made, f"team{number}", number)
    return made


@pytest.fixture
def daemon(box: Host, directory: Path) -> Daemon:
    made = box.start(f"--config-dir={directory}")
    made.says("3 of 3 teams started.")
    return made


def write(directory: Path, name: str, number: int, **more: Any) -> None:
    ports = {f"eth{2 * number}": {"prio": 10}, f"eth{2 * number + 1}": {}}
    config = {"runner": {"name": "activebackup"}, "ports": ports, **more}
    (directory / f"{name}.conf").write_text(json.dumps(config))


def active(box: Host, team: str) -> str:
    return box.ctl("state", "item", "get", "runner.active_port", team=team).out.strip()


def listed(box: Host) -> list[str]:
    return box.ctl(team="--list").out.split()


def test_each_is_a_team_of_its_own(box: Host, daemon: Daemon) -> None:
    assert listed(box) == ["team0", "team1", "team2"]
    box.cut("eth2")
    daemon.says("team1: eth2: ethtool-link went down.")
    wait_for(lambda: active(box, "team1") == "eth3", "the other port of team1")
    assert [active(box, team) for team in ("team0", "team2")] == ["eth0", "eth4"]
    assert daemon.log.count("went down.") == 1
    box.mend("eth2")
    wait_for(lambda: active(box, "team1") == "eth2", "the better port of team1")
    assert daemon.end() == 0
    box.leaves_nothing()


@pytest.mark.needs("dbus-daemon")
def test_each_has_a_name_on_the_bus(box: Host, directory: Path) -> None:
    def by_dbus(team: str, *words: str) -> tuple[int, str]:
        done = box.run(*program("teamdctl"), "-D", team, *words)
        return done.code, done.out.strip()

    with bus_of(box) as system_bus:
        daemon = box.start(f"--config-dir={directory}", "-D")
        daemon.says("3 of 3 teams started.")
        item = ("state", "item", "get", "runner.active_port")
        assert [by_dbus(f"team{number}", *item) for number in range(3)] == [
            (0, "eth0"),
            (0, "eth2"),
            (0, "eth4"),
        ]
        assert by_dbus("team1", "port", "remove", "eth2") == (0, "")
        assert by_dbus("team1", *item) == (0, "eth3")
        system_bus.stop()
        for number in range(3):
            daemon.says(f"team{number}: D-Bus: the connection is lost")
        system_bus.start()
        for number in range(3):
            daemon.says(f"team{number}: D-Bus: connected again as org.libteam.teamd.team{number}.")
        (directory / "team2.conf").unlink()
        daemon.send(signal.SIGHUP)
        daemon.says("team2: Exiting...")
        wait_for(lambda: by_dbus("team2", *item)[0] == 1, "the name to go")
        assert by_dbus("team0", *item) == (0, "eth0")
        assert daemon.end() == 0
        assert "Traceback" not in daemon.log


def test_a_port_comes_by_name_and_by_hand_and_is_seen_to_go(box: Host, daemon: Daemon) -> None:
    box.ip("link", "delete", "eth0")
    wait_for(lambda: active(box, "team0") == "eth1", "the port that is left")
    box.plug("eth0", "eth9")
    wait_for(lambda: active(box, "team0") == "eth0", "the port that is back")
    assert box.ctl("port", "add", "eth9", team="team1").code == 0
    done = box.ctl("port", "add", "eth9", team="team2")
    assert "eth9 is a port of another team already" in done.err
    box.ip("link", "set", "eth4", "name", "uplink")
    wait_for(lambda: active(box, "team2") == "uplink", "the new name")
    box.ip("link", "delete", "eth9")
    wait_for(lambda: "eth9" not in box.ctl("config", "dump", "actual", team="team1").out, "its end")


def test_files_come_go_and_change_and_the_other_teams_do_not_notice(
    box: Host, daemon: Daemon, directory: Path
) -> None:
    before = box.looks("eth4", "eth5")
    write(directory, "team0", 0, runner={"name": "loadbalance"})
    (directory / "team2.conf").unlink()
    box.plug("eth6", "eth7")
    write(directory, "new0", 3)
    daemon.send(signal.SIGHUP)
    daemon.says("new0: 0.1.0 successfully started.")
    assert listed(box) == ["new0", "team0", "team1"]
    assert "team0: Configuration reloaded" in daemon.log
    assert "team2" not in box.links()
    assert box.looks("eth4", "eth5") != before, "they are given back"
    daemon.says("team1: Configuration reloaded: the same.")
    assert daemon.end() == 0
    box.leaves_nothing()


def test_the_team_device_of_one_is_deleted(box: Host, daemon: Daemon, directory: Path) -> None:
    box.ip("link", "delete", "team1")
    daemon.says("team1: Team device removal detected.")
    wait_for(lambda: listed(box) == ["team0", "team2"], "the end of one")
    daemon.send(signal.SIGHUP)
    wait_for(lambda: listed(box) == ["team0", "team1", "team2"], "its return")


def test_killed_and_started_again(box: Host, daemon: Daemon, directory: Path) -> None:
    # One that no file names, and one that is called otherwise by now.
    box.plug("eth9")
    assert box.ctl("port", "add", "eth9", team="team1").code == 0
    box.ip("link", "set", "eth4", "name", "uplink")
    wait_for(lambda: active(box, "team2") == "uplink", "the new name")
    before = {name: link["ifindex"] for name, link in box.links().items()}
    daemon.end(signal.SIGKILL)
    again = box.start(f"--config-dir={directory}")
    again.says("3 of 3 teams started.")
    assert again.log.count("was left by a daemon that died: taking it over.") == 3
    assert {name: link["ifindex"] for name, link in box.links().items()} == before
    for team, port in (("team1", "eth9"), ("team2", "uplink")):
        assert port in json.loads(box.ctl("config", "dump", "actual", team=team).out)["ports"]
    box.cut("eth9")
    again.says("team1: eth9: ethtool-link went down.")
    assert again.end() == 0
    box.leaves_nothing()


def test_what_no_event_tells_is_put_right_in_each(box: Host, daemon: Daemon) -> None:
    box.ip("link", "set", "eth3", "promisc", "off")
    daemon.says("team1: Repairing what was changed from outside: set promiscuous mode of eth3.")
