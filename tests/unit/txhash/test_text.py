"""The text of ``tcpdump -ddd``."""

from __future__ import annotations

import subprocess

import pytest

from pyteam.txhash import ProgramError, parse
from pyteam.txhash import classic as c
from pyteam.txhash.classic import Instruction


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n"])
def test_what_is_printed_is_read(end: str) -> None:
    assert parse("2\n40 0 0 12\n22 0 0 0" + end) == (
        Instruction(c.LD | c.H | c.ABS, k=12),
        Instruction(c.RET | c.A),
    )


@pytest.mark.needs("tcpdump")
def test_what_tcpdump_prints_is_read() -> None:
    words = ["tcpdump", "-ddd", "-y", "EN10MB", "ip and tcp port 80"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    program = parse(printed)
    assert len(program) == int(printed.split()[0]) > 5
    assert program[0] == Instruction(c.LD | c.H | c.ABS, k=12)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 1: the number of instructions is missing"),
        ("6 0 0 0\n", "line 1: the number of instructions is missing"),
        ("{ 0x6, 0, 0, 0x0 },\n", "line 1: the number of instructions is missing"),
        ("2\n6 0 0 0\n", "line 1 says 2 instructions, and 1 follow"),
        ("0\n", "0 instructions; a program has 1 to 4096"),
        ("1\n6 0 0\n", "line 2: 3 numbers; an instruction has 4: code, jt, jf, k"),
        ("1\n6 0 0 x\n", "line 2: not only numbers"),
        ("1\n6 0 0 -1\n", "line 2: not only numbers"),
        ("1\n\n", "line 1 says 1 instructions, and 0 follow"),
        ("1\n6 256 0 0\n", "line 2: jt is 256; it is from 0 to 255"),
        ("1\n6 0 0 4294967296\n", "line 2: k is 4294967296"),
        ("1\n6 0 0 " + "9" * 5000 + "\n", "line 2: not only numbers"),
        ("1\n5 0 0 0\n", "instruction 0 (code 0x5): a jump beyond the end"),
        ("1\n0 0 0 0\n", "the last instruction does not return"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert str(caught.value).startswith(reason)
