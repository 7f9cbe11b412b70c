"""Whether the kernel would take a classic BPF program, and if not, why not.

The kernel's own answer is EINVAL for everything. Source: bpf_check_classic and check_load_and_stores,
net/core/filter.c.
"""

from __future__ import annotations

from typing import Final

from pyteam.errors import PyteamError
from pyteam.txhash import classic as c
from pyteam.txhash.classic import Program

_OPERATIONS: Final = (c.ADD, c.SUB, c.MUL, c.DIV, c.MOD, c.AND, c.OR, c.XOR, c.LSH, c.RSH)
_TESTS: Final = (c.JEQ, c.JGT, c.JGE, c.JSET)
_SIZES: Final = (c.W, c.H, c.B)
_ABSOLUTE: Final = frozenset(c.LD | size | c.ABS for size in _SIZES)
_MEMORY_LOADS: Final = frozenset({c.LD | c.MEM, c.LDX | c.MEM})
_BRANCHES: Final = frozenset(c.JMP | test | source for test in _TESTS for source in (c.K, c.X))
_ENDS: Final = frozenset({c.RET | c.K, c.RET | c.A})

#: The codes of instructions that there are.
CODES: Final = frozenset(
    {c.ALU | operation | source for operation in _OPERATIONS for source in (c.K, c.X)}
    | {c.ALU | c.NEG}
    | _ABSOLUTE
    | {c.LD | size | c.IND for size in _SIZES}
    | {c.LD | c.W | c.LEN, c.LD | c.IMM, c.LDX | c.W | c.LEN, c.LDX | c.B | c.MSH, c.LDX | c.IMM}
    | _MEMORY_LOADS
    | {c.ST, c.STX, c.MISC | c.TAX, c.MISC | c.TXA, c.JMP | c.JA}
    | _BRANCHES
    | _ENDS
)

#: Offsets at which an absolute load answers something about the packet (SKF_AD_*).
_ANCILLARY: Final = frozenset(range(c.PROTOCOL, c.VLAN_TPID + 4, 4))


class ProgramError(PyteamError, ValueError):
    """The kernel would refuse the program; the text says where and why."""


def check(program: Program) -> Program:
    """The program itself, if the kernel would take it. Raises `ProgramError`."""
    length = len(program)
    if not 1 <= length <= c.LONGEST:
        raise ProgramError(f"{length} instructions; a program has 1 to {c.LONGEST}")
    for at, (code, jt, jf, k) in enumerate(program):
        problem = _problem(code, jt, jf, k, length - at - 1)
        if problem:
            raise ProgramError(f"instruction {at} (code {code:#x}): {problem}")
    if program[-1].code not in _ENDS:
        raise ProgramError("the last instruction does not return")
    _check_memory(program)
    return program


def _problem(code: int, jt: int, jf: int, k: int, remaining: int) -> str:
    """Of one instruction, with so many behind it; empty: none."""
    if code not in CODES:
        return "there is no such instruction"
    if code in (c.ALU | c.DIV | c.K, c.ALU | c.MOD | c.K) and k == 0:
        return "a division by zero"
    if code in (c.ALU | c.LSH | c.K, c.ALU | c.RSH | c.K) and k >= 32:
        return f"a shift by {k} bits, of 32"
    if code in (c.ST, c.STX, *_MEMORY_LOADS) and k >= c.WORDS:
        return f"word {k} of scratch memory, which has {c.WORDS}"
    if (code == c.JMP | c.JA and k >= remaining) or (code in _BRANCHES and max(jt, jf) >= remaining):
        return "a jump beyond the end"
    if code in _ABSOLUTE and k >= c.ANCILLARY and k not in _ANCILLARY:
        return f"nothing about a packet is at offset {k:#x}"
    return ""


def _check_memory(program: Program) -> None:
    """A word of scratch memory is read only where it was written before, on every way there."""
    everything = (1 << c.WORDS) - 1
    written = [everything] * len(program)
    now = 0
    for at, (code, jt, jf, k) in enumerate(program):
        now &= written[at]
        if code in (c.ST, c.STX):
            now |= 1 << k
        elif code in _MEMORY_LOADS and not now >> k & 1:
            raise ProgramError(
                f"instruction {at} (code {code:#x}): word {k} of scratch memory is read before it is written"
            )
        elif code & 7 == c.JMP:
            for target in (k,) if code == c.JMP | c.JA else (jt, jf):
                written[at + 1 + target] &= now
            now = everything
