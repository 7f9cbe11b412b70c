"""What is known of one network interface: the value that flows from the datapaths to the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Speed in Mb/s that drivers report when they do not know (``SPEED_UNKNOWN``, linux/ethtool.h).
SPEED_UNKNOWN: Final = 0xFFFFFFFF
#: Duplex as the kernel counts it (linux/ethtool.h).
DUPLEX_HALF: Final = 0
DUPLEX_FULL: Final = 1
DUPLEX_UNKNOWN: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Link:
    """One network interface of this namespace, as the kernel sees it now.

    ``address`` is the current MAC; ``permanent_address`` the one it had before any team changed it
    (the hardware's where the kernel tells it). ``carrier`` is raw (``IFF_LOWER_UP``): no delay, no
    watch. ``speed`` is in Mb/s.
    """

    ifindex: int
    name: str
    address: bytes
    permanent_address: bytes
    mtu: int = 1500
    #: Administratively up (``IFF_UP``).
    up: bool = False
    carrier: bool = False
    speed: int = 0
    duplex: int = DUPLEX_HALF
    #: True when it is a port of the team in question.
    member: bool = False
    loopback: bool = False

    @property
    def usable(self) -> bool:
        """Up, and with carrier: a packet sent now would leave."""
        return self.up and self.carrier


def format_address(address: bytes) -> str:
    """A MAC as users write it: ``02:00:00:00:00:01``."""
    return ":".join(f"{byte:02x}" for byte in address)


def parse_address(text: str) -> bytes:
    """The inverse of `format_address`. Raises ValueError."""
    return bytes.fromhex(text.replace(":", ""))
