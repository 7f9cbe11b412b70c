"""A classic program and its translation on the same packets: the kernel compares them.

A packet is sent by one end of a veth pair. At its egress the translation runs and leaves its result in
the packet's mark. Then taps see the same packet, with filters made of the program itself: one lets
through what is equal to the mark, one what is not 0. A filter cannot tell a load that failed from a
result of 0; nor could the driver.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Final

from pyteam.datapath.ebpf import bytecode as e
from pyteam.datapath.ebpf import libbpf, splice
from pyteam.datapath.ebpf.quiet import silence
from pyteam.datapath.ebpf.translate import translate
from pyteam.netlink.rtnl import Rtnl
from pyteam.txhash import classic as c
from pyteam.txhash.classic import Instruction, Program, encode
from tests.netns.anonymous import inside, namespace

_SO_ATTACH_FILTER: Final = 26
_SOL_PACKET: Final = 263
_PACKET_VNET_HDR: Final = 15
_ETH_P_ALL: Final = 3
_EVERYTHING: Final = 0xFFFFFFFF
_MARK: Final = 8  # offset in struct __sk_buff
_VLAN_PUSH: Final = 18  # BPF_FUNC_skb_vlan_push
_MTU: Final = 9000


class Wire:
    """See the module. Made by `wire`."""

    def __init__(self, ifindex: int, name: str) -> None:
        self.ifindex = ifindex
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sender.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self._sender.bind((name, 0))
        self._equal, self._other, self._zero = taps = [self._tap(name) for _ in range(3)]
        self._sockets = [self._sender, *taps]
        _attach(self._zero, (Instruction(c.LD | c.W | c.ABS, k=c.MARK), *_returning_on(0)))
        self._attached = 0

    @staticmethod
    def _tap(name: str) -> socket.socket:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        tap.bind((name, _ETH_P_ALL))
        tap.setblocking(False)
        return tap

    def run(self, program: Program, tag: int | None = None) -> None:
        """From now on packets meet this program; ``tag``: with a VLAN tag beside them."""
        self.hang(translate(program, self.ifindex), tag)
        _attach(self._equal, _comparing(program))
        _attach(self._other, _not_zero(program))

    def hang(self, function: e.Code, tag: int | None = None) -> None:
        """Let a function mark each packet."""
        fd = _load(_marking(tag) + function)
        libbpf.attach(fd, self.ifindex, libbpf.TCX_EGRESS, replace=self._attached)
        self._let_go()
        self._attached = fd

    def agree(self, packet: bytes, linear: int = 0) -> bool:
        """Whether the kernel's machine says of the packet what the translation does; ``linear``: of a
        big packet, so many bytes are in one piece."""
        self.send(packet, linear)
        equal, other, zero = (_got(tap) for tap in (self._equal, self._other, self._zero))
        return not other if zero else equal

    def send(self, packet: bytes, linear: int = 0) -> None:
        self._sender.send(bytes(2) + linear.to_bytes(2, "little") + bytes(6) + packet)

    def _let_go(self) -> None:
        if self._attached:
            libbpf.close(self._attached)
            self._attached = 0

    def close(self) -> None:
        self._let_go()
        for each in self._sockets:
            each.close()


@contextmanager
def wire() -> Iterator[Wire]:
    """In a namespace of its own, which this thread is in meanwhile."""
    with namespace() as made, inside(made), Rtnl() as rtnl:
        link = rtnl.add_veth("near", "far")
        for end, name in ((link.link, "far"), (link.ifindex, "near")):
            # Nothing but what is sent here may pass the taps.
            silence(rtnl, end, name)
            rtnl.set_link(end, mtu=_MTU)
            rtnl.set_link(end, up=True)
        bench = Wire(link.ifindex, "near")
        try:
            yield bench
        finally:
            bench.close()


@contextmanager
def returning(function: e.Code) -> Iterator[int]:
    """A program whose verdict is the function's result."""
    call = e.Instruction(e.CALL, source=e.PSEUDO_CALL, immediate=1)
    fd = _load([call, e.Instruction(e.EXIT), *function])
    try:
        yield fd
    finally:
        libbpf.close(fd)


def taken(program: Program) -> bool:
    """Whether the kernel finds a classic program correct."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        try:
            _attach(far, program)
        except OSError:
            return False
    return True


def _attach(to: socket.socket, program: Program) -> None:
    code = ctypes.create_string_buffer(encode(program))
    filter_ = len(program).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(8, "little")
    to.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


def _got(tap: socket.socket) -> bool:
    try:
        tap.recv(1)
    except BlockingIOError:
        return False
    return True


def _returning_on(value: int) -> Program:
    """Everything if the accumulator is this, else nothing."""
    return (
        Instruction(c.JMP | c.JEQ | c.K, 0, 1, value),
        Instruction(c.RET | c.K, k=_EVERYTHING),
        Instruction(c.RET | c.K, k=0),
    )


def _with_end(program: Program, end: Program) -> Program:
    """The end comes where the program returns, with its result in the accumulator."""
    changed: list[Instruction] = []
    # A constant is loaded before the jump, so that what was one instruction becomes two.
    moved = list(accumulate((1 + (code == c.RET | c.K) for code, *_ in program), initial=0))
    for at, instruction in enumerate(program):
        code, jt, jf, k = instruction
        if code & 7 == c.RET:
            if code == c.RET | c.K:
                changed.append(Instruction(c.LD | c.IMM, k=k))
            changed.append(Instruction(c.JMP | c.JA, k=moved[-1] - len(changed) - 1))
        elif code == c.JMP | c.JA:
            changed.append(Instruction(code, k=moved[at + 1 + k] - moved[at] - 1))
        elif code & 7 == c.JMP:
            jt, jf = (moved[at + 1 + jump] - moved[at] - 1 for jump in (jt, jf))
            changed.append(Instruction(code, jt, jf, k))
        else:
            changed.append(instruction)
    return (*changed, *end)


def _comparing(program: Program) -> Program:
    end = (
        Instruction(c.MISC | c.TAX),
        Instruction(c.LD | c.W | c.ABS, k=c.MARK),
        Instruction(c.JMP | c.JEQ | c.X, 0, 1),
        Instruction(c.RET | c.K, k=_EVERYTHING),
        Instruction(c.RET | c.K, k=0),
    )
    return _with_end(program, end)


def _not_zero(program: Program) -> Program:
    end = (
        Instruction(c.JMP | c.JEQ | c.K, 0, 1, 0),
        Instruction(c.RET | c.K, k=0),
        Instruction(c.RET | c.K, k=_EVERYTHING),
    )
    return _with_end(program, end)


def _marking(tag: int | None) -> e.Code:
    """A main program that calls the function behind it and leaves the result in the packet's mark."""
    saved, result = 6, 0
    code = [e.Instruction(e.ALU64 | e.MOV | c.X, saved, 1)]
    if tag is not None:
        code += [
            e.Instruction(c.ALU | e.MOV | c.K, 2, immediate=socket.htons(0x8100)),
            e.Instruction(c.ALU | e.MOV | c.K, 3, immediate=tag),
            e.Instruction(e.CALL, immediate=_VLAN_PUSH),
            e.Instruction(e.ALU64 | e.MOV | c.X, 1, saved),
        ]
    end = [
        e.Instruction(c.STX | c.W | c.MEM, saved, result, _MARK),
        e.Instruction(c.ALU | e.MOV | c.K, result, immediate=-1),
        e.Instruction(e.EXIT),
    ]
    return [*code, e.Instruction(e.CALL, source=e.PSEUDO_CALL, immediate=len(end)), *end]


def _load(code: e.Code) -> int:
    return libbpf.load_program("hash", e.encode(code), splice.btf(), splice.function_info(code))
