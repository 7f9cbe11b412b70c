"""The hash function of mode ``loadbalance``, from what was asked for to code for the transmit program."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyteam.datapath.ebpf import bytecode, libbpf
from pyteam.datapath.ebpf.bytecode import Code
from pyteam.datapath.ebpf.record import Record, unpack
from pyteam.datapath.interface import DatapathError

_CLASSIC: Final = "bpf_hash_func"


@contextmanager
def of(record: Record, ifindex: int) -> Iterator[Code | None]:
    """The function that a record names, for the programs of this team device; None: there is none.

    To be loaded before the context ends: its maps are closed then. EINVAL, EACCES, ENOENT: it cannot be
    used, and why.
    """
    function = unpack(record.hash_function)
    if not function:
        yield None
    elif record.hash_option == _CLASSIC:
        yield _translated(function, ifindex)
    else:
        name, _, code = function.partition(b"\0")
        # By itself, for the kernel's own words on it; and to have it made fit for this kernel.
        loaded = libbpf.Object(code, {name.decode(errors="replace")}, for_tc=True)
        try:
            yield bytecode.decode(loaded.instructions(name.decode()))
        finally:
            loaded.close()


def _translated(function: bytes, ifindex: int) -> Code:
    # Only where there is a function: a start without one has 300 ms.
    from pyteam.datapath.ebpf.translate import UntranslatableError, translate
    from pyteam.txhash import ProgramError, check
    from pyteam.txhash.classic import decode

    try:
        return translate(check(decode(function)), ifindex)
    except (ProgramError, UntranslatableError, ValueError) as error:
        raise DatapathError(errno.EINVAL, f"the hash function cannot be used: {error}") from error
