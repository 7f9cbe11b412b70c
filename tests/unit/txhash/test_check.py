"""What the kernel would refuse, and our words for it; that verdicts agree is shown on the bpf floor."""

from __future__ import annotations

import pytest

from pyteam.txhash import ProgramError, check
from pyteam.txhash import classic as c
from pyteam.txhash.classic import Instruction

END = Instruction(c.RET | c.A)


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        (Instruction(0xFF), "(code 0xff): there is no such instruction"),
        (Instruction(c.ALU | c.DIV | c.K), "(code 0x34): a division by zero"),
        (Instruction(c.ALU | c.LSH | c.K, k=32), "(code 0x64): a shift by 32 bits, of 32"),
        (Instruction(c.ST, k=16), "(code 0x2): word 16 of scratch memory, which has 16"),
        (
            Instruction(c.LD | c.MEM, k=3),
            "(code 0x60): word 3 of scratch memory is read before",
        ),
        (Instruction(c.JMP | c.JA, k=1), "(code 0x5): a jump beyond the end"),
        (Instruction(c.JMP | c.JEQ | c.K, jf=1), "(code 0x15): a jump beyond the end"),
        (Instruction(c.LD | c.W | c.ABS, k=0xFFFFF040), "nothing about a packet is at offset 0xfffff040"),
    ],
)
def test_reasons(instruction: Instruction, reason: str) -> None:
    with pytest.raises(ProgramError) as caught:
        check((Instruction(c.LD | c.IMM), instruction, END))
    assert str(caught.value).startswith("instruction 1")
    assert reason in str(caught.value)


def test_memory_must_have_been_written_on_every_way() -> None:
    jump, store, load = Instruction(c.JMP | c.JEQ | c.K, 0, 1), Instruction(c.ST), Instruction(c.LD | c.MEM)
    with pytest.raises(ProgramError, match="read before it is written"):
        check((jump, store, load, END))
    program = (store, jump, store, load, END)
    assert check(program) == program
