"""Classic BPF as ``tcpdump -ddd`` prints it: a count, and a line of four numbers for each instruction."""

from __future__ import annotations

from pyteam.txhash.check import ProgramError, check
from pyteam.txhash.classic import Instruction, Program

_LIMITS = {"code": 0xFFFF, "jt": 0xFF, "jf": 0xFF, "k": 0xFFFFFFFF}


def parse(text: str) -> Program:
    """A program that the kernel would take. Raises `ProgramError`, which names the line."""
    lines = [line.split() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines or len(lines[0]) != 1 or not _is_number(lines[0][0]):
        raise ProgramError("line 1: the number of instructions is missing; tcpdump -ddd prints it")
    count = int(lines[0][0])
    if count != len(lines) - 1:
        raise ProgramError(f"line 1 says {count} instructions, and {len(lines) - 1} follow")
    return check(tuple(_instruction(number, words) for number, words in enumerate(lines[1:], 2)))


def make(numbers: list[int]) -> Instruction:
    """From ``[code, jt, jf, k]``. Raises `ProgramError` when one of them is out of range."""
    if len(numbers) != len(_LIMITS):
        raise ProgramError(f"{len(numbers)} numbers; an instruction has {len(_LIMITS)}: code, jt, jf, k")
    for (name, most), number in zip(_LIMITS.items(), numbers, strict=True):
        if not 0 <= number <= most:
            raise ProgramError(f"{name} is {number}; it is from 0 to {most}")
    return Instruction(*numbers)


def _instruction(number: int, words: list[str]) -> Instruction:
    try:
        if not all(map(_is_number, words)):
            raise ProgramError("not only numbers")
        return make([int(word) for word in words])
    except ProgramError as error:
        raise ProgramError(f"line {number}: {error}") from error


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= 10
