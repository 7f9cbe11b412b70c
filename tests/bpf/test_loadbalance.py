"""Mode loadbalance: the hash of a packet, its entry, its port; and what happens to it when that is dead."""

from __future__ import annotations

import socket
from collections import Counter
from random import Random

import pytest

from pyteam.datapath.ebpf import bytecode as e
from pyteam.datapath.ebpf import hooks
from pyteam.datapath.ebpf.bytecode import Code
from pyteam.datapath.ebpf.translate import translate
from pyteam.txhash import classic as c
from pyteam.txhash import hash_program
from pyteam.txhash.classic import Instruction, decode
from tests.bpf.harness import NEXT, REDIRECT, SHOT, Programs, programs, run_program
from tests.txhash.model import fold, hash_of
from tests.txhash.packets import random_packet

EVERYTHING = ("eth", "vlan", "l3", "l4")
ENTRIES = range(256)
PLACES = [place % 3 for place in ENTRIES]
FIRST_BYTE = translate((Instruction(c.LD | c.B | c.ABS, k=14), Instruction(c.RET | c.A)))


def function(*fragments: str) -> Code:
    return translate(decode(hash_program(fragments)))


def frame(hash_: int, size: int = 60) -> bytes:
    """Of a protocol that nobody answers; with `FIRST_BYTE` it has this hash."""
    return b"\x02" + bytes(11) + b"\x88\xb5" + bytes([hash_]) + bytes(size - 15)


def ports_taken(bench: Programs, hashes: range = ENTRIES) -> list[int]:
    """By hash: the number of the port by which it leaves."""
    taken = []
    before = bench.sent()
    for hash_ in hashes:
        assert bench.transmit(frame(hash_)) == REDIRECT
        after = bench.sent()
        taken += [at for at, count in enumerate(after) if count != before[at]]
        before = after
    return taken


@pytest.mark.parametrize("fragments", [("l3", "l4"), EVERYTHING])
def test_packets_go_and_are_counted_as_the_model_says(fragments: tuple[str, ...]) -> None:
    random = Random(1)
    sent, entries = Counter[int](), Counter[int]()
    with programs("loadbalance", 4, function(*fragments)) as bench:
        for _ in range(3000):
            packet = random_packet(random, 60)
            entry = fold(hash_of(fragments, packet))
            sent[entry % 4] += 1
            entries[entry] += len(packet)
            assert bench.transmit(packet) == REDIRECT
        assert bench.sent() == [sent[at] for at in range(4)]
        assert bench.hooks.sent() == tuple(entries[entry] for entry in ENTRIES)


def test_all_four_bytes_of_a_hash_count() -> None:
    word = translate((Instruction(c.LD | c.W | c.ABS, k=14), Instruction(c.RET | c.A)))
    with programs("loadbalance", 1, word) as bench:
        bench.transmit(frame(0)[:14] + bytes([1, 2, 4, 8]) + bytes(40))
        assert [entry for entry, size in enumerate(bench.hooks.sent()) if size] == [15]


def test_without_a_function_every_hash_is_0() -> None:
    with programs("loadbalance", 3) as bench:
        for hash_ in range(20):
            bench.transmit(frame(hash_))
        assert bench.sent() == [20, 0, 0]
        assert bench.hooks.sent()[0] == 20 * 60


def test_entries_name_ports_of_the_order() -> None:
    with programs("loadbalance", 3, FIRST_BYTE) as bench:
        assert ports_taken(bench) == [hash_ % 3 for hash_ in ENTRIES]
        table = [2] * 200 + [0] * 56
        bench.hooks.shared.set_order(bench.ports, table)
        assert ports_taken(bench) == table
        # The same ports in another order is a change, too.
        bench.hooks.shared.set_order(bench.ports[::-1], table)
        assert ports_taken(bench) == [2 - at for at in table]


@pytest.mark.parametrize("dead", range(3))
def test_a_dead_ports_entries_are_dealt_to_the_others(dead: int) -> None:
    with programs("loadbalance", 3, FIRST_BYTE) as bench:
        bench.hooks.shared.set_order(bench.ports, PLACES)
        before = ports_taken(bench)
        bench.cut(bench.ports[dead])
        during = ports_taken(bench)
        assert all(now == then for now, then in zip(during, before, strict=True) if then != dead)
        moved = Counter(now for now, then in zip(during, before, strict=True) if then == dead)
        assert dead not in moved
        assert max(moved.values()) - min(moved.values()) <= 1
        assert len(moved) == 2
        assert bench.told() == [bench.ports[dead]]
        assert ports_taken(bench) == during
        bench.mend(bench.ports[dead])
        assert ports_taken(bench) == before


def test_only_the_last_port_works() -> None:
    with programs("loadbalance", 5, FIRST_BYTE) as bench:
        for port in bench.ports[:-1]:
            bench.cut(port)
        assert set(ports_taken(bench)) == {4}
        bench.cut(bench.ports[4])
        assert bench.transmit(frame(7)) == SHOT
        assert sum(bench.hooks.sent()) == 256 * 60


def test_a_deleted_ports_entries_are_dealt_to_the_others() -> None:
    with programs("loadbalance", 3, FIRST_BYTE) as bench:
        ports_taken(bench)
        bench.rtnl.delete_link(bench.ports[1])
        assert {at for at in ports_taken(bench) if at == 1} == set()


def test_a_port_is_received_from_while_it_receives() -> None:
    with programs("loadbalance") as bench:
        receiving, other = bench.ports
        bench.hooks.shared.receive_on({receiving}, spare=False)
        assert (bench.receive(receiving), bench.receive(other)) == (REDIRECT, SHOT)


def test_a_function_is_swapped_for_another_with_the_same_state() -> None:
    """Also by a process that has the programs only by what hangs."""
    # libbpf names maps after the place of the object in memory; a large one is far from others.
    code = hooks.object_code() + bytes(1 << 20)
    with programs("loadbalance", 2, function("eth")) as bench:
        peer = bench.rtnl.link_by_name("teampeer").ifindex
        bench.hooks.hang(bench.team, peer, bench.ports)
        bench.transmit(frame(9))
        bench.hooks.use_hash(bench.team, peer, code, FIRST_BYTE)
        assert ports_taken(bench, range(8)) == [0, 1] * 4
        found = hooks.Hooks.find(bench.team, peer)
        assert found is not None
        try:
            found.use_hash(bench.team, peer, code, None)
            run_program(found.transmit, frame(9), bench.team)
        finally:
            found.close()
        assert bench.hooks.sent()[0] == 2 * 60  # this one, and the first of the eight
        assert sum(bench.hooks.sent()) == 10 * 60


def test_a_function_that_the_kernel_refuses_changes_nothing() -> None:
    looks_beyond = [
        e.Instruction(c.LDX | c.W | c.MEM, 0, 1, 0x7000),
        e.Instruction(e.EXIT),
    ]
    with programs("loadbalance", 2, FIRST_BYTE) as bench:
        peer = bench.rtnl.link_by_name("teampeer").ifindex
        bench.hooks.hang(bench.team, peer, bench.ports)
        with pytest.raises(OSError, match="invalid bpf_context access"):
            bench.hooks.use_hash(bench.team, peer, hooks.object_code(), looks_beyond)
        assert ports_taken(bench, range(4)) == [0, 1, 0, 1]


def test_a_tapped_device_transmits_itself() -> None:
    with (
        programs("loadbalance", 2, FIRST_BYTE) as bench,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as tap,
    ):
        tap.bind(("team", 3))
        assert bench.transmit(frame(3)) == NEXT
        assert sum(bench.hooks.sent()) == 0
