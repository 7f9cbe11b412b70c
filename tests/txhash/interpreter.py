"""A classic BPF machine of the plainest kind: what a program says of a packet, for tests to compare with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pyteam.txhash import classic as c
from pyteam.txhash.classic import Program

_MASK: Final = 0xFFFFFFFF
_SIZES: Final = {c.W: 4, c.H: 2, c.B: 1}
_ABOUT: Final[Mapping[int, int]] = {}


def run(program: Program, packet: bytes, about: Mapping[int, int] = _ABOUT) -> int:
    """The result, 32 bits. ``about``: what the ancillary loads answer, by offset; one that is absent
    ends the program with 0, as does a load beyond the packet."""
    accumulator = index = at = 0
    memory = [0] * c.WORDS

    def load(size: int, offset: int) -> int:
        if offset in about:
            return about[offset]
        if offset + size > len(packet):
            raise EOFError
        return int.from_bytes(packet[offset : offset + size], "big")

    while True:
        code, jt, jf, k = program[at]
        at += 1
        class_, operand = code & 7, index if code & c.X else k
        try:
            match class_:
                case c.LD if code & 0xE0 == c.ABS and k == c.ALU_XOR_X:
                    accumulator ^= index
                case c.LD | c.LDX:
                    value = _load(code, k, index, memory, len(packet), load)
                    if class_ == c.LD:
                        accumulator = value
                    else:
                        index = value
                case c.ST:
                    memory[k] = accumulator
                case c.STX:
                    memory[k] = index
                case c.ALU:
                    accumulator = _compute(code & 0xF0, accumulator, operand)
                case c.JMP if code & 0xF0 == c.JA:
                    at += k
                case c.JMP:
                    at += jt if _holds(code & 0xF0, accumulator, operand) else jf
                case c.RET:
                    return accumulator if code & 0x18 == c.A else k
                case c.MISC if code & 0xF8 == c.TXA:
                    accumulator = index
                case c.MISC:
                    index = accumulator
        except (EOFError, ZeroDivisionError):
            return 0


def _load(
    code: int, k: int, index: int, memory: list[int], length: int, load: Callable[[int, int], int]
) -> int:
    size = _SIZES.get(code & 0x18, 0)
    match code & 0xE0:
        case c.IMM:
            return k
        case c.ABS:
            return load(size, k)
        case c.IND:
            return load(size, index + k & _MASK)
        case c.MEM:
            return memory[k]
        case c.LEN:
            return length
        case c.MSH:
            return (load(1, k) & 0xF) << 2
    raise AssertionError(f"code {code:#x}")


def _compute(operation: int, a: int, b: int) -> int:
    match operation:
        case c.ADD:
            a += b
        case c.SUB:
            a -= b
        case c.MUL:
            a *= b
        case c.DIV:
            a //= b
        case c.MOD:
            a %= b
        case c.OR:
            a |= b
        case c.AND:
            a &= b
        case c.XOR:
            a ^= b
        case c.LSH:
            # The kernel's machine takes the low five bits, whatever the processor would.
            a <<= b & 31
        case c.RSH:
            a >>= b & 31
        case c.NEG:
            a = -a
    return a & _MASK


def _holds(test: int, a: int, b: int) -> bool:
    match test:
        case c.JEQ:
            return a == b
        case c.JGT:
            return a > b
        case c.JGE:
            return a >= b
    return bool(a & b)
