"""What the eBPF datapath needs of the machine, asked before anything is touched."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Final

from pyteam.datapath.interface import DatapathError

OLDEST_KERNEL: Final = (6, 6)
_BTF: Final = "/sys/kernel/btf/vmlinux"
_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}
#: Stands for the last two.
_SYS_ADMIN: Final = 21

#: Who else needs the same, and what to do without.
DATAPATH: Final = "the eBPF datapath"
GUARD: Final = "the guard of the kernel's driver"
INSTEAD: Final = {
    DATAPATH: "load the team driver (modprobe team) and use --datapath kernel",
    GUARD: "fail-over waits for the daemon",
    "rx_balancer": "leave it out of the configuration",
}


def missing(release: str, *, btf: bool, capabilities: int, who: str = DATAPATH) -> str:
    """One line that says what ``who`` misses; empty when nothing.

    ``release`` as uname has it; ``capabilities`` the effective set as a bit mask.
    """
    version = re.match(r"(\d+)\.(\d+)", release)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_KERNEL:
        return (
            f"{who} needs Linux {OLDEST_KERNEL[0]}.{OLDEST_KERNEL[1]} or newer (tcx), this is "
            f"{release}: {INSTEAD[who]}"
        )
    if not btf:
        return f"{who} needs a kernel with BTF (CONFIG_DEBUG_INFO_BTF): there is no {_BTF}"
    if capabilities >> _SYS_ADMIN & 1:
        capabilities |= 1 << _CAPABILITIES["CAP_PERFMON"] | 1 << _CAPABILITIES["CAP_BPF"]
    lacking = [name for name, bit in _CAPABILITIES.items() if not capabilities >> bit & 1]
    if lacking:
        return f"{who} needs the capability {' and '.join(lacking)}: run teamd as root"
    return ""


def check(who: str = DATAPATH) -> None:
    """Raise `DatapathError` (EOPNOTSUPP or EPERM) when this machine cannot carry the programs."""
    status = Path("/proc/self/status").read_text()
    effective = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    problem = missing(
        os.uname().release,
        btf=os.path.exists(_BTF),
        capabilities=int(effective[1], 16) if effective else 0,
        who=who,
    )
    if problem:
        raise DatapathError(errno.EPERM if "capability" in problem else errno.EOPNOTSUPP, problem)
