"""Instructions of the kernel's eBPF machine, as values and as bytes. Knows no program.

Source: uapi linux/bpf.h. Classes, sizes, modes and operations that it shares with classic BPF are in
`pyteam.txhash.classic`.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import Final, NamedTuple

JMP32: Final = 0x06
ALU64: Final = 0x07
DW: Final = 0x18
MOV: Final = 0xB0
#: With `classic.ALU`: to and from big endian; the immediate gives the bits.
BIG_ENDIAN: Final = 0xD8
JNE: Final = 0x50
JLT: Final = 0xA0
JLE: Final = 0xB0
CALL: Final = 0x85
EXIT: Final = 0x95
#: Two instructions long; the second has code 0.
LOAD_IMMEDIATE: Final = 0x18

#: In the source register of a call, and of `LOAD_IMMEDIATE`: the immediate counts instructions from the next.
PSEUDO_CALL: Final = 1
PSEUDO_FUNCTION: Final = 4
#: The same of a load alone: the immediate is a map's descriptor.
PSEUDO_MAP: Final = 1
PSEUDO_MAP_VALUE: Final = 2

#: The stack's end; programs may use 512 bytes below.
FRAME: Final = 10

_INSTRUCTION: Final = struct.Struct("=BBhi")


class Instruction(NamedTuple):
    """struct bpf_insn; ``immediate`` is signed."""

    code: int
    destination: int = 0
    source: int = 0
    offset: int = 0
    immediate: int = 0


Code = list[Instruction]


def encode(code: Iterable[Instruction]) -> bytes:
    return b"".join(
        _INSTRUCTION.pack(op, _registers(destination, source), offset, immediate)
        for op, destination, source, offset, immediate in code
    )


def decode(data: bytes) -> Code:
    """The inverse."""
    return [
        Instruction(op, *_split(registers), offset, immediate)
        for op, registers, offset, immediate in _INSTRUCTION.iter_unpack(data)
    ]


def signed(value: int) -> int:
    """32 bits as the immediate that stands for them."""
    return value - 2**32 if value >= 2**31 else value


# Two bit fields of a byte, which C orders by the machine's byte order.
if sys.byteorder == "little":

    def _registers(destination: int, source: int) -> int:
        return destination | source << 4

    def _split(registers: int) -> tuple[int, int]:
        return registers & 15, registers >> 4

else:

    def _registers(destination: int, source: int) -> int:
        return destination << 4 | source

    def _split(registers: int) -> tuple[int, int]:
        return registers >> 4, registers & 15
