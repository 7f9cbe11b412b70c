"""What the programs of receive balancing act on: the mirror of bpf/rx_balance.h.

Every store into the shared memory is one aligned store of a whole field, so that a program in the
middle of a packet sees the old value or the new one.
"""

from __future__ import annotations

import contextlib
import ctypes as c
import errno
import mmap
import struct
import sys
from typing import Final

from pyteam.datapath.interface import OWN_FRAMES, DatapathError
from pyteam.engine.rxbalance import Station

#: RX_ABI: raised whenever this layout changes.
ABI: Final = 1
MAX_PORTS: Final = 64
HINTS: Final = 256
MAX_NEIGHBOURS: Final = 4096
MAX_TOLD: Final = 16384
#: RX_MARK.
MARK: Final = OWN_FRAMES
#: RX_TAGGED.
TAGGED: Final = 0x1000

STATION: Final = struct.Struct("=Q")
#: struct rx_neighbour: slot, uses, bytes, told.
NEIGHBOUR: Final = struct.Struct("=IIQQ")
#: struct rx_told_key, and what is behind it.
TOLD: Final = struct.Struct("=Q16s")
ROLE: Final = struct.Struct("=I")
ROLE_UNKNOWN, ROLE_HOST, ROLE_ROUTER = range(3)


class Port(c.Structure):
    _fields_ = [
        ("ifindex", c.c_uint32),
        ("live", c.c_uint32),
        ("also", c.c_uint32),
        ("neighbours", c.c_uint32),
        ("mac", c.c_uint64),
        ("dev", c.c_uint64),
        ("given", c.c_uint32),
        ("unused", c.c_uint32),
    ]


class State(c.Structure):
    _fields_ = [
        ("abi", c.c_uint32),
        ("ifindex", c.c_uint32),
        ("count", c.c_uint32),
        ("primary", c.c_uint32),
        ("mac", c.c_uint64),
        ("net", c.c_uint64),
        ("hint", c.c_uint8 * HINTS),
        ("port", Port * MAX_PORTS),
    ]


def number_of(mac: bytes) -> int:
    """A MAC as the programs have it."""
    return int.from_bytes(mac[:4], sys.byteorder) << 16 | int.from_bytes(mac[4:], sys.byteorder)


def mac_of(number: int) -> bytes:
    return (number >> 16).to_bytes(4, sys.byteorder) + (number & 0xFFFF).to_bytes(2, sys.byteorder)


def pack_station(station: Station) -> int:
    vlan = 0 if station.vlan is None else TAGGED | station.vlan
    return number_of(station.mac) << 16 | vlan


def unpack_station(number: int) -> Station:
    vlan = number & 0xFFF if number & TAGGED else None
    return Station(mac_of(number >> 16), vlan)


class SharedState:
    """The programs' state of one team. ``map_fd`` is its map; the memory is mapped until `close`."""

    def __init__(self, map_fd: int) -> None:
        size = -(-c.sizeof(State) // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            self._memory = mmap.mmap(map_fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError as error:
            raise DatapathError(error.errno or errno.EIO, "cannot map the state of the programs") from error
        self._state: State | None = State.from_buffer(self._memory)

    @property
    def state(self) -> State:
        assert self._state is not None, "closed"
        return self._state

    def slots(self) -> dict[int, int]:
        """Ports by ifindex, and the slot that each has."""
        state = self.state
        return {state.port[at].ifindex: at for at in range(state.count) if state.port[at].ifindex}

    def port(self, ifindex: int) -> Port | None:
        at = self.slots().get(ifindex)
        found: Port | None = None if at is None else self.state.port[at]
        return found

    def take_slot(self, ifindex: int, mac: bytes) -> Port:
        """A slot for a new port. ENOSPC: there are `MAX_PORTS` already."""
        for at, port in enumerate(self.state.port):
            if port.ifindex:
                continue
            port.live = port.also = port.neighbours = port.dev = port.given = 0
            port.mac = number_of(mac)
            port.ifindex = ifindex
            self.state.hint[ifindex % HINTS] = at
            self.state.count = max(self.state.count, at + 1)
            taken: Port = port
            return taken
        raise DatapathError(errno.ENOSPC, f"receive balancing has room for {MAX_PORTS} ports")

    def close(self) -> None:
        self._state = None
        with contextlib.suppress(BufferError):  # somebody holds a part of it: it goes with that
            self._memory.close()
