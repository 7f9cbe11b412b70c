"""Reading the files that ``runner.tx_hash`` names: what the engine gets is their content."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import Final

from pyteam.config import ConfigError, EbpfFunction, HashFunction, LacpRunner, LoadBalanceRunner, TeamConfig
from pyteam.txhash import ProgramError, encode, parse

_PATH: Final = "runner.tx_hash"
#: Bytes; a stripped object has a few thousand.
_LARGEST: Final = 1 << 20
_ELF: Final = b"\x7fELF"


def read_files(team: TeamConfig) -> TeamConfig:
    """The same, with what is in the files. Raises `ConfigError`."""
    runner = team.runner
    if not isinstance(runner, LoadBalanceRunner | LacpRunner):
        return team
    function = runner.tx_hash
    if not isinstance(function, HashFunction) or function.bpf is not None:
        return team
    key = "bpf_file" if function.bpf_file else "ebpf_file"
    name = function.bpf_file or function.ebpf_file or ""
    try:
        content = _read(name)
        tx_hash = _object(content, function) if function.ebpf_file else _program(content)
    except (OSError, ProgramError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError([f"{_PATH}.{key}: {name}: {why}"]) from error
    return replace(team, runner=replace(runner, tx_hash=tx_hash))


def choose_datapath(team: TeamConfig, choice: str) -> str:
    """An eBPF function needs the eBPF datapath. Raises `ConfigError` where another was chosen by hand."""
    if not isinstance(getattr(team.runner, "tx_hash", None), EbpfFunction):
        return choice
    if choice == "kernel":
        why = 'the kernel driver takes classic BPF only: use the datapath "ebpf", or "bpf_file"'
        raise ConfigError([f"{_PATH}.ebpf_file: {why}"])
    return "ebpf"


def _read(name: str) -> bytes:
    # A pipe without a writer must not keep the start waiting.
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ProgramError("not a regular file")
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ProgramError(f"larger than {_LARGEST} bytes")
    return content


def _program(content: bytes) -> HashFunction:
    try:
        return HashFunction(bpf=encode(parse(content.decode())))
    except UnicodeDecodeError as error:
        raise ProgramError("not a text; it should be what tcpdump -ddd prints") from error


def _object(content: bytes, function: HashFunction) -> EbpfFunction:
    if not content.startswith(_ELF):
        raise ProgramError("not an object file (clang -O2 -g -target bpf -c makes one)")
    return EbpfFunction((function.function or "").encode(), content)
