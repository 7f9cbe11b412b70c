"""Runner ``loadbalance`` on the kernel's driver: table, fail-over of entries, successors, real traffic."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from pyteam.config import LoadBalanceRunner, PortConfig, TeamConfig, TxBalancer
from pyteam.daemon.service import TeamService
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.engine.hashtable import KEYS
from pyteam.netlink.rtnl import Rtnl
from pyteam.netlink.team import OptionState, TeamFamily, TeamMonitor
from pyteam.options import OptionKey, Type
from tests.netns.anonymous import inside, namespace

TEAM: Final = "team0"
NAMES: Final = ("eth1", "eth2", "eth3", "eth4")
#: Seconds in which everything happens, or never will.
PATIENCE: Final = 20.0


class Bench:
    """One team of four cables, and the daemon's loop; ``sets`` are the requests that set options."""

    def __init__(self, rtnl: Rtnl, run_dir: Path, sets: list[int]) -> None:
        self.rtnl = rtnl
        self.sets = sets
        self._run_dir = run_dir
        self.datapath = KernelDatapath.create(TEAM, run_dir)
        rtnl.set_link(self.datapath.ifindex, up=True)
        self.adopted = False

    def succeed(self) -> None:
        self.datapath.close()
        self.datapath = KernelDatapath.adopt(TEAM, self._run_dir)
        self.adopted = True

    def index(self, name: str) -> int:
        return self.rtnl.link_by_name(name).ifindex

    def cable(self, name: str, whole: bool) -> None:
        self.rtnl.set_link(self.index(f"far{name}"), up=whole)

    def table(self) -> list[str]:
        """As the driver has it: the name of each entry's port."""
        with TeamFamily() as family:
            values = {option.key: option.value for option in family.options(self.datapath.ifindex)}
        names = {0: "", **{self.index(name): name for name in NAMES}}
        return [names[int(values[key])] for key in KEYS]

    def seen(self) -> list[int]:
        """As the daemon knows it, which is quickly found; by index."""
        options = self.datapath.actual().options
        return [int(options.get(key, 0)) for key in KEYS]

    def run(self, life: Callable[[TeamService], Awaitable[None]], balancer: TxBalancer | None = None) -> None:
        """A daemon's life."""
        config = TeamConfig(
            device=TEAM,
            runner=LoadBalanceRunner(tx_hash=("eth",), tx_balancer=balancer or TxBalancer()),
            ports={name: PortConfig() for name in NAMES},
        )

        async def live() -> None:
            service = TeamService(
                config, self.datapath, adopted=self.adopted, add_ports=True, on_removed=lambda: None
            )
            service.start(asyncio.get_running_loop())
            try:
                await life(service)
            finally:
                service.stop()

        asyncio.run(live())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    sets: list[int] = []
    send = TeamFamily.set

    def counted(family: TeamFamily, ifindex: int, *options: OptionState) -> None:
        sets.append(len(options))
        send(family, ifindex, *options)

    monkeypatch.setattr(TeamFamily, "set", counted)
    with namespace() as own, inside(own), Rtnl() as rtnl:
        for name in NAMES:
            rtnl.add_veth(name, f"far{name}", peer_up=True)
        made = Bench(rtnl, tmp_path, sets)
        yield made
        made.datapath.destroy()


async def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def moved(before: list[str], after: list[str]) -> set[int]:
    return {entry for entry, both in enumerate(zip(before, after, strict=True)) if both[0] != both[1]}


def all_up(bench: Bench) -> Callable[[], bool]:
    return lambda: 0 not in bench.seen() and sorted(Counter(bench.seen()).values()) == [64] * 4


def gone(bench: Bench, *names: str) -> Callable[[], bool]:
    """The others have it all."""
    there = len(NAMES) - len(names)
    return lambda: len(set(bench.seen()) - {0, *map(bench.index, names)}) == there == len(set(bench.seen()))


def test_a_failed_port_gives_its_entries_and_gets_them_back(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(service: TeamService) -> None:
        await until(all_up(bench))
        for name in ("eth3", "eth1"):
            whole = bench.table()
            bench.sets.clear()
            bench.cable(name, False)
            await until(gone(bench, name))
            without = bench.table()
            assert moved(whole, without) == {entry for entry in range(256) if whole[entry] == name}
            await until(lambda: len(bench.sets) >= 4)
            # One request a port that takes some, then it is disabled; the driver found nothing to clear.
            assert sorted(bench.sets) == [2, 21, 21, 22]
            assert "" not in without
            bench.cable(name, True)
            await until(all_up(bench))
            assert bench.table() == whole
            # Of all that was told, nothing was taken for somebody else's doing.
            assert "Repairing" not in caplog.text
            assert "Failed" not in caplog.text

    bench.run(life)


def test_a_port_that_vanishes(bench: Bench) -> None:
    async def life(service: TeamService) -> None:
        await until(all_up(bench))
        whole = bench.table()
        bench.rtnl.delete_link(bench.index("eth2"))
        bench.rtnl.add_veth("eth2", "fareth2", peer_up=True)
        await until(lambda: bench.index("eth2") in bench.seen())
        await until(all_up(bench))
        assert len(moved(whole, bench.table())) <= 64

    bench.run(life)


def test_a_successor_moves_nothing(bench: Bench) -> None:
    async def history(service: TeamService) -> None:
        await until(all_up(bench))
        for lost in (("eth2",), ("eth2", "eth4")):
            bench.cable(lost[-1], False)
            await until(gone(bench, *lost))
        bench.cable("eth2", True)
        await until(gone(bench, "eth4"))

    async def succession(service: TeamService) -> None:
        await asyncio.sleep(0.5)

    bench.run(history)
    before = bench.table()
    bench.sets.clear()
    with TeamFamily() as family, contextlib.closing(TeamMonitor(family, bench.datapath.ifindex)) as witness:
        witness.snapshot()
        bench.succeed()
        bench.run(succession)
        assert witness.receive() == []
    assert bench.sets == []
    assert bench.table() == before


def test_what_others_disable_is_enabled_again_once(bench: Bench) -> None:
    """The original answers the echo of each change with another one, for ever."""

    async def life(service: TeamService) -> None:
        await until(all_up(bench))
        whole = bench.table()
        port = bench.index("eth1")
        with TeamFamily() as family:
            family.set(bench.datapath.ifindex, OptionState(OptionKey("enabled", port), Type.BOOL, False))
        await until(lambda: bench.table() == whole)
        await asyncio.sleep(0.5)
        bench.sets.clear()
        await asyncio.sleep(1)
        assert bench.sets == []

    bench.run(life)


def test_the_balancer_parts_what_is_heavy(bench: Bench) -> None:
    """Three flows on one port, which no hash could know to be the heavy ones."""

    async def life(service: TeamService) -> None:
        await until(all_up(bench))
        heavy = [entry for entry, owner in enumerate(bench.table()) if owner == "eth1"][:3]
        with sender() as send:

            def parted() -> bool:
                for entry in heavy:
                    for _ in range(5):
                        send(entry, 1400)
                for entry in range(0, 256, 8):
                    send(entry, 100)
                owners = bench.seen()
                return len({owners[entry] for entry in heavy}) == 3

            await until(parted)
            # And then it is content.
            for _ in range(40):
                parted()
                await asyncio.sleep(0.02)
            bench.sets.clear()
            for _ in range(100):
                parted()
                await asyncio.sleep(0.02)
            assert sum(bench.sets) <= 4
            assert parted()

    bench.run(life, TxBalancer("basic", 5))


@contextlib.contextmanager
def sender() -> Iterator[Callable[[int, int], Any]]:
    """Sends a frame of a hash (of MACs, all bytes of which are combined to one) and a size."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((TEAM, 0))

        def send(hash_: int, size: int) -> None:
            header = bytes.fromhex("02000000000002000000") + bytes((0, hash_)) + b"\x88\xb5"
            raw.send(header + bytes(size - len(header)))

        yield send
