"""The same packet leaves by the same port on both datapaths: the one that a plain model says."""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest

from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.ebpf.quiet import silence
from pyteam.datapath.interface import Datapath
from pyteam.datapath.kernel.datapath import KernelDatapath
from pyteam.netlink.rtnl import Rtnl
from pyteam.options import OptionKey
from pyteam.txhash import check, encode, hash_program
from pyteam.txhash import classic as c
from tests.netns.anonymous import inside, namespace
from tests.txhash.model import fold, hash_of
from tests.txhash.packets import random_packet
from tests.txhash.programs import random_program

FUNCTION, MODE = OptionKey("bpf_hash_func"), OptionKey("mode")
PORTS: Final = 4
EVERYTHING: Final = ("eth", "vlan", "l3", "l4")
TEAMS: Final = ("team0", "team1")
#: Packets that are under way at a time.
BURST: Final = 64
#: At the end of each packet, where no function looks; by it a packet is known where it comes out.
TOKEN: Final = 8
#: Seconds that a packet may take.
PATIENCE: Final = 10.0
#: The tag of VLAN 7 with priority 5, which VLAN devices put beside the packet.
TAG: Final = 0xA007


class Team:
    """One datapath with ports, and ears at their far ends."""

    def __init__(self, rtnl: Rtnl, name: str, datapath: Datapath) -> None:
        self.datapath = datapath
        self._name = name
        datapath.set_option(MODE, "loadbalance")
        silence(rtnl, datapath.ifindex, name)
        self._ears = []
        for at in range(PORTS):
            near, far = f"{name}-{at}", f"{name}-far{at}"
            link = rtnl.add_veth(near, far)
            silence(rtnl, link.link, far)
            rtnl.set_link(link.link, up=True)
            datapath.add_port(link.ifindex)
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            ear.bind((far, 3))
            self._ears.append(ear)
        rtnl.set_link(datapath.ifindex, up=True)

    def ways(self, packets: Sequence[bytes], device: str = "") -> list[int]:
        """The port by which each leaves; ``device``: what of the team sends them."""
        ways: dict[bytes, int] = {}
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind((self._name + device, 0))
            for start in range(0, len(packets), BURST):
                burst = packets[start : start + BURST]
                for packet in burst:
                    sender.send(packet)
                while any(packet[-TOKEN:] not in ways for packet in burst):
                    self._listen(ways)
        return [ways[packet[-TOKEN:]] for packet in packets]

    def _listen(self, ways: dict[bytes, int]) -> None:
        ready, _, _ = select.select(self._ears, [], [], PATIENCE)
        assert ready, f"a packet did not come out of {self._name}"
        for ear in ready:
            ways[ear.recv(2048)[-TOKEN:]] = self._ears.index(ear)

    def close(self) -> None:
        for ear in self._ears:
            ear.close()
        self.datapath.destroy()


@contextmanager
def two_teams(run_dir: Path) -> Iterator[list[Team]]:
    """The same, once on each datapath."""
    with namespace() as own, inside(own), Rtnl() as rtnl:
        rtnl.set_link(rtnl.link_by_name("lo").ifindex, up=True)
        makers: Mapping[str, Callable[[str], Datapath]] = {
            "team0": EbpfDatapath.create,
            "team1": lambda name: KernelDatapath.create(name, run_dir),
        }
        teams: list[Team] = []
        try:
            for name in TEAMS:
                teams.append(Team(rtnl, name, makers[name](name)))
            yield teams
        finally:
            for team in teams:
                team.close()


@pytest.fixture(name="teams", scope="module")
def _teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Team]]:
    with two_teams(tmp_path_factory.mktemp("run")) as teams:
        yield teams


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def packets(random: Random, count: int) -> list[bytes]:
    """Any kind, none so short that nothing is left of it but the token."""
    return [random_packet(random, 60) + random.randbytes(TOKEN) for _ in range(count)]


@pytest.mark.parametrize(("fragments", "count"), [(("l3", "l4"), 1000), (EVERYTHING, 10_000)])
def test_ten_thousand_packets(teams: list[Team], fragments: tuple[str, ...], count: int) -> None:
    sent = packets(Random(1), count)
    expected = [fold(hash_of(fragments, packet)) % PORTS for packet in sent]
    assert set(expected) == set(range(PORTS))
    for team in teams:
        team.datapath.set_option(FUNCTION, hash_program(fragments))
        assert team.ways(sent) == expected


def test_packets_with_a_tag_beside_them(teams: list[Team]) -> None:
    sent = packets(Random(2), 500)
    expected = [fold(hash_of(EVERYTHING, packet, TAG)) % PORTS for packet in sent]
    assert expected != [fold(hash_of(EVERYTHING, packet)) % PORTS for packet in sent]
    for team, name in zip(teams, TEAMS, strict=True):
        ip("link", "add", "link", name, "name", f"{name}.7", "type", "vlan", "id", "7", "egress", "0:5")
        ip("link", "set", f"{name}.7", "up")
        team.datapath.set_option(FUNCTION, hash_program(EVERYTHING))
        assert team.ways(sent, ".7") == expected


def test_programs_of_users(teams: list[Team]) -> None:
    random = Random(3)
    about = (c.PROTOCOL, c.ALU_XOR_X, c.VLAN_TAG_PRESENT, c.HATYPE)
    used = set()
    for _ in range(30):
        program = check(random_program(random, about))
        sent = packets(random, 30)
        for team in teams:
            team.datapath.set_option(FUNCTION, encode(program))
        by_ebpf, by_driver = (team.ways(sent) for team in teams)
        assert by_ebpf == by_driver, program
        used |= set(by_driver)
    assert used == set(range(PORTS))


def test_the_table_and_a_port_that_comes_back(teams: list[Team]) -> None:
    """An entry without a port goes by the remainder, in the order of enabling; on both."""
    random = Random(4)
    sent = packets(random, 500)
    table = [random.randrange(PORTS + 1) for _ in range(256)]
    found = []
    for team in teams:
        datapath = team.datapath
        ports = sorted(datapath.actual().members)
        datapath.set_option(FUNCTION, hash_program(("l3", "l4")))
        datapath.set_option(OptionKey("lb_tx_method"), "hash_to_port_mapping")
        for at, port in enumerate(ports):
            datapath.set_entries(port, [entry for entry, owner in enumerate(table) if owner == at])
        whole = team.ways(sent)
        datapath.set_option(OptionKey("enabled", ports[1]), False)
        without = team.ways(sent)
        datapath.set_option(OptionKey("enabled", ports[1]), True)
        found.append((whole, without, team.ways(sent)))
        datapath.set_option(OptionKey("lb_tx_method"), "hash")
    by_ebpf, by_driver = found
    assert by_ebpf == by_driver
    whole, without, again = by_driver
    assert 1 not in without
    assert again != whole
