"""Ports of a real daemon come, go and are tampered with; whoever is asked tells the truth."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.teams import TWO_PORTS, Daemon, Host, host, wait_for

SAME_ALL = {"device": "team0", "runner": {"name": "roundrobin"}, "ports": {"eth0": {}, "eth1": {}}}
#: Takes the team's program off an interface.
TAKE_OFF = """
import socket, sys
from pyteam.datapath.ebpf import libbpf
index = socket.if_nametoindex(sys.argv[1])
(program,) = libbpf.attached(index, libbpf.TCX_INGRESS)
libbpf.detach(libbpf.program_by_id(program), index, libbpf.TCX_INGRESS)
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


@pytest.fixture
def daemon(box: Host) -> Daemon:
    return box.start(config=TWO_PORTS).ready()


def test_a_cable_is_cut_and_mended(box: Host, daemon: Daemon) -> None:
    for times in range(1, 4):
        box.cut("eth0")
        daemon.says("eth0: ethtool-link went down.", times)
        box.becomes("runner.active_port", "eth1")
        assert box.item("ports.eth0.link_watches.list.link_watch_0.down_count") == str(times)
        box.mend("eth0")
        box.becomes("runner.active_port", "eth0")


def test_flaps_end_in_the_truth(box: Host, daemon: Daemon) -> None:
    box.sh("for i in $(seq 50); do ip link set far0 down; ip link set far0 up; ip link set far1 down; done")
    box.becomes("ports.eth1.link.up", "false")
    box.becomes("ports.eth0.link.up", "true")
    assert box.item("runner.active_port") == "eth0"
    box.mend("eth1")
    box.becomes("ports.eth1.link_watches.up", "true")


def test_a_port_that_is_deleted_returns(box: Host, daemon: Daemon) -> None:
    box.ip("link", "delete", "eth0")
    box.becomes("runner.active_port", "eth1")
    assert box.ports() == ["eth1"]
    box.plug("eth0")
    box.becomes("runner.active_port", "eth0")
    assert json.loads(box.ctl("port", "config", "dump", "eth0").out)["prio"] == 10


def test_a_port_that_returns_up_becomes_one_when_it_is_set_down(box: Host, daemon: Daemon) -> None:
    box.ip("link", "delete", "eth0")
    box.sh("ip link add x0 up type veth peer name far0; ip link set far0 up; ip link set x0 name eth0")
    daemon.says("eth0: Failed to add port (Device or resource busy). eth0 is up: set it down first")
    assert box.ports() == ["eth1"]
    box.ip("link", "set", "eth0", "down")
    box.becomes("runner.active_port", "eth0")
    assert daemon.log.count("Failed to add port") == 1


def test_a_port_is_renamed(box: Host, daemon: Daemon) -> None:
    box.ip("link", "set", "eth0", "name", "uplink")
    box.becomes("runner.active_port", "uplink")
    assert box.ports() == ["eth1", "uplink"]
    # The configuration stays under the name that it was given to.
    actual = json.loads(box.ctl("config", "dump", "actual").out)["ports"]
    assert set(actual) == {"eth1", "uplink"}
    assert actual["uplink"] == {}
    assert json.loads(box.ctl("config", "dump").out)["ports"]["eth0"]["prio"] == 10
    assert daemon.end() == 0
    assert box.programs("uplink") == 0


def test_a_port_is_moved_away_and_comes_back(box: Host, daemon: Daemon) -> None:
    box.ip("netns", "add", "away")
    box.ip("link", "set", "eth0", "netns", "away")
    box.becomes("runner.active_port", "eth1")
    box.ip("-n", "away", "link", "set", "eth0", "down")
    box.ip("-n", "away", "link", "set", "eth0", "netns", str(box.holder))
    box.becomes("runner.active_port", "eth0")


def test_ports_by_hand(box: Host, daemon: Daemon) -> None:
    box.plug("eth2")
    assert box.ctl("port", "present", "eth2").code == 1
    assert box.ctl("port", "config", "update", "eth2", '{"prio": 20}').code == 0
    assert box.ctl("port", "add", "eth2").code == 0
    assert box.item("runner.active_port") == "eth2"
    assert box.ctl("port", "config", "update", "eth2", '{"prio": -20}').code == 0
    assert box.item("runner.active_port") == "eth0"
    before = box.looks("eth1")
    assert box.ctl("port", "remove", "eth0").code == 0
    assert box.item("runner.active_port") == "eth1"
    assert box.programs("eth0") == 0
    assert box.looks("eth1")[0][0] == before[0][0]
    for words, refusal in (
        (("port", "add", "lo"), "lo is a loopback"),
        (("port", "add", "far0"), "far0 is up: set it down first (ip link set far0 down)"),
        (("port", "add", "nope"), "No such device."),
        (("port", "remove", "eth0"), "eth0 is no port of this team."),
        (("port", "config", "update", "eth1", "{"), "Failed to parse config"),
        (("port", "config", "update", "eth1", '{"prio": "high"}'), "prio"),
    ):
        done = box.ctl(*words)
        assert done.code == 1
        assert refusal in done.err
    assert box.ports() == ["eth1", "eth2"]


def test_the_active_port_by_hand(box: Host, daemon: Daemon) -> None:
    assert box.ctl("state", "item", "set", "runner.active_port", "eth1").code == 0
    assert box.item("runner.active_port") == "eth1"
    daemon.says('Changed active port to "eth1".')
    assert box.ctl("state", "item", "set", "runner.active_port", "nope").code == 1
    assert box.item("runner.active_port") == "eth1"


@pytest.mark.parametrize("config", [TWO_PORTS, SAME_ALL], ids=["activebackup", "roundrobin"])
def test_address_and_mtu_of_the_team_are_the_ports(box: Host, config: dict[str, object]) -> None:
    daemon = box.start(config=config).ready()
    assert {box.links()[name]["address"] for name in ("eth0", "eth1", "team0")} == {
        box.links()["eth0"]["address"]
    }
    box.ip("link", "set", "team0", "address", "02:00:00:00:00:aa")
    box.ip("link", "set", "team0", "mtu", "1400")

    def follow() -> bool:
        links = box.links()
        shown = {(links[name]["address"], links[name]["mtu"]) for name in ("eth0", "eth1", "team0")}
        return shown == {("02:00:00:00:00:aa", 1400)} and links["team0-peer"]["mtu"] >= 1400

    wait_for(follow, "the ports to follow")
    assert box.item("team_device.ifinfo.dev_addr") == "02:00:00:00:00:aa"
    assert box.item("ports.eth1.ifinfo.dev_addr") == "02:00:00:00:00:aa"
    assert "Repairing" not in daemon.log


def test_an_address_of_a_port_is_put_right(box: Host) -> None:
    daemon = box.start(config=SAME_ALL).ready()
    address = box.links()["team0"]["address"]
    box.ip("link", "set", "eth1", "address", "02:00:00:00:00:bb")
    daemon.says(f"Repairing what was changed from outside: set address of eth1 to {address}.")
    wait_for(lambda: box.links()["eth1"]["address"] == address, "the address")


def test_an_mtu_of_a_port_is_put_right(box: Host, daemon: Daemon) -> None:
    box.ip("link", "set", "eth1", "mtu", "1300")
    wait_for(lambda: box.links()["eth1"]["mtu"] == 1500, "the MTU")


def test_a_program_taken_off_is_put_back(box: Host, daemon: Daemon) -> None:
    assert box.run(sys.executable, "-c", TAKE_OFF, "eth1").code == 0
    assert box.programs("eth1") == 0
    # At the next event; without one, after seconds that no test waits for.
    box.cut("eth0")
    daemon.says("Repairing what was changed from outside: add port eth1")
    assert box.programs("eth1") == 1
    assert box.item("runner.active_port") == "eth1"


def test_the_carrier_follows_the_ports(box: Host, daemon: Daemon) -> None:
    box.ip("link", "set", "team0", "up")
    wait_for(lambda: "LOWER_UP" in box.links()["team0"]["flags"], "the carrier")
    box.cut("eth0")
    box.cut("eth1")
    wait_for(lambda: "NO-CARRIER" in box.links()["team0"]["flags"], "no carrier")
    box.becomes("runner.active_port", "")
    box.mend("eth1")
    wait_for(lambda: "LOWER_UP" in box.links()["team0"]["flags"], "the carrier")
