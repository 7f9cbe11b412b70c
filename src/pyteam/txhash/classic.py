"""Classic BPF: the instructions, and the bytes that the kernel takes. Knows no rule and no meaning.

Source: uapi linux/filter.h and linux/bpf_common.h, whose names these are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

# Classes: the low three bits of a code.
LD: Final = 0x00
LDX: Final = 0x01
ST: Final = 0x02
STX: Final = 0x03
ALU: Final = 0x04
JMP: Final = 0x05
RET: Final = 0x06
MISC: Final = 0x07

# Sizes and modes of loads.
W: Final = 0x00
H: Final = 0x08
B: Final = 0x10
IMM: Final = 0x00
ABS: Final = 0x20
IND: Final = 0x40
MEM: Final = 0x60
LEN: Final = 0x80
MSH: Final = 0xA0

# Operations.
ADD: Final = 0x00
SUB: Final = 0x10
MUL: Final = 0x20
DIV: Final = 0x30
OR: Final = 0x40
AND: Final = 0x50
LSH: Final = 0x60
RSH: Final = 0x70
NEG: Final = 0x80
MOD: Final = 0x90
XOR: Final = 0xA0

# Jumps.
JA: Final = 0x00
JEQ: Final = 0x10
JGT: Final = 0x20
JGE: Final = 0x30
JSET: Final = 0x40

# Operands: the constant, or the index register. `RET` takes `K` or the accumulator.
K: Final = 0x00
X: Final = 0x08
A: Final = 0x10

# Of MISC.
TAX: Final = 0x00
TXA: Final = 0x80

#: Words of scratch memory (BPF_MEMWORDS).
WORDS: Final = 16
#: Instructions of the longest program (BPF_MAXINSNS).
LONGEST: Final = 4096

# Offsets at which an absolute load answers something about the packet instead (SKF_AD_OFF + SKF_AD_*).
ANCILLARY: Final = 0xFFFFF000
PROTOCOL: Final = ANCILLARY + 0
PKTTYPE: Final = ANCILLARY + 4
IFINDEX: Final = ANCILLARY + 8
NLATTR: Final = ANCILLARY + 12
NLATTR_NEST: Final = ANCILLARY + 16
MARK: Final = ANCILLARY + 20
QUEUE: Final = ANCILLARY + 24
HATYPE: Final = ANCILLARY + 28
RXHASH: Final = ANCILLARY + 32
CPU: Final = ANCILLARY + 36
ALU_XOR_X: Final = ANCILLARY + 40
VLAN_TAG: Final = ANCILLARY + 44
VLAN_TAG_PRESENT: Final = ANCILLARY + 48
PAY_OFFSET: Final = ANCILLARY + 52
RANDOM: Final = ANCILLARY + 56
VLAN_TPID: Final = ANCILLARY + 60
#: From here on offsets count from the network header (SKF_NET_OFF).
FROM_NETWORK: Final = 0xFFF00000
#: And from here on from the link layer's (SKF_LL_OFF).
FROM_LINK: Final = 0xFFE00000

_FILTER: Final = struct.Struct("=HBBI")


class Instruction(NamedTuple):
    """struct sock_filter."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


Program = tuple[Instruction, ...]


def encode(program: Iterable[Instruction]) -> bytes:
    """The array of struct sock_filter, in host byte order: what ``bpf_hash_func`` is set to."""
    return b"".join(_FILTER.pack(*instruction) for instruction in program)


def decode(data: bytes) -> Program:
    """The inverse. Raises ValueError when it is no whole number of instructions."""
    if len(data) % _FILTER.size:
        raise ValueError(f"{len(data)} bytes are no array of {_FILTER.size}-byte instructions")
    return tuple(Instruction(*fields) for fields in _FILTER.iter_unpack(data))
