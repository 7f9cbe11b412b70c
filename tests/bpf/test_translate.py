"""The translation of classic hash functions: the kernel's own machine says the same of every packet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from random import Random

import pytest

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.ebpf.translate import UntranslatableError, translate
from pyteam.txhash import ProgramError, check, hash_program
from pyteam.txhash import classic as c
from pyteam.txhash.check import CODES
from pyteam.txhash.classic import Instruction, Program, decode
from tests.bpf.classic import Wire, returning, taken, wire
from tests.bpf.harness import run_program
from tests.txhash.model import hash_of
from tests.txhash.packets import random_packet
from tests.txhash.programs import random_program

WORDS = ("eth", "vlan", "ipv4", "ipv6", "tcp", "udp", "sctp")
#: An ethertype that no protocol of the machine answers.
EXPERIMENTAL = b"\x88\xb5"


@pytest.fixture(name="bench", scope="module")
def _bench() -> Iterator[Wire]:
    with wire() as made:
        yield made


def any_packet(random: Random) -> bytes:
    body = random.randbytes(random.choice((0, 1, 10, 20, 60)))
    return b"\x02" + random.randbytes(11) + EXPERIMENTAL + body


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(bench: Wire, seed: int) -> None:
    random = Random(seed)
    for _ in range(100):
        program = check(random_program(random))
        bench.run(program, random.choice((None, 0, random.randrange(65536))))
        for _ in range(5):
            packet = any_packet(random)
            assert bench.agree(packet), (program, packet.hex())


def test_the_random_programs_have_every_instruction() -> None:
    random = Random(0)
    assert {code for _ in range(300) for code, *_ in random_program(random)} == CODES


def test_every_set_of_fragments(bench: Wire) -> None:
    """Short packets and tags, inside and beside, included."""
    random = Random(2)
    for size in range(len(WORDS) + 1):
        for words in combinations(WORDS, size):
            bench.run(decode(hash_program(words)), random.choice((None, random.randrange(65536))))
            for _ in range(20):
                packet = random_packet(random, 14)
                assert bench.agree(packet), (words, packet.hex())


def test_a_packet_in_pieces(bench: Wire) -> None:
    """What is not in the first piece is fetched by the kernel: the result is the same."""
    bench.run(decode(hash_program(WORDS)))
    random = Random(3)
    for linear in (14, 20, 34, 50, 60):
        for _ in range(50):
            packet = random_packet(random, 5000)
            assert bench.agree(packet, linear), (linear, packet[:80].hex())


def test_ten_thousand_packets_are_what_the_model_says() -> None:
    random = Random(4)
    with returning(translate(decode(hash_program(WORDS)))) as program:
        for _ in range(10_000):
            packet = random_packet(random, 60)  # no shorter IP packet is taken by BPF_PROG_TEST_RUN
            assert run_program(program, packet) == hash_of(WORDS, packet), packet.hex()


def test_a_very_long_program(bench: Wire) -> None:
    """Little less than the longest, as the comparison needs some instructions, too."""
    step = (
        Instruction(c.LD | c.B | c.IND, k=14),
        Instruction(c.ALU | c.ADD | c.X),
        Instruction(c.MISC | c.TAX),
    )
    bench.run(check((*step * (c.LONGEST // 3 - 3), Instruction(c.RET | c.A))))
    # The loads come to nothing, go one byte further each time, or reach the end.
    for packet in (bytes(186), bytes([1]) * 186):
        assert bench.agree(packet[:12] + EXPERIMENTAL + packet)


def asking(offset: int) -> Program:
    return (Instruction(c.LD | c.W | c.ABS, k=offset), Instruction(c.RET | c.A))


@pytest.mark.parametrize(
    ("offset", "answer"), [(c.PKTTYPE, 3), (c.MARK, 0), (c.IFINDEX, 42), (c.HATYPE, 1), (c.PROTOCOL, 0x88B5)]
)
def test_what_is_asked_about_a_packet(offset: int, answer: int) -> None:
    with returning(translate(asking(offset), ifindex=42)) as program:
        assert run_program(program, b"\x02" + bytes(11) + EXPERIMENTAL + bytes(46)) == answer


def test_the_cpu_and_a_random_number() -> None:
    packet = bytes(60)
    with returning(translate(asking(c.CPU))) as program:
        assert run_program(program, packet) < libbpf.possible_cpus()
    with returning(translate(asking(c.RANDOM))) as program:
        assert len({run_program(program, packet) for _ in range(10)}) > 5


@pytest.mark.parametrize(
    ("offset", "reason"),
    [(c.QUEUE, "queue"), (c.PAY_OFFSET, "payload"), (c.NLATTR, "netlink"), (c.NLATTR_NEST, "netlink")],
)
def test_what_cannot_be_had_here_is_refused(offset: int, reason: str) -> None:
    assert taken(asking(offset))
    with pytest.raises(UntranslatableError, match=f"instruction 0.*{reason}"):
        translate(check(asking(offset)))


def spoilt(random: Random) -> Program:
    """A random program of which one instruction was changed in some way."""
    program = list(random_program(random, (c.CPU, c.RANDOM)))
    at = random.randrange(len(program))
    field = random.choice(("code", "jt", "jf", "k"))
    value = random.randrange(256) if field != "k" else random.choice((0, 15, 16, 31, 32, 4096, 0xFFFFFFFF))
    if random.random() < 0.2:
        value = c.ANCILLARY + random.randrange(70) if field == "k" else value
    if random.random() < 0.2:
        del program[random.randrange(c.WORDS)]  # which may leave a word of memory unwritten
        at = min(at, len(program) - 1)
    program[at] = program[at]._replace(**{field: value})
    return tuple(program)


def test_our_verdict_on_a_program_is_the_kernels() -> None:
    random = Random(5)
    verdicts = set()
    for _ in range(3000):
        program = spoilt(random)
        verdict = _verdict(program)
        assert taken(program) == (verdict == "taken"), (program, verdict)
        verdicts.add(verdict.split(": ")[-1][:20])
    assert len(verdicts) > 8, verdicts


def _verdict(program: Program) -> str:
    try:
        check(program)
    except ProgramError as error:
        return str(error)
    return "taken"


@pytest.mark.parametrize("program", [(), (Instruction(c.RET | c.K),) * (c.LONGEST + 1)])
def test_a_program_that_is_too_short_or_too_long(program: Program) -> None:
    assert not taken(program)
    with pytest.raises(ProgramError, match="1 to 4096"):
        check(program)
