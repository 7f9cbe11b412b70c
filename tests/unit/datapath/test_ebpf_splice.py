"""The transmit program with a function in place of the placeholder."""

from __future__ import annotations

import pytest

from pyteam.datapath.ebpf.bytecode import (
    ALU64,
    CALL,
    EXIT,
    LOAD_IMMEDIATE,
    MOV,
    PSEUDO_CALL,
    PSEUDO_FUNCTION,
    Instruction,
    decode,
    encode,
)
from pyteam.datapath.ebpf.splice import PLACEHOLDER, functions, splice

LEAVE = Instruction(EXIT)
HOLD = [Instruction(ALU64 | MOV, immediate=PLACEHOLDER), LEAVE]
FUNCTION = [Instruction(ALU64 | MOV, immediate=7), LEAVE]


def call(distance: int) -> Instruction:
    return Instruction(CALL, source=PSEUDO_CALL, immediate=distance)


def refer(distance: int) -> list[Instruction]:
    return [Instruction(LOAD_IMMEDIATE, 1, PSEUDO_FUNCTION, 0, distance), Instruction(0)]


def test_calls_lead_where_they_led_and_to_the_function() -> None:
    before, behind = [LEAVE], [call(-4), LEAVE]  # the one behind calls the one before
    program = [call(5), call(6), *refer(5), LEAVE, *before, *HOLD, *behind]
    assert functions(program) == [0, 5, 6, 8]
    spliced = splice(program, FUNCTION)
    assert spliced == [call(7), call(4), *refer(3), LEAVE, *before, call(-2), LEAVE, *FUNCTION]
    assert functions(spliced) == [0, 5, 6, 8]


def test_without_a_placeholder_there_is_nothing_to_splice() -> None:
    with pytest.raises(ValueError, match="no place"):
        splice([LEAVE], FUNCTION)


def test_bytes_come_back() -> None:
    code = [call(-1), *refer(5), Instruction(0x61, 3, 10, -8, 0), LEAVE]
    assert decode(encode(code)) == code
