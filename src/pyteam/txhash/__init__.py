"""Hash functions of packets, as programs for the kernel's classic BPF machine. Pure.

All that the rest of pyteam may use is named here; the machine itself is `pyteam.txhash.classic`.
"""

from pyteam.txhash.check import ProgramError, check
from pyteam.txhash.fragments import FRAGMENTS, hash_program

__all__ = ["FRAGMENTS", "ProgramError", "check", "hash_program"]
