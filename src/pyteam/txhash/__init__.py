"""Hash functions of packets, as programs for the kernel's classic BPF machine. Pure.

All that the rest of pyteam may use is named here; the machine itself is `pyteam.txhash.classic`.
"""

from pyteam.txhash.check import ProgramError, check
from pyteam.txhash.classic import encode
from pyteam.txhash.fragments import FRAGMENTS, hash_program
from pyteam.txhash.text import make, parse

__all__ = ["FRAGMENTS", "ProgramError", "check", "encode", "hash_program", "make", "parse"]
