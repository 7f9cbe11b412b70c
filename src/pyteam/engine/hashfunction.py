"""A configured hash function as the option by which a datapath gets it."""

from __future__ import annotations

from pyteam.config import EbpfFunction, HashFunction
from pyteam.config.values import Fragment
from pyteam.options import OptionValue
from pyteam.txhash import hash_program

TxHash = tuple[Fragment, ...] | HashFunction | EbpfFunction


def option_of(tx_hash: TxHash) -> dict[str, OptionValue]:
    """One option by name, and its value. What a file holds must have taken the place of its name."""
    match tx_hash:
        case EbpfFunction(name, code):
            return {"ebpf_hash_func": name + b"\0" + code}
        case HashFunction(bpf):
            return {"bpf_hash_func": bpf or b""}
    return {"bpf_hash_func": hash_program(tx_hash)}
