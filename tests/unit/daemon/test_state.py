"""The shape of the state dump, as clients know it."""

from __future__ import annotations

from pyteam.daemon.state import state_dump, status_line, status_of_all
from pyteam.engine.snapshot import PortSnapshot, TeamSnapshot, WatchSnapshot
from pyteam.link import DUPLEX_FULL, DUPLEX_HALF, DUPLEX_UNKNOWN, SPEED_UNKNOWN, Link

ADDRESS = bytes.fromhex("02000000000a")
SETUP = {"pid": 7, "daemonized": False}


def link(ifindex: int, name: str, *, speed: int = 1000, duplex: int = DUPLEX_FULL, up: bool = True) -> Link:
    return Link(ifindex, name, ADDRESS, ADDRESS, up=up, carrier=True, speed=speed, duplex=duplex)


def test_everything() -> None:
    watch = WatchSnapshot("ethtool", True, 2, {"delay_up": 0, "delay_down": 100})
    team = TeamSnapshot(
        ifindex=9,
        link=link(9, "team0"),
        runner_name="activebackup",
        mode="activebackup",
        ports=(PortSnapshot(link(3, "eth0"), True, (watch, watch), {"prio": 5}),),
        runner={"active_port": "eth0"},
    )
    assert state_dump(SETUP, team, {3: {"rx_packets": 1}}) == {
        "setup": {**SETUP, "runner_name": "activebackup", "kernel_team_mode_name": "activebackup"},
        "team_device": {
            "ifinfo": {
                "dev_addr": "02:00:00:00:00:0a",
                "dev_addr_len": 6,
                "ifindex": 9,
                "ifname": "team0",
            }
        },
        "runner": {"active_port": "eth0"},
        "ports": {
            "eth0": {
                "ifinfo": {
                    "dev_addr": "02:00:00:00:00:0a",
                    "dev_addr_len": 6,
                    "ifindex": 3,
                    "ifname": "eth0",
                },
                "link": {"duplex": "full", "speed": 1000, "up": True},
                "link_watches": {
                    "list": {
                        f"link_watch_{at}": {
                            "name": "ethtool",
                            "up": True,
                            "down_count": 2,
                            "delay_up": 0,
                            "delay_down": 100,
                        }
                        for at in (0, 1)
                    },
                    "up": True,
                },
                "runner": {"prio": 5},
                "statistics": {"rx_packets": 1},
            }
        },
    }


def test_empty_groups_are_absent() -> None:
    team = TeamSnapshot(ifindex=9, link=None, runner_name="random", mode="random", ports=())
    assert set(state_dump(SETUP, team, {})) == {"setup"}
    port = PortSnapshot(link(3, "eth0"), False, ())
    team = TeamSnapshot(ifindex=9, link=None, runner_name="random", mode="random", ports=(port,))
    assert set(state_dump(SETUP, team, {})["ports"]["eth0"]) == {"ifinfo", "link", "link_watches"}


def test_speed_and_duplex_as_clients_know_them() -> None:
    shown = {}
    for speed, duplex in (SPEED_UNKNOWN, DUPLEX_UNKNOWN), (100, DUPLEX_HALF), (0, DUPLEX_FULL):
        port = PortSnapshot(link(3, "eth0", speed=speed, duplex=duplex, up=False), False, ())
        team = TeamSnapshot(ifindex=9, link=None, runner_name="random", mode="random", ports=(port,))
        shown[speed] = state_dump(SETUP, team, {})["ports"]["eth0"]["link"]
    assert shown == {
        SPEED_UNKNOWN: {"speed": -1, "duplex": "full", "up": False},
        100: {"speed": 100, "duplex": "half", "up": False},
        0: {"speed": 0, "duplex": "full", "up": False},
    }


def team(*up: bool, carrier: bool = True, active: str = "") -> TeamSnapshot:
    ports = tuple(PortSnapshot(link(at, f"eth{at}"), each, ()) for at, each in enumerate(up))
    device = Link(9, "team0", ADDRESS, ADDRESS, up=True, carrier=carrier)
    runner = {"active_port": active} if active else {}
    return TeamSnapshot(9, device, "activebackup", "activebackup", ports, runner)


def test_one_team_in_a_line() -> None:
    assert status_line(team(True, False, active="eth0")) == "1 of 2 ports up, active port eth0, carrier up"
    assert status_line(team(False, carrier=False)) == "0 of 1 ports up, carrier down"
    down = TeamSnapshot(9, link(9, "team0", up=False), "roundrobin", "roundrobin", ())
    assert status_line(down) == "0 of 0 ports up, the device is not up"


def test_many_teams_in_a_line() -> None:
    bright, dark = team(True), team(False, carrier=False)
    assert status_of_all({}) == "0 of 0 teams run"
    assert status_of_all({"a": bright, "b.conf": None}) == "1 of 2 teams run"
    some = dict.fromkeys("abcdef", dark)
    assert status_of_all({"x": bright, **some}) == "7 of 7 teams run; without carrier: a, b, c, d and 2 more"
