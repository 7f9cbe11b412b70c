"""What the original's hash functions say of eight packets; computed from the programs that it loaded."""

from __future__ import annotations

from typing import Final

#: Packets by name, each with the tag that it has beside its bytes.
_P1: Final = (
    "0200000000010a0b0c0d0e0f08004500002800010000400600000a0000010a000002"
    "3039005000000000000000000000000000000000"
)
_P4: Final = (
    "0200000000010a0b0c0d0e0f86dd6000000000141140"
    "20010db8000000000000000000000001"
    "20010db8000000000000000000000002"
    "1388003500000000000000000000000000000000"
)
PACKETS: Final[dict[str, tuple[bytes, int | None]]] = {
    "TCP": (bytes.fromhex(_P1), None),
    "UDP, a later fragment": (
        bytes.fromhex(
            "0200000000010a0b0c0d0e0f080045000028000100b9401100000a0000010a000002"
            "1388003500000000000000000000000000000000"
        ),
        None,
    ),
    "UDP, the first fragment": (
        bytes.fromhex(
            "0200000000010a0b0c0d0e0f08004500002800012000401100000a0000010a000002"
            "1388003500000000000000000000000000000000"
        ),
        None,
    ),
    "UDP over IPv6": (bytes.fromhex(_P4), None),
    "TCP, tag beside": (bytes.fromhex(_P1), 0xA064),
    "TCP, tag inside": (bytes.fromhex(_P1[:24] + "8100a064" + _P1[24:]), None),
    "ARP": (bytes.fromhex("0200000000010a0b0c0d0e0f0806") + bytes(28), None),
    "SCTP over IPv6": (bytes.fromhex(_P4[:40] + "84" + _P4[42:]), None),
}

#: The 32-bit results, in the order of `PACKETS`; the driver's eight bits follow from them.
_RESULTS: Final = """
eth            0c0d0605 0c0d0605 0c0d0605 0c0d0605 0c0d0605 0c0d0605 0c0d0605 0c0d0605
vlan           0        0        0        0        0000a064 00000064 0        0
ipv4           00000003 00000003 00000003 0        00000003 00000003 0        0
ipv6           0        0        0        00000003 0        0        0        00000003
l3             3        3        3        3        3        3        0        3
tcp            00003069 0        0        0        00003069 00003069 0        0
udp            0        0        000013bd 00000035 0        0        0        0
sctp           0        0        0        0        0        0        0        00000035
l4             00003069 0        000013bd 00000035 00003069 00003069 0        00000035
eth,ipv4,ipv6  0c0d0606 0c0d0606 0c0d0606 0c0d0606 0c0d0606 0c0d0606 0c0d0605 0c0d0606
eth,vlan       0c0d0605 0c0d0605 0c0d0605 0c0d0605 0c0da661 0c0d0661 0c0d0605 0c0d0605
l3,l4          0000306a 00000003 000013be 00000036 0000306a 0000306a 0        00000036
vlan,l3,l4     0000306a 00000003 000013be 00000036 0000900e 0000300e 0        00000036
eth,l3,l4      0c0d366f 0c0d0606 0c0d15bb 0c0d0633 0c0d366f 0c0d366f 0c0d0605 0c0d0633
eth,vlan,ipv4,ipv6,tcp,udp,sctp 0c0d366f 0c0d0606 0c0d15bb 0c0d0633 0c0d960b 0c0d360b 0c0d0605 0c0d0633
"""
_FOLDED: Final = """
02 02 02 02 02 02 02 02
00 00 00 00 c4 64 00 00
03 03 03 00 03 03 00 00
00 00 00 03 00 00 00 03
03 03 03 03 03 03 00 03
59 00 00 00 59 59 00 00
00 00 ae 35 00 00 00 00
00 00 00 00 00 00 00 35
59 00 ae 35 59 59 00 35
01 01 01 01 01 01 02 01
02 02 02 02 c6 66 02 02
5a 03 ad 36 5a 5a 00 36
5a 03 ad 36 9e 3e 00 36
58 01 af 34 58 58 02 34
58 01 af 34 9c 3c 02 34
"""
#: (fragments, name of the packet, hash, the same folded to eight bits).
VECTORS: Final = [
    (tuple(words.split(",")), name, int(result, 16), int(folded, 16))
    for line, bytes_ in zip(_RESULTS.strip().splitlines(), _FOLDED.strip().splitlines(), strict=True)
    for words, *results in [line.split()]
    for name, result, folded in zip(PACKETS, results, bytes_.split(), strict=True)
]
