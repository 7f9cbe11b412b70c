"""The lab has what it is for: the drivers, the original's programs, and a kernel that takes our programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench import contenders
from bench.contenders import B
from bench.hosts import Host, Lab

#: runner of a teamd.conf -> mode of the kernel's driver.
MODES = {
    "broadcast": "broadcast",
    "roundrobin": "roundrobin",
    "random": "random",
    "activebackup": "activebackup",
    "lacp": "loadbalance",
}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.host("a")


def test_this_kernel_and_not_the_host_s() -> None:
    assert os.uname().release.startswith("6.12.")
    assert Path("/sys/kernel/btf/vmlinux").exists()
    assert Path("/proc/sys/net/core/bpf_jit_enable").read_text().strip() == "1"


@pytest.mark.parametrize("kind", ["team", "bond", "vlan", "dummy", "netkit", "macvlan"])
def test_driver(host: Host, kind: str) -> None:
    host.ip("link", "add", "below", "type", "veth")
    arguments = {"vlan": ("id", "7")}.get(kind, ())
    below = ("link", "below") if kind in ("vlan", "macvlan") else ()
    host.ip("link", "add", *below, "name", "above", "type", kind, *arguments)
    (link,) = json.loads(host.ip("-d", "-j", "link", "show", "above"))
    assert link["linkinfo"]["info_kind"] == kind


@pytest.fixture
def original(lab: Lab, host: Host) -> Iterator[dict[str, object]]:
    """A configuration to fill in; the original's teamd that was started with it ends with the test."""
    for port in ("eth0", "eth1"):
        host.ip("link", "add", port, "type", "veth", "peer", f"{port}-far")
        host.ip("link", "set", f"{port}-far", "up")
    yield {"device": "team0", "ports": {"eth0": {}, "eth1": {}}}
    with suppress(FileNotFoundError):
        host.run("/usr/bin/teamd", "-k", "-t", "team0")


@pytest.mark.needs("/usr/bin/teamd", "/usr/bin/teamdctl", "/usr/bin/teamnl")
@pytest.mark.parametrize("runner", MODES)
def test_the_original_runs(lab: Lab, host: Host, original: dict[str, object], runner: str) -> None:
    configuration = lab.directory / "teamd.conf"
    configuration.write_text(json.dumps({**original, "runner": {"name": runner}}))
    host.run("/usr/bin/teamd", "-d", "-f", str(configuration))
    state = json.loads(host.run("/usr/bin/teamdctl", "team0", "state", "dump"))
    assert state["setup"]["runner_name"] == runner
    assert sorted(state["ports"]) == ["eth0", "eth1"]
    assert host.run("/usr/bin/teamnl", "team0", "getoption", "mode").strip() == MODES[runner]


def test_the_ebpf_datapath_on_this_kernel(lab: Lab) -> None:
    team = contenders.team(lab, "ebpf")
    contenders.start(team)
    team.settle()
    assert team.active is not None
    first = team.active("")
    team.cable(first).cut(team.a)
    assert team.active(first) != first
    said = team.a.run("ping", "-c", "3", "-i", "0.2", B)
    assert "3 received" in said
    for one in team.teams:
        one.end()
