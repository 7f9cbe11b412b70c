"""``tx_hash`` as an object: a hash function of the user's own."""

from __future__ import annotations

import json

import pytest

from pyteam.config import ConfigError, Document, HashFunction, LoadBalanceRunner
from pyteam.txhash import parse
from pyteam.txhash.classic import encode

NUMBERS = [[48, 0, 0, 14], [22, 0, 0, 0]]
TEXT = "2\n48 0 0 14\n22 0 0 0\n"
BYTES = encode(parse(TEXT))


def read(tx_hash: object, name: str = "loadbalance") -> Document:
    return Document.parse(json.dumps({"runner": {"name": name, "tx_hash": tx_hash}}))


@pytest.mark.parametrize(
    ("tx_hash", "function"),
    [
        ({"bpf": NUMBERS}, HashFunction(bpf=BYTES)),
        ({"bpf": TEXT}, HashFunction(bpf=BYTES)),
        ({"bpf_file": "/etc/hash.ddd"}, HashFunction(bpf_file="/etc/hash.ddd")),
        ({"ebpf_file": "h.o", "function": "by_user"}, HashFunction(ebpf_file="h.o", function="by_user")),
    ],
)
def test_ways(tx_hash: object, function: HashFunction) -> None:
    document = read(tx_hash)
    assert isinstance(document.team.runner, LoadBalanceRunner)
    assert document.team.runner.tx_hash == function
    assert document.warnings == ()
    assert document.with_defaults().raw["runner"]["tx_hash"] == tx_hash


@pytest.mark.parametrize(
    ("tx_hash", "problem"),
    [
        (
            {},
            ": found none of them; one is needed, and only one. Allowed: an array with",
        ),
        ({"bpf": TEXT, "bpf_file": "x"}, ': found "bpf", "bpf_file"; one is needed, and only one.'),
        ({"ebpf_file": "x.o"}, ': "function" is missing: its name in the file.'),
        ({"bpf_file": 5}, ".bpf_file: found 5. Allowed: a non-empty string."),
        ({"bpf": 5}, ".bpf: found 5. Allowed: an array of [code, jt, jf, k] arrays, or the text that"),
        ({"bpf": []}, ".bpf: 0 instructions; a program has 1 to 4096."),
        ({"bpf": [[6, 0, 0, 0], 7]}, ".bpf[1]: not an array of integers."),
        ({"bpf": [[6, 0, 0, True]]}, ".bpf[0]: not an array of integers."),
        ({"bpf": [[6, 0, 0]]}, ".bpf[0]: 3 numbers; an instruction has 4: code, jt, jf, k."),
        ({"bpf": [[6, 0, 0, -1]]}, ".bpf[0]: k is -1; it is from 0 to 4294967295."),
        ({"bpf": [[5, 0, 0, 9], [6, 0, 0, 0]]}, ".bpf: instruction 0 (code 0x5): a jump beyond the end."),
        ({"bpf": "1\n6 0 0\n"}, ".bpf: line 2: 3 numbers; an instruction has 4"),
    ],
)
def test_mistakes(tx_hash: object, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tx_hash, "lacp")
    assert caught.value.problems[0].startswith("config: runner.tx_hash" + problem), caught.value.problems


def test_every_instruction_that_is_wrong_is_told_of() -> None:
    with pytest.raises(ConfigError) as caught:
        read({"bpf": [[1], [6, 0, 0, 0], "x"]})
    assert len(caught.value.problems) == 2


def test_a_name_without_a_file_and_an_unknown_key_are_remarked_on() -> None:
    warnings = read({"bpf": TEXT, "function": "f", "bpf_fiel": 1}).warnings
    assert warnings == (
        'config: runner.tx_hash.function: has no meaning without "ebpf_file"; ignored.',
        'config: runner.tx_hash.bpf_fiel: unknown key, ignored. Did you mean "bpf_file"?',
    )
