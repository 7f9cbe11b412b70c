"""Speed and duplex of an interface, by the ethtool ioctl.

Owns struct ethtool_link_settings (linux/ethtool.h, since Linux 4.6). Must not know netlink.
"""

from __future__ import annotations

import fcntl
import socket
import struct
from array import array
from typing import Final

SIOCETHTOOL: Final = 0x8946
ETHTOOL_GLINKSETTINGS: Final = 0x4C

#: cmd, speed (Mb/s), duplex, six bytes of no interest, 32-bit words in a link mode mask, the rest.
_SETTINGS: Final = struct.Struct("=IIB6xb32x")
#: struct ifreq: name and a pointer, padded to the size of its largest union member.
_IFREQ: Final = struct.Struct("@16sP16x")


class Ethtool:
    """Asks drivers; belongs to the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def close(self) -> None:
        self._socket.close()

    def speed_duplex(self, name: str) -> tuple[int, int]:
        """Speed in Mb/s and duplex (0 half, 1 full, 255 unknown) as the driver says.

        A driver that does not know says `pyteam.link.SPEED_UNKNOWN`. When it refuses (it has no link
        settings, or the interface is gone) the answer is (0, 0): what the kernel's team driver shows.
        """
        try:
            # The first call is a handshake: the kernel answers with minus the size of its masks.
            *_, words = self._query(name, 0)
            speed, duplex, _ = self._query(name, -words)
        except OSError:
            return 0, 0
        return speed, duplex

    def _query(self, name: str, words: int) -> tuple[int, int, int]:
        masks = bytes(3 * 4 * words)
        buffer = array("B", _SETTINGS.pack(ETHTOOL_GLINKSETTINGS, 0, 0, words) + masks)
        raw_name = name.encode("utf-8", "surrogateescape")[:15]
        fcntl.ioctl(self._socket, SIOCETHTOOL, _IFREQ.pack(raw_name, buffer.buffer_info()[0]))
        _, speed, duplex, words = _SETTINGS.unpack_from(buffer)
        return speed, duplex, words
