"""Putting a hash function into the transmit program of mode ``loadbalance``. Pure.

The program, as libbpf made it ready for this kernel, calls a placeholder. A copy of it calls the hash
function instead. Kernel and libbpf have means for that which were seen to fail (a replaced function is
refused on locked-down machines, tail calls go through a map that empties when the daemon dies); a
call inside one program has no moving parts.
"""

from __future__ import annotations

import struct
from typing import Final

from pyteam.datapath.ebpf.bytecode import (
    ALU64,
    CALL,
    EXIT,
    LOAD_IMMEDIATE,
    MOV,
    PSEUDO_CALL,
    PSEUDO_FUNCTION,
    Code,
    Instruction,
)
from pyteam.txhash import classic as c

#: TEAM_HASH_PLACEHOLDER: what the placeholder loads before it returns.
PLACEHOLDER: Final = 0x48485353
_PLACEHOLDER: Final = [Instruction(ALU64 | MOV | c.K, immediate=PLACEHOLDER), Instruction(EXIT)]

_BTF: Final = struct.Struct("=HBBIIIII")  # struct btf_header
_TYPE: Final = struct.Struct("=III")  # struct btf_type
_BTF_MAGIC: Final = 0xEB9F
_KIND_INT, _KIND_FUNC, _KIND_FUNC_PROTO = 1, 12, 13
_SIGNED_32_BITS: Final = 1 << 24 | 32
_FUNCTION_TYPE: Final = 3


def splice(program: Code, function: Code) -> Code:
    """The program with the function in the placeholder's stead; neither is changed.

    Raises ValueError when the program has no placeholder.
    """
    at = next((i for i in range(len(program)) if program[i : i + 2] == _PLACEHOLDER), -1)
    if at < 0:
        raise ValueError("the program has no place for a hash function")
    size = len(_PLACEHOLDER)

    def moved(old: int) -> int:
        """Where an instruction of the program is afterwards; the placeholder's is the function's."""
        return len(program) - size if old == at else old - size if old > at else old

    spliced = []
    for i, instruction in enumerate(program):
        if at <= i < at + size:
            continue
        if _refers(instruction):
            target = moved(i + 1 + instruction.immediate)
            instruction = instruction._replace(immediate=target - moved(i) - 1)
        spliced.append(instruction)
    return spliced + function


def functions(code: Code) -> list[int]:
    """Where its functions begin, the first one at 0."""
    called = {i + 1 + instruction.immediate for i, instruction in enumerate(code) if _refers(instruction)}
    return sorted(called | {0})


def _refers(instruction: Instruction) -> bool:
    """Whether it names a function by its distance."""
    return (instruction.code, instruction.source) in (
        (CALL, PSEUDO_CALL),
        (LOAD_IMMEDIATE, PSEUDO_FUNCTION),
    )


def btf() -> bytes:
    """A description of types, for the kernel to know that functions return ``int``."""
    names = b"\0int\0function\0"
    types = (
        _TYPE.pack(names.index(b"int"), _KIND_INT << 24, 4)
        + struct.pack("=I", _SIGNED_32_BITS)
        + _TYPE.pack(0, _KIND_FUNC_PROTO << 24, 1)
        + _TYPE.pack(names.index(b"function"), _KIND_FUNC << 24, 2)
    )
    return _BTF.pack(_BTF_MAGIC, 1, 0, _BTF.size, 0, len(types), len(types), len(names)) + types + names


def function_info(code: Code) -> bytes:
    """struct bpf_func_info for each function, by the types of `btf`."""
    return b"".join(struct.pack("=II", at, _FUNCTION_TYPE) for at in functions(code))
