"""Classic programs at random: every kind of instruction, most of them correct."""

from __future__ import annotations

from random import Random

from pyteam.txhash import classic as c
from pyteam.txhash.classic import Instruction, Program

OPERATIONS = (c.ADD, c.SUB, c.MUL, c.DIV, c.MOD, c.AND, c.OR, c.XOR, c.LSH, c.RSH)
TESTS = (c.JEQ, c.JGT, c.JGE, c.JSET)
#: Constants at which something may tip over.
EDGES = (0, 1, 2, 12, 14, 31, 0x7F, 0xFF, 0x800, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
#: What may be asked about a packet and is the same wherever it passes.
ABOUT = (c.PROTOCOL, c.IFINDEX, c.HATYPE, c.RXHASH, c.ALU_XOR_X, c.VLAN_TAG, c.VLAN_TAG_PRESENT, c.VLAN_TPID)


def random_program(random: Random, about: tuple[int, ...] = ABOUT) -> Program:
    """One that the kernel takes."""
    length = random.choice((1, 2, 5, 20, 60))
    # Memory is written before anything else, so that it may be read anywhere.
    program = [Instruction(random.choice((c.ST, c.STX)), k=word) for word in range(c.WORDS)]
    program += [_instruction(random, length - at, about) for at in range(length)]
    program.append(Instruction(random.choice((c.RET | c.A,) * 5 + (c.RET | c.K,)), k=_constant(random)))
    return tuple(program)


def _constant(random: Random) -> int:
    return random.choice((random.choice(EDGES), random.randrange(80), random.getrandbits(32)))


def _offset(random: Random) -> int:
    near, edge = random.randrange(70), random.choice((0x7000, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000))
    relative = random.choice((c.FROM_NETWORK, c.FROM_LINK)) + random.randrange(40)
    return random.choices((near, edge, relative), (12, 1, 1))[0]


def _instruction(random: Random, remaining: int, about: tuple[int, ...]) -> Instruction:
    size = random.choice((c.W, c.H, c.B))
    source = random.choice((c.K, c.X))
    match random.randrange(12):
        case 0 | 1 | 2:
            return Instruction(c.LD | size | c.ABS, k=_offset(random))
        case 3:
            return Instruction(c.LD | size | c.IND, k=_offset(random))
        case 4:
            return Instruction(c.LD | size | c.ABS, k=random.choice(about))
        case 5:
            return Instruction(c.LDX | c.B | c.MSH, k=_offset(random))
        case 6:
            load = random.choice((c.LD | c.IMM, c.LDX | c.IMM, c.LD | c.W | c.LEN, c.LDX | c.W | c.LEN))
            return Instruction(load, k=_constant(random))
        case 7:
            moves = (c.LD | c.MEM, c.LDX | c.MEM, c.ST, c.STX)
            return Instruction(random.choice(moves), k=random.randrange(c.WORDS))
        case 8:
            return Instruction(random.choice((c.MISC | c.TAX, c.MISC | c.TXA, c.ALU | c.NEG)))
        case 9 | 10:
            operation, k = random.choice(OPERATIONS), _constant(random)
            if source == c.K:
                k = k % 32 if operation in (c.LSH, c.RSH) else k or 1
            return Instruction(c.ALU | operation | source, k=k)
    if random.random() < 0.1:
        return Instruction(c.JMP | c.JA, k=random.randrange(remaining))
    jt, jf = (random.randrange(min(remaining, 256)) for _ in range(2))
    return Instruction(
        c.JMP | random.choice(TESTS) | source,
        random.choice((0, jt)),
        random.choice((0, jf)),
        _constant(random),
    )
