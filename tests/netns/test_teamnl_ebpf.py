"""teamnl on a team of the eBPF datapath: it shows what the owner has, and leaves it alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from pyteam.cli import teamnl
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.options import OptionKey
from tests.datapath.veths import TEAM, VethBench, veth_bench

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
def run(capsys: pytest.CaptureFixture[str]) -> Run:
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


def test_what_a_daemon_owns_is_its_own(bench: VethBench, run: Run) -> None:
    code, _, err = run("-p", "eth1", TEAM, "setoption", "priority", "3")
    assert code == 1
    assert "belongs to a daemon" in err
    assert err.endswith("\nCommand failed: Device or resource busy\n")
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
