"""The hash of a packet, said in plain Python: the second opinion on every program.

Written from the description of the fragments, not from the program.
"""

from __future__ import annotations

from collections.abc import Collection

SHORT = "the packet ends before"
MEANING = {"ip": {"ipv4", "ipv6"}, "l3": {"ipv4", "ipv6"}, "l4": {"tcp", "udp", "sctp"}}
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


class _Packet:
    """Reading past the end is an `EOFError`."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, at: int, size: int) -> int:
        if at + size > len(self.data):
            raise EOFError(SHORT)
        return int.from_bytes(self.data[at : at + size], "big")


def hash_of(fragments: Collection[str], packet: bytes, tag: int | None = None) -> int:
    """32 bits. ``tag``: the VLAN tag that the packet has beside its bytes, as a network card gives it."""
    names: set[str] = set()
    for fragment in fragments:
        names |= MEANING.get(fragment, {fragment})
    try:
        result = 0
        for part in _parts(names, _Packet(packet), tag):
            result ^= part
    except EOFError:
        return 0
    return result


def _parts(names: set[str], packet: _Packet, tag: int | None) -> list[int]:
    parts = []
    if "eth" in names:
        for mac in (0, 6):
            parts += [packet.number(mac, 2), packet.number(mac + 2, 4)]
    if not names - {"eth"}:
        return parts
    start = 12
    if packet.number(12, 2) == 0x8100:
        start = 16
        if "vlan" in names:
            parts.append(packet.number(14, 2) % 4096)
    elif "vlan" in names and tag is not None:
        parts.append(tag)
    if names <= {"eth", "vlan"}:
        return parts
    ethertype, inner = packet.number(start, 2), start + 2
    if ethertype == 0x0800:
        return parts + _ipv4(names, packet, inner)
    if ethertype == 0x86DD:
        return parts + _ipv6(names, packet, inner)
    return parts


def _ipv4(names: set[str], packet: _Packet, start: int) -> list[int]:
    parts = []
    if "ipv4" in names:
        parts += [packet.number(start + 12, 4), packet.number(start + 16, 4)]
    if names & {*PROTOCOLS.values()} and packet.number(start + 6, 2) % 8192 == 0:
        protocol = packet.number(start + 9, 1)
        if PROTOCOLS.get(protocol) in names:
            ports = start + packet.number(start, 1) % 16 * 4
            parts += [packet.number(ports, 2), packet.number(ports + 2, 2)]
    return parts


def _ipv6(names: set[str], packet: _Packet, start: int) -> list[int]:
    parts = []
    if "ipv6" in names:
        parts += [packet.number(start + 8 + word, 4) for word in range(0, 32, 4)]
    if names & {*PROTOCOLS.values()} and PROTOCOLS.get(packet.number(start + 6, 1)) in names:
        parts.append(packet.number(start + 42, 2))
    return parts


def fold(value: int) -> int:
    """What the driver makes of the 32 bits: one of 256."""
    return value & 0xFF ^ value >> 8 & 0xFF ^ value >> 16 & 0xFF ^ value >> 24
