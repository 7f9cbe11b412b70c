"""Which multicast groups the interfaces of a namespace have joined, and in which protocol version.

Owns the format of /proc/net/igmp and /proc/net/igmp6: older kernels list joined groups nowhere else.
Must not know what is done with a group.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Of the calling thread's namespace; "self" would be the main thread's.
PROC_NET: Final = Path("/proc/thread-self/net")
IPV6_SETTINGS: Final = Path("/proc/sys/net/ipv6/conf")

# Bytes, since an interface's name is: it may hold anything but white space, "/" and ":".
_IGMP_DEVICE: Final = re.compile(rb" *(\d+)\t\S+ *: +\d+ +V([123])[ \t]*")
_IGMP_GROUP: Final = re.compile(rb"\t{4}([0-9A-F]{8}) .*")
_IGMP6_GROUP: Final = re.compile(rb" *(\d+) +(\S+) +([0-9a-f]{32}) .*")


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one interface, packed (4 and 16 bytes), in the kernel's order.

    ``igmp_version`` is 1, 2 or 3 as the interface speaks now; ``mld_version`` 1 or 2 as it is set
    to: the kernel does not tell whether an older querier makes it speak 1.
    """

    ipv4: tuple[bytes, ...] = ()
    ipv6: tuple[bytes, ...] = ()
    igmp_version: int = 3
    mld_version: int = 2


def parse_igmp(text: bytes) -> dict[int, tuple[int, tuple[bytes, ...]]]:
    """/proc/net/igmp: version and groups by ifindex. Lines of another form are passed over."""
    found: dict[int, tuple[int, tuple[bytes, ...]]] = {}
    ifindex = 0
    for line in text.split(b"\n"):
        if device := _IGMP_DEVICE.fullmatch(line):
            ifindex = int(device[1])
            found[ifindex] = int(device[2]), ()
        elif ifindex and (group := _IGMP_GROUP.fullmatch(line)):
            version, groups = found[ifindex]
            # A word in network order, printed as a number in the host's.
            found[ifindex] = version, (*groups, int(group[1], 16).to_bytes(4, sys.byteorder))
    return found


def parse_igmp6(text: bytes) -> dict[int, tuple[str, tuple[bytes, ...]]]:
    """/proc/net/igmp6: interface name and groups by ifindex. Lines of another form are passed over."""
    found: dict[int, tuple[str, tuple[bytes, ...]]] = {}
    for line in text.split(b"\n"):
        if match := _IGMP6_GROUP.fullmatch(line):
            name = match[2].decode("utf-8", "surrogateescape")
            _, groups = found.get(int(match[1]), (name, ()))
            found[int(match[1])] = name, (*groups, bytes.fromhex(match[3].decode("ascii")))
    return found


def read_groups(ifindex: int) -> Groups:
    """The groups that an interface has joined; none when it is gone or the kernel lacks a protocol.

    Of the namespace that the calling thread is in.
    """
    igmp_version, ipv4 = parse_igmp(_read(PROC_NET / "igmp")).get(ifindex, (3, ()))
    name, ipv6 = parse_igmp6(_read(PROC_NET / "igmp6")).get(ifindex, ("", ()))
    forced = _read(IPV6_SETTINGS / name / "force_mld_version").strip() if name else b""
    return Groups(ipv4, ipv6, igmp_version, 1 if forced == b"1" else 2)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        # No IPv6 or no IP multicast in this kernel, or the interface has just gone.
        return b""
