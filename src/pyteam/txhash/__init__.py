"""Hash functions of packets, as programs for the kernel's classic BPF machine. Pure.

All that the rest of pyteam may use is named here.
"""

from pyteam.txhash.fragments import FRAGMENTS, hash_program

__all__ = ["FRAGMENTS", "hash_program"]
