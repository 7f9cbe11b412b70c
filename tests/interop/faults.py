"""Cables that lose what they should carry while both ends have carrier: a tcx program at the sender's end.

At the sender's, since a packet socket hears a frame before its interface's ingress hook does. Must not know
who sends.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from typing import Final

from pyteam.datapath.ebpf import libbpf

_SCHED_CLS: Final = 3  # BPF_PROG_TYPE_SCHED_CLS
_DROP: Final = 2  # TC_ACT_SHOT
_GO_ON: Final = -1  # TCX_NEXT
_ETH_P_SLOW: Final = 0x8809


def _instruction(code: int, registers: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    """struct bpf_insn of linux/bpf.h."""
    return struct.pack("=BBhi", code, registers, offset, immediate)


_EXIT: Final = _instruction(0x95)
#: r6 = r1; r0 = the ethertype; if it is not that of slow protocols, go on; drop.
LACP_ALONE: Final = (
    _instruction(0xBF, 0x16)
    + _instruction(0x28, immediate=12)
    + _instruction(0x55, offset=2, immediate=_ETH_P_SLOW)
    + _instruction(0xB7, immediate=_DROP)
    + _EXIT
    + _instruction(0xB7, immediate=_GO_ON)
    + _EXIT
)
EVERYTHING: Final = _instruction(0xB7, immediate=_DROP) + _EXIT


def _load(code: bytes) -> int:
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    count = ctypes.c_size_t(len(code) // 8)
    made = int(library.bpf_prog_load(_SCHED_CLS, b"interop_loss", b"GPL", code, count, None))
    if made < 0:
        raise OSError(-made, os.strerror(-made))
    return made


class Loss:
    """``what`` (`LACP_ALONE` or `EVERYTHING`) an interface of this namespace sends is lost, until closed."""

    def __init__(self, name: str, what: bytes) -> None:
        self._ifindex = socket.if_nametoindex(name)
        self._program = _load(what)
        libbpf.attach(self._program, self._ifindex, libbpf.TCX_EGRESS, first=True)

    def close(self) -> None:
        """In the same namespace."""
        libbpf.detach(self._program, self._ifindex, libbpf.TCX_EGRESS)
        libbpf.close(self._program)
