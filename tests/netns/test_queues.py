"""``queue_id`` on the eBPF datapath: what a filter gave a port's queue leaves by that port.

This kernel may have no tc filters. A tcx program behind ours stands for one; it gives the packets of
sockets with a mark a queue. What tc does is shown in the lab.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.bytecode import ALU64, EXIT, JNE, MOV, Instruction, encode
from pyteam.datapath.ebpf.datapath import EbpfDatapath
from pyteam.datapath.ebpf.splice import btf, function_info
from pyteam.options import OptionKey
from pyteam.txhash import classic as c
from tests.netns.cabled import Host, frames, two_hosts
from tests.netns.ticks import next_tick

MODES: Final = ("roundrobin", "random", "broadcast", "loadbalance")
PORT: Final = 9001
QUEUE: Final = 3
MARK: Final = 9
SO_MARK: Final = 36
PAYLOAD: Final = b"a packet of this test"
#: Offsets in struct __sk_buff.
_MARK, _QUEUE_MAPPING = 8, 12
FILTER: Final = [
    Instruction(c.LDX | c.MEM | c.W, 2, 1, _MARK),
    Instruction(c.JMP | JNE, 2, 0, 2, MARK),
    # The kernel takes it for the queue that a packet came in by, counted from 1, and picks the same.
    Instruction(ALU64 | MOV, 3, 0, 0, QUEUE + 1),
    Instruction(c.STX | c.MEM | c.W, 1, 3, _QUEUE_MAPPING),
    Instruction(ALU64 | MOV, 0, 0, 0, -1),
    Instruction(EXIT),
]


@contextmanager
def hosts(mode: str, *, txqueues: int | None = None) -> Iterator[tuple[Host, Host]]:
    """The first of them has the filter."""
    with two_hosts(mode, 3, txqueues=txqueues) as (a, b):
        program = libbpf.load_program("stands_for_tc", encode(FILTER), btf(), function_info(FILTER))
        with a.here():
            libbpf.attach(program, a.team.ifindex, libbpf.TCX_EGRESS)
        libbpf.close(program)
        with b.here(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inbox:
            inbox.bind((b.ipv4, PORT))
            yield a, b


def give(host: Host, cable: int, queue: int = QUEUE) -> None:
    with host.here():
        host.team.set_option(OptionKey("queue_id", host.ports[cable]), queue)
    next_tick()


@contextmanager
def sockets(sender: Host, receiver: Host, count: int, *, mark: int = 0) -> Iterator[list[socket.socket]]:
    """Connected ones, so that each remembers what it used last."""
    with ExitStack() as stack:
        made = []
        with sender.here():
            for _ in range(count):
                one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                one.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
                one.connect((receiver.ipv4, PORT))
                made.append(one)
        yield made


def ways(receiver: Host, senders: Sequence[socket.socket]) -> list[int]:
    """How many packets come by each cable, when each of the sockets sends one."""
    with ExitStack() as stack:
        taps = [stack.enter_context(receiver.tap(f"eth{cable}")) for cable in range(len(receiver.ports))]
        for one in senders:
            one.send(PAYLOAD)
        return [sum(PAYLOAD in frame for frame in frames(tap)) for tap in taps]


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_chooses_the_port_while_it_can_send(mode: str) -> None:
    with hosts(mode) as (a, b), sockets(a, b, 12, mark=MARK) as marked:
        give(a, 2)
        assert ways(b, marked) == [0, 0, 12]
        a.cut(2)
        spread = ways(b, marked)
        assert sum(spread) == (24 if mode == "broadcast" else 12)
        assert spread[2] == 0
        a.mend(2)
        assert ways(b, marked) == [0, 0, 12]
        give(a, 2, 0)
        assert ways(b, marked) != [0, 0, 12]


def test_in_activebackup_only_the_active_port_may_send() -> None:
    with hosts("activebackup") as (a, b), sockets(a, b, 12, mark=MARK) as marked:
        with a.here():
            for port in a.ports[1:]:
                a.team.set_option(OptionKey("enabled", port), False)
        give(a, 2)
        assert ways(b, marked) == [12, 0, 0]


def test_of_several_ports_with_a_queue_the_highest_priority_that_can_send_has_it() -> None:
    with hosts("roundrobin") as (a, b), sockets(a, b, 12, mark=MARK) as marked:
        for cable, priority in enumerate((-7, 5, -1)):
            give(a, cable)
            with a.here():
                a.team.set_option(OptionKey("priority", a.ports[cable]), priority)
        assert ways(b, marked) == [0, 12, 0]
        a.cut(1)
        assert ways(b, marked) == [0, 0, 12]
        a.cut(2)
        assert ways(b, marked) == [12, 0, 0]


def test_turns_are_taken_by_what_is_spread_alone() -> None:
    with hosts("roundrobin") as (a, b), sockets(a, b, 1) as plain, sockets(a, b, 1, mark=MARK) as marked:
        give(a, 2)
        by = ways(b, (plain + marked) * 30)
        # A turn is each CPU's own, and what the kernel itself sends takes one, too.
        assert all(abs(one - mean) <= 4 for one, mean in zip(by, (10, 10, 40), strict=True)), by


@pytest.mark.parametrize("mode", ["loadbalance", "broadcast"])
def test_what_no_filter_touched_is_left_to_the_mode(mode: str) -> None:
    """The kernel would give it any queue, by its hash."""
    usual = {"loadbalance": [100, 0, 0], "broadcast": [100, 100, 100]}
    with hosts(mode) as (a, b), sockets(a, b, 100) as plain:
        give(a, 2)
        assert ways(b, plain) == usual[mode]
        assert ways(b, plain) == usual[mode]


def test_a_queue_that_a_socket_remembers_of_a_port_is_no_choice() -> None:
    with hosts("loadbalance", txqueues=8) as (a, b), sockets(a, b, 100) as plain:
        assert ways(b, plain) == [100, 0, 0]
        give(a, 2)
        assert ways(b, plain) == [100, 0, 0]


def test_a_successor_goes_on_with_it() -> None:
    with hosts("loadbalance") as (a, b), sockets(a, b, 12, mark=MARK) as marked:
        give(a, 2)
        with a.here():
            a.team.close()
            assert ways(b, marked) == [0, 0, 12]
            a.team = EbpfDatapath.adopt("team0")
        assert ways(b, marked) == [0, 0, 12]
        with a.here():
            a.team.remove_port(a.ports[2])
        assert ways(b, marked)[2] == 0
