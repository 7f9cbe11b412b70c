"""Frames that belong to one cable and never cross a bridge, or a team: link-local groups. Pure."""

from __future__ import annotations

from typing import Final

from pyteam.frames.ethernet import ETH_P_SLOW, Frame

#: 01-80-C2-00-00-00 to -0F (IEEE 802.1Q, table 8-1): spanning tree, slow protocols, LLDP, ...
_LINK_LOCAL: Final = bytes.fromhex("0180c20000")
#: Where slow protocols (IEEE 802.3, annex 57A) go: LACP and the marker protocol among them.
SLOW_PROTOCOLS: Final = _LINK_LOCAL + b"\x02"


def is_link_local(destination: bytes) -> bool:
    """Whether a MAC is one of the sixteen that are for this cable only."""
    return len(destination) == 6 and destination[:5] == _LINK_LOCAL and destination[5] <= 0x0F


def is_slow(frame: Frame) -> bool:
    """Slow protocols are untagged; their MAC alone does not make them."""
    return frame.ethertype == ETH_P_SLOW and frame.destination == SLOW_PROTOCOLS and not frame.tags
