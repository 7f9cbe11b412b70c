"""teamnl on a team of the eBPF datapath: it shows what the owner has, and sets it by the owner."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyteam.cli import teamnl
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.options import OptionKey
from tests.datapath.veths import TEAM, VethBench, veth_bench
from tests.netns.teams import TWO_PORTS, Done, Host, host, program, wait_for

Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def bench() -> Iterator[VethBench]:
    with veth_bench(EbpfDatapath.create, EbpfDatapath.adopt) as made:
        made.datapath.set_option(OptionKey("mode"), "activebackup")
        for _ in range(2):
            made.datapath.add_port(made.index(made.plug()))
        made.cut("eth1")
        yield made


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """With a run directory where no daemon is."""
    monkeypatch.setenv("TEAMD_RUN_DIR", str(tmp_path))

    def run(*words: str) -> Outcome:
        code = teamnl.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_ports(bench: VethBench, run: Run) -> None:
    one, two = bench.index("eth1"), bench.index("eth2")
    expected = f" {two}: eth2: up 10000Mbit FD \n {one}: eth1: down 0Mbit HD \n"
    assert run(TEAM, "ports") == (0, expected, "")


def test_options(bench: VethBench, run: Run) -> None:
    bench.datapath.set_option(OptionKey("priority", bench.index("eth1")), -7)
    bench.datapath.set_option(OptionKey("activeport"), bench.index("eth2"))
    code, out, _ = run(TEAM, "options")
    assert code == 0
    lines = out.splitlines()
    assert " priority (port:eth1) -7 " in lines
    assert f" activeport {bench.index('eth2')} " in lines
    assert lines[-1] == " mode activebackup "
    assert run("-p", "eth1", TEAM, "getoption", "enabled") == (0, "true\n", "")
    _, out, _ = run("-j", "-p", "eth1", TEAM, "getoption", "priority")
    assert json.loads(out) == -7
    assert run(TEAM, "getoption", "nope") == (1, "", "Command failed: No such file or directory\n")


def test_a_daemon_that_cannot_be_asked_is_not_passed_over(bench: VethBench, run: Run, tmp_path: Path) -> None:
    code, _, err = run("-p", "eth1", TEAM, "setoption", "priority", "3")
    assert (code, err) == (
        1,
        f"team0 belongs to a daemon that cannot be asked: {tmp_path}/team0.sock: No such file or directory "
        "(see --run-dir)\nCommand failed: Device or resource busy\n",
    )
    assert bench.datapath.actual().options[OptionKey("priority", bench.index("eth1"))] == 0


def test_what_nobody_owns_can_be_set(bench: VethBench, run: Run) -> None:
    bench.datapath.close()
    for _ in range(2):
        assert run("-p", "eth1", TEAM, "setoption", "priority", "3") == (0, "", "")
    assert run("-p", "eth1", TEAM, "getoption", "priority") == (0, "3\n", "")
    code, _, err = run(TEAM, "setoption", "mode", "random")
    assert (code, err.splitlines()[-1]) == (1, "Command failed: Device or resource busy")
    bench.datapath = bench.adopt_again()
    assert bench.datapath.actual().options[OptionKey("priority", bench.index("eth1"))] == 3


def test_an_end_of_a_cable_is_no_team(bench: VethBench, run: Run) -> None:
    assert run("fareth1", "ports") == (1, "", "Team init failed.\nCommand failed: Invalid argument\n")


# With a daemon


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, "eth0", "eth1") as made:
        yield made


def nl(box: Host, line: str) -> Done:
    return box.run(*program("teamnl"), *line.split())


def test_a_daemon_is_asked_and_acts_on_it(box: Host) -> None:
    daemon = box.start(config=TWO_PORTS).ready()
    assert box.item("runner.active_port") == "eth0"
    assert nl(box, "-p eth1 team0 setoption priority 11") == (0, "", "")
    assert box.item("runner.active_port") == "eth1"
    assert nl(box, "-p eth1 team0 getoption priority") == (0, "11\n", "")
    assert nl(box, "-p eth1 team0 setoption priority -- -7") == (0, "", "")
    assert box.item("runner.active_port") == "eth0"
    daemon.says("priority of eth1 set to -7 by hand.")
    assert nl(box, "team0 setoption notify_peers_count 3") == (0, "", "")
    assert nl(box, "team0 getoption notify_peers_count") == (0, "3\n", "")
    assert "Repairing" not in daemon.log


def test_the_active_port_by_hand_until_the_next_decision(box: Host) -> None:
    box.start(config=TWO_PORTS).ready()
    index = box.links()["eth1"]["ifindex"]
    assert nl(box, f"team0 setoption activeport {index}") == (0, "", "")
    assert nl(box, "team0 getoption activeport") == (0, f"{index}\n", "")
    assert nl(box, "-p eth1 team0 getoption enabled") == (0, "true\n", "")
    assert box.item("runner.active_port") == "eth1"
    box.cut("eth1")
    box.becomes("runner.active_port", "eth0")


ENOENT, EINVAL = "No such file or directory", "Invalid argument"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("team0 setoption nope 1", f"Command failed: {ENOENT}"),
        ("team0 setoption enabled true", f"Command failed: {ENOENT}"),
        ("team0 setoption notify_peers_count x", f"Command failed: {EINVAL}"),
        (
            "team0 setoption activeport 4711",
            f"interface 4711 is no port of this team.\nCommand failed: {ENOENT}",
        ),
        (
            "team0 setoption mode random",
            "mode is for the runner (activebackup) and link watches to decide.\n"
            "Command failed: Device or resource busy",
        ),
    ],
)
def test_errors_are_the_kernels(box: Host, line: str, error: str) -> None:
    box.start(config=TWO_PORTS).ready()
    assert nl(box, line) == (1, "", f"{error}\n")


def test_a_run_directory_of_its_own(box: Host, tmp_path: Path) -> None:
    box.start("--run-dir", str(tmp_path), config=TWO_PORTS).ready()
    wait_for((tmp_path / "team0.sock").exists, "the socket")
    done = nl(box, "-p eth1 team0 setoption priority 3")
    assert (done.code, done.err.splitlines()[-1]) == (1, "Command failed: Device or resource busy")
    assert nl(box, f"--run-dir {tmp_path} -p eth1 team0 setoption priority 3") == (0, "", "")
    assert nl(box, "-p eth1 team0 getoption priority") == (0, "3\n", "")
