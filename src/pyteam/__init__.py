"""Network teams in Python: libteam and teamd again, on the kernel's team driver or on eBPF."""

from typing import Final

__version__: Final = "0.1.0"
