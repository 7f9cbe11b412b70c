"""A team that lives on: another daemon, of any runner, finds nothing to do, and the driver saw nothing."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyteam.config import (
    ActiveBackupRunner,
    BasicRunner,
    LoadBalanceRunner,
    PortConfig,
    RunnerConfig,
    TeamConfig,
)
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.engine.desired import AddPort, Command, RemovePort
from pyteam.engine.events import Event, LinkSeen, TimePassed
from pyteam.engine.reconcile import commands
from pyteam.engine.team import Team
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import OptionState, TeamFamily, TeamMonitor
from pyteam.options import OptionKey, Type
from tests.netns.anonymous import inside, namespace
from tests.simulation.harness import execute

RUNNERS: list[RunnerConfig] = [
    *(BasicRunner(name) for name in ("broadcast", "roundrobin", "random")),
    *(ActiveBackupRunner(hwaddr_policy=policy) for policy in ("same_all", "by_active", "only_active")),
    LoadBalanceRunner(),
]


@pytest.fixture
def rtnl() -> Iterator[Rtnl]:
    with namespace() as own, inside(own), Rtnl() as opened:
        for name in ("eth1", "eth2"):
            opened.add_veth(name, f"far{name}", peer_up=True)
        yield opened


class Daemon:
    """Engine and datapath, without a loop; ``done`` is what was ordered."""

    def __init__(self, datapath: KernelDatapath, runner: RunnerConfig, *, adopted: bool) -> None:
        ports = {"eth1": PortConfig(prio=10), "eth2": PortConfig(prio=5)}
        config = TeamConfig(device="team0", runner=runner, ports=ports)
        self.datapath = datapath
        self.team = Team(config, datapath.ifindex, adopted=datapath.actual() if adopted else None)
        self.done: list[Command] = []
        self._hear([LinkSeen(link) for link in datapath.links()])
        self._hear([TimePassed()])
        self.settle()

    def settle(self) -> None:
        """Until nothing is to be done, and the kernel has told all."""
        quiet = 0
        while quiet < 3:
            self._hear(self.datapath.receive())
            pending = commands(self.datapath.actual(), self.team.desired)
            for command in pending:
                self._carry_out(command)
            quiet = 0 if pending else quiet + 1
            time.sleep(0.02)

    def _hear(self, events: list[Event]) -> None:
        for event in events:
            self.team.handle(time.monotonic(), event)

    def _carry_out(self, command: Command) -> None:
        try:
            execute(self.datapath, command)
        except DatapathError as error:
            # An option of ours that the kernel's driver does not have.
            if error.errno != errno.ENOENT:
                raise
            return
        self.done.append(command)
        if isinstance(command, AddPort | RemovePort):
            self._hear([LinkSeen(self.datapath.link(command.ifindex))])


@pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: getattr(runner, "hwaddr_policy", runner.name))
def test_a_successor_changes_nothing(rtnl: Rtnl, tmp_path: Path, runner: RunnerConfig) -> None:
    first = Daemon(KernelDatapath.create("team0", tmp_path), runner, adopted=False)
    rtnl.set_link(first.datapath.ifindex, up=True)
    first.settle()
    before, links = first.datapath.actual(), shown(rtnl)
    assert len(before.members) == 2
    assert before.carrier
    first.datapath.close()
    with TeamFamily() as family, contextlib.closing(TeamMonitor(family, before.ifindex)) as witness:
        witness.snapshot()
        second = Daemon(KernelDatapath.adopt("team0", tmp_path), runner, adopted=True)
        assert second.done == []
        assert witness.receive() == []
    assert second.datapath.actual() == before
    assert shown(rtnl) == links
    second.datapath.destroy()
    assert {link.name for link in rtnl.links() if link.up} == {"fareth1", "fareth2"}


def shown(rtnl: Rtnl) -> list[tuple[object, ...]]:
    """All but the operational state, which lags behind by the kernel's link watch."""
    return [(link.name, link.up, link.carrier, link.address, link.master, link.mtu) for link in rtnl.links()]


def test_an_active_port_that_others_chose_stands(rtnl: Rtnl, tmp_path: Path) -> None:
    daemon = Daemon(KernelDatapath.create("team0", tmp_path), ActiveBackupRunner(), adopted=False)
    one, two = (rtnl.link_by_name(name).ifindex for name in ("eth1", "eth2"))
    for port, other in ((two, one), (one, two)):
        with TeamFamily() as family:
            state = OptionState(OptionKey("activeport"), Type.U32, port)
            family.set(daemon.datapath.ifindex, state)
        daemon.settle()
        options = daemon.datapath.actual().options
        assert options[OptionKey("activeport")] == port
        assert options[OptionKey("enabled", port)] is True
        assert options[OptionKey("enabled", other)] is False
    daemon.datapath.destroy()


def test_what_others_change_is_put_right(rtnl: Rtnl, tmp_path: Path) -> None:
    daemon = Daemon(KernelDatapath.create("team0", tmp_path), ActiveBackupRunner(), adopted=False)
    right = daemon.datapath.actual()
    one, two = (rtnl.link_by_name(name).ifindex for name in ("eth1", "eth2"))
    with TeamFamily() as family:
        family.set(right.ifindex, OptionState(OptionKey("enabled", one), Type.BOOL, False))
        family.set(right.ifindex, OptionState(OptionKey("enabled", two), Type.BOOL, True))
    rtnl.set_link(two, address=bytes.fromhex("020000000099"))
    daemon.datapath.links()
    assert daemon.datapath.actual() != right
    daemon.settle()
    assert daemon.datapath.actual() == right
    daemon.datapath.destroy()


def test_a_cut_while_nobody_looked_is_seen_at_once(rtnl: Rtnl, tmp_path: Path) -> None:
    runner = ActiveBackupRunner()
    first = Daemon(KernelDatapath.create("team0", tmp_path), runner, adopted=False)
    one, two = (rtnl.link_by_name(name) for name in ("eth1", "eth2"))
    assert first.datapath.actual().options[OptionKey("activeport")] == one.ifindex
    first.datapath.close()
    rtnl.set_link(one.link, up=False)
    second = Daemon(KernelDatapath.adopt("team0", tmp_path), runner, adopted=True)
    assert second.datapath.actual().options[OptionKey("activeport")] == two.ifindex
    second.datapath.destroy()
