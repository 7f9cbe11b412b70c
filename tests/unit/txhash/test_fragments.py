"""The programs of ``tx_hash``: what the original said, and what a plain model says."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from pyteam.config.values import Fragment
from pyteam.txhash import FRAGMENTS, classic, hash_program
from tests.txhash.interpreter import run
from tests.txhash.model import fold, hash_of
from tests.txhash.packets import random_packet
from tests.txhash.vectors import PACKETS, VECTORS

#: What a packet without a tag answers when it is asked for one, and one with.
UNTAGGED = {classic.VLAN_TAG_PRESENT: 0, classic.VLAN_TAG: 0}
SINGLE = ("eth", "vlan", "ipv4", "ipv6", "tcp", "udp", "sctp")


def about(tag: int | None) -> dict[int, int]:
    return UNTAGGED if tag is None else {classic.VLAN_TAG_PRESENT: 1, classic.VLAN_TAG: tag}


@pytest.mark.parametrize(("fragments", "name", "expected", "folded"), VECTORS)
def test_what_the_original_says(fragments: tuple[str, ...], name: str, expected: int, folded: int) -> None:
    packet, tag = PACKETS[name]
    program = classic.decode(hash_program(fragments))
    assert run(program, packet, about(tag)) == expected
    assert hash_of(fragments, packet, tag) == expected
    assert fold(expected) == folded


def test_every_set_of_fragments_is_what_the_model_says() -> None:
    random = Random(1)
    sets = [some for size in range(len(SINGLE) + 1) for some in combinations(SINGLE, size)]
    distinct = set()
    for fragments in sets:
        program = classic.decode(hash_program(fragments))
        for _ in range(100):
            packet = random_packet(random)
            tag = random.choice((None, random.randrange(65536)))
            expected = hash_of(fragments, packet, tag)
            assert run(program, packet, about(tag)) == expected, (fragments, packet.hex(), tag)
            distinct.add(expected)
    assert len(distinct) > 1000


def test_a_packet_cut_anywhere_is_what_the_model_says() -> None:
    program = classic.decode(hash_program(SINGLE))
    for name, (packet, tag) in PACKETS.items():
        for length in range(len(packet)):
            short = packet[:length]
            assert run(program, short, about(tag)) == hash_of(SINGLE, short, tag), (name, length)


def test_order_and_repetition_do_not_matter() -> None:
    assert hash_program(["l4", "eth", "l3", "ipv4", "eth"]) == hash_program(["eth", "l3", "l4"])
    assert hash_program(["ip"]) == hash_program(["l3"]) == hash_program(["ipv6", "ipv4"])


def test_without_fragments_every_packet_is_0() -> None:
    assert run(classic.decode(hash_program([])), b"any") == 0


def test_the_words_are_those_of_the_configuration() -> None:
    assert tuple(FRAGMENTS) == Fragment.__args__  # type: ignore[attr-defined]


def test_bytes_come_back() -> None:
    program = classic.decode(hash_program(SINGLE))
    assert classic.decode(classic.encode(program)) == program
    with pytest.raises(ValueError, match="9 bytes"):
        classic.decode(bytes(9))
