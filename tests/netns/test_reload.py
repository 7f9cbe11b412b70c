"""Another configuration for a daemon that runs: by signal, by command, and under traffic."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import contenders
from bench.contenders import B, Contender
from bench.flow import Flow
from bench.hosts import Lab
from bench.loss import Window
from tests.netns.teams import TWO_PORTS, Daemon, Host, host

RATE = 20_000
LOADBALANCE: dict[str, Any] = {
    "device": "team0",
    "runner": {"name": "loadbalance"},
    "ports": {"eth0": {}, "eth1": {}},
}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1", "eth2") as made:
        yield made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "team0.conf"
    write(made, TWO_PORTS)
    return made


@pytest.fixture
def daemon(box: Host, file: Path) -> Daemon:
    return box.start("-f", str(file)).ready()


def write(file: Path, config: Any) -> None:
    file.write_text(json.dumps(config))


def with_ports(**ports: Any) -> dict[str, Any]:
    return {**TWO_PORTS, "ports": ports}


def test_a_hangup_reads_the_file_again(box: Host, file: Path) -> None:
    before = box.looks("eth1")
    daemon = box.start("-f", str(file)).ready()
    write(file, with_ports(eth0={"prio": 10}, eth2={"prio": 20}))
    daemon.send(signal.SIGHUP)
    daemon.says("Configuration reloaded: 2 changes.")
    assert 'ports.eth2: added: {"prio": 20}\n' in daemon.log
    box.becomes("runner.active_port", "eth2")
    assert box.ports() == ["eth0", "eth2"]
    assert box.looks("eth1") == before


def test_a_hundred_hangups_are_answered_and_end_nothing(box: Host, file: Path, daemon: Daemon) -> None:
    for number in range(100):
        write(file, with_ports(eth0={"prio": number}, eth1={"prio": 50}))
        daemon.send(signal.SIGHUP)
    box.becomes("runner.active_port", "eth0")
    assert daemon.end() == 0


def test_a_hangup_while_it_starts_is_not_lost(box: Host, file: Path) -> None:
    daemon = box.start("-f", str(file))
    while not daemon.log:
        daemon.send(signal.SIGCONT)
    daemon.send(signal.SIGHUP)
    daemon.says("Configuration reloaded: the same.")


def test_a_broken_file_changes_nothing(box: Host, file: Path, daemon: Daemon) -> None:
    dump = box.ctl("config", "dump").out
    file.write_text('{"ports": {"eth0": {"prio": "x"}, "eth1": {"sticky": 7}}}')
    daemon.send(signal.SIGHUP)
    daemon.says("Failed to reload config: nothing was changed.")
    for path in ("ports.eth0.prio", "ports.eth1.sticky"):
        assert f"{file}: {path}: " in daemon.log
    done = box.ctl("config", "reload")
    assert done.code == 1
    assert "ports.eth0.prio" in done.err
    assert "ports.eth1.sticky" in done.err
    assert box.ctl("config", "dump").out == dump
    assert box.ports() == ["eth0", "eth1"]


def test_without_a_file_a_hangup_says_so_and_another_configuration_can_be_sent(box: Host, file: Path) -> None:
    daemon = box.start(config=TWO_PORTS).ready()
    daemon.send(signal.SIGHUP)
    daemon.says("teamd was started without -f FILE")
    write(file, with_ports(eth0={"prio": 10}, eth1={"prio": 11}))
    assert box.ctl("config", "diff", str(file)).out == "ports.eth1.prio: added: 11\n"
    assert box.item("runner.active_port") == "eth0"
    assert box.ctl("config", "replace", str(file)).out == "ports.eth1.prio: added: 11\n"
    assert box.item("runner.active_port") == "eth1"
    assert daemon.end() == 0


def test_the_whole_way_of_a_file(box: Host, file: Path, daemon: Daemon) -> None:
    assert box.ctl("config", "diff") == (0, "", "")
    write(file, {**LOADBALANCE, "ports": {"eth0": {}, "eth1": {}}})
    assert "runner.name:" in box.ctl("config", "diff").out
    address = box.links()["team0"]["address"]
    assert "no traffic meanwhile" in box.ctl("config", "reload").out
    assert box.item("setup.kernel_team_mode_name") == "loadbalance"
    assert box.ports() == ["eth0", "eth1"]
    assert box.links()["team0"]["address"] == address
    write(file, {**LOADBALANCE, "device": "team1"})
    done = box.ctl("config", "reload")
    assert (done.code, done.out) == (1, "")
    assert "device: a team that runs cannot be renamed" in done.err


# Under traffic


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def start(lab: Lab, config: Any) -> Contender:
    """A team of this configuration; the other host takes what comes by either port, and answers by both."""
    made = contenders.team(lab, "ebpf")
    write(made.teams[0].config, config)
    write(made.teams[1].config, {**LOADBALANCE, "runner": {"name": "broadcast"}})
    contenders.start(made)
    made.settle()
    return made


def lost_meanwhile(lab: Lab, made: Contender, *configs: Any) -> int:
    """How many packets, while the first host becomes one after the other."""
    flow = Flow(made.a, made.b, f"{B}:7000", RATE, lab.directory)
    time.sleep(0.2)
    begin = time.monotonic_ns()
    for config in configs:
        write(made.teams[0].config, config)
        assert made.teams[0].teamdctl("config", "reload")
        time.sleep(0.2)
    end = time.monotonic_ns()
    flow.stop()
    assert not flow.missed, "the receiver was too slow: nothing was measured"
    tally = flow.tally(Window("reload", begin, end))
    assert tally.sent
    return tally.lost


def test_another_active_port_costs_no_packet(lab: Lab) -> None:
    made = start(lab, with_ports(eth0={"prio": 10}, eth1={}))
    better, back = with_ports(eth0={"prio": 10}, eth1={"prio": 20}), with_ports(eth0={"prio": 30}, eth1={})
    assert lost_meanwhile(lab, made, better, back) == 0
    assert made.teams[0].active() == "eth0"


def test_another_hash_and_other_weights_cost_no_packet(lab: Lab) -> None:
    made = start(lab, LOADBALANCE)
    runner = {"name": "loadbalance", "tx_hash": ["l3", "l4"]}
    hashed = {**LOADBALANCE, "runner": runner}
    weighted = {**hashed, "ports": {"eth0": {"weight": 3}, "eth1": {}}}
    balanced = {**weighted, "runner": {**runner, "tx_balancer": {"name": "basic"}}}
    assert lost_meanwhile(lab, made, hashed, weighted, balanced, LOADBALANCE) == 0


def test_a_port_comes_and_goes_and_costs_no_packet(lab: Lab) -> None:
    made = start(lab, {**LOADBALANCE, "ports": {"eth0": {}}})
    assert lost_meanwhile(lab, made, LOADBALANCE, {**LOADBALANCE, "ports": {"eth1": {}}}) == 0
