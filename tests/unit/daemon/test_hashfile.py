"""The files that ``tx_hash`` names."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyteam.config import ConfigError, Document, EbpfFunction, HashFunction, LacpRunner, TeamConfig
from pyteam.daemon.hashfile import choose_datapath, read_files
from pyteam.txhash import parse
from pyteam.txhash.classic import encode

TEXT = "2\n48 0 0 14\n22 0 0 0\n"


def team(**tx_hash: str) -> TeamConfig:
    return Document.parse(json.dumps({"runner": {"name": "lacp", "tx_hash": tx_hash}})).team


def tx_hash_of(config: TeamConfig) -> object:
    assert isinstance(config.runner, LacpRunner)
    return config.runner.tx_hash


def test_the_content_takes_the_place_of_the_name(tmp_path: Path) -> None:
    (tmp_path / "hash").write_text(TEXT)
    config = read_files(team(bpf_file=str(tmp_path / "hash")))
    assert tx_hash_of(config) == HashFunction(bpf=encode(parse(TEXT)))
    (tmp_path / "hash.o").write_bytes(b"\x7fELF...")
    config = read_files(team(ebpf_file=str(tmp_path / "hash.o"), function="mine"))
    assert tx_hash_of(config) == EbpfFunction(b"mine", b"\x7fELF...")


@pytest.mark.parametrize("config", [TeamConfig(), team(bpf=TEXT)])
def test_where_no_file_is_named_nothing_changes(config: TeamConfig) -> None:
    assert read_files(config) is config


def test_files_that_are_of_no_use(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff" * 10)
    (tmp_path / "large").write_bytes(bytes(1_048_577))
    (tmp_path / "wrong").write_text("1\n6 0 0\n")
    for key, name, reason in (
        ("bpf_file", "absent", "No such file or directory"),
        ("bpf_file", ".", "Is a directory"),
        ("bpf_file", "pipe", "not a regular file"),
        ("bpf_file", "binary", "not a text; it should be what tcpdump -ddd prints"),
        ("bpf_file", "large", "larger than 1048576 bytes"),
        ("bpf_file", "wrong", "line 2: 3 numbers; an instruction has 4: code, jt, jf, k"),
        ("ebpf_file", "wrong", "not an object file (clang -O2 -g -target bpf -c makes one)"),
    ):
        path = tmp_path / name
        names = {key: str(path)} | ({"function": "f"} if key == "ebpf_file" else {})
        with pytest.raises(ConfigError) as caught:
            read_files(team(**names))
        assert str(caught.value) == f"runner.tx_hash.{key}: {path}: {reason}"


def test_an_ebpf_function_needs_the_ebpf_datapath(tmp_path: Path) -> None:
    (tmp_path / "hash.o").write_bytes(b"\x7fELF")
    config = read_files(team(ebpf_file=str(tmp_path / "hash.o"), function="mine"))
    assert choose_datapath(config, "auto") == choose_datapath(config, "ebpf") == "ebpf"
    with pytest.raises(ConfigError, match=r"tx_hash\.ebpf_file: the kernel driver takes classic BPF only"):
        choose_datapath(config, "kernel")
    assert choose_datapath(TeamConfig(), "kernel") == "kernel"
