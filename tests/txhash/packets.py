"""Packets that get somewhere in a hash function: mostly well-formed, of every kind that it tells apart."""

from __future__ import annotations

from random import Random

ETHERTYPES = (b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x88\xa8")


def random_packet(random: Random, shortest: int = 0) -> bytes:
    """Of ``shortest`` bytes or more."""
    packet = random.randbytes(12)
    if random.random() < 0.3:
        packet += b"\x81\x00" + random.randbytes(2)
    ethertype = random.choices(ETHERTYPES, (5, 5, 1, 1))[0]
    packet += ethertype
    protocol = random.choice((6, 17, 132, 1))
    if ethertype == b"\x08\x00":
        fragment = random.choice((0, 0, 0x4000, 0x2000, 0x00B9, 0x2001))
        packet += bytes([0x40 | random.choice((5, 5, 6, 15, 0))]) + random.randbytes(5)
        packet += fragment.to_bytes(2, "big") + bytes([64, protocol]) + random.randbytes(10)
    elif ethertype == b"\x86\xdd":
        packet += b"\x60" + random.randbytes(5) + bytes([protocol, 64]) + random.randbytes(32)
    packet += random.randbytes(random.choice((0, 8, 60)))
    if random.random() < 0.2:
        packet = packet[: random.randrange(len(packet))]
    return packet.ljust(shortest, b"\x5a")
