"""The hash functions that users compose of words: ``tx_hash`` as a classic BPF program.

The hash is the exclusive or of what the fragments name. X holds it from one step to the next, and
the last step leaves it in A. A load beyond the end of the packet ends the program with 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pyteam.txhash import classic as c
from pyteam.txhash.classic import Instruction, encode

#: Each word that users know, and what it stands for. A set: order and repetition do not matter.
FRAGMENTS: Final[dict[str, frozenset[str]]] = {
    "eth": frozenset({"eth"}),
    "vlan": frozenset({"vlan"}),
    "ipv4": frozenset({"ipv4"}),
    "ipv6": frozenset({"ipv6"}),
    "ip": frozenset({"ipv4", "ipv6"}),
    "l3": frozenset({"ipv4", "ipv6"}),
    "tcp": frozenset({"tcp"}),
    "udp": frozenset({"udp"}),
    "sctp": frozenset({"sctp"}),
    "l4": frozenset({"tcp", "udp", "sctp"}),
}

_PROTOCOLS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_ETH_P_8021Q, _ETH_P_IP, _ETH_P_IPV6 = 0x8100, 0x0800, 0x86DD
_MACS: Final = ((c.W, 2), (c.H, 0), (c.W, 8), (c.H, 6))
_TYPE: Final = 12
_TAG: Final = 14
_TAG_SIZE: Final = 4
#: VLAN id without priority. The whole tag counts where it is not in the frame: so the original had it.
_VLAN_ID: Final = 0x0FFF

# From the start of a frame without a tag.
_IPV4_LENGTH, _IPV4_FRAGMENT, _IPV4_PROTOCOL = 14, 20, 23
_IPV4_ADDRESSES: Final = range(26, 34, 4)
_FRAGMENT_OFFSET: Final = 0x1FFF
_IPV6_PROTOCOL: Final = 20
_IPV6_ADDRESSES: Final = range(22, 54, 4)
#: The source port does not count in IPv6: so the original had it.
_IPV6_PORT: Final = 56


def hash_program(fragments: Iterable[str]) -> bytes:
    """The program for a set of `FRAGMENTS`: an array of struct sock_filter, in host byte order.

    Without fragments every packet's hash is 0. Raises KeyError for an unknown one.
    """
    wanted = frozenset().union(*(FRAGMENTS[word] for word in fragments))
    if not wanted:
        return encode([Instruction(c.RET | c.K)])
    text = _Text()
    if "eth" in wanted:
        for size, offset in _MACS:
            text.fold(size, offset)
    if wanted != {"eth"}:
        text.put(c.LD | c.H | c.ABS, _TYPE)
        text.unless_equal(_ETH_P_8021Q, "plain")
        if "vlan" in wanted:
            text.put(c.LD | c.H | c.ABS, _TAG)
            text.put(c.ALU | c.AND | c.K, _VLAN_ID)
            text.fold_in()
        _packet(text, wanted, _TAG_SIZE)
        text.label("plain")
        if "vlan" in wanted:
            text.put(c.LD | c.B | c.ABS, c.VLAN_TAG_PRESENT)
            text.unless_equal(1, "untagged")
            text.fold(c.H, c.VLAN_TAG)
            text.label("untagged")
        _packet(text, wanted, 0)
    else:
        text.finish()
    return encode(text.instructions)


def _packet(text: _Text, wanted: frozenset[str], shift: int) -> None:
    """What the frame carries, ``shift`` bytes later than without a tag; the program's end on this way."""
    protocols = [number for name, number in _PROTOCOLS.items() if name in wanted]
    if protocols or wanted & {"ipv4", "ipv6"}:
        text.put(c.LD | c.H | c.ABS, _TYPE + shift)
        text.unless_equal(_ETH_P_IP, f"not IPv4 {shift}")
        _ipv4(text, "ipv4" in wanted, protocols, shift)
        text.label(f"not IPv4 {shift}")
        text.unless_equal(_ETH_P_IPV6, f"other {shift}")
        _ipv6(text, "ipv6" in wanted, protocols, shift)
        text.label(f"other {shift}")
    text.finish()


def _ipv4(text: _Text, addresses: bool, protocols: list[int], shift: int) -> None:
    if addresses:
        for offset in _IPV4_ADDRESSES:
            text.fold(c.W, offset + shift)
    if protocols:
        # A later fragment has no ports.
        text.put(c.LD | c.H | c.ABS, _IPV4_FRAGMENT + shift)
        text.unless_clear(_FRAGMENT_OFFSET, f"no ports {shift}")
        text.put(c.LD | c.B | c.ABS, _IPV4_PROTOCOL + shift)
        text.unless_one_of(protocols, f"no ports {shift}")
        hash_so_far, source = 0, 1
        text.put(c.STX, hash_so_far)
        text.put(c.LDX | c.B | c.MSH, _IPV4_LENGTH + shift)
        text.put(c.LD | c.H | c.IND, _IPV4_LENGTH + shift)
        text.put(c.ST, source)
        text.put(c.LD | c.H | c.IND, _IPV4_LENGTH + shift + 2)
        for word in (source, hash_so_far):
            text.put(c.LDX | c.W | c.MEM, word)
            text.put(c.ALU | c.XOR | c.X)
        text.put(c.RET | c.A)
        text.label(f"no ports {shift}")
    text.finish()


def _ipv6(text: _Text, addresses: bool, protocols: list[int], shift: int) -> None:
    if addresses:
        for offset in _IPV6_ADDRESSES:
            text.fold(c.W, offset + shift)
    if protocols:
        text.put(c.LD | c.B | c.ABS, _IPV6_PROTOCOL + shift)
        text.unless_one_of(protocols, f"no port {shift}")
        text.fold(c.H, _IPV6_PORT + shift)
        text.label(f"no port {shift}")
    text.finish()


@dataclass
class _Text:
    """A program in the making: jumps go forward, to labels that come later."""

    instructions: list[Instruction] = field(default_factory=list)
    _pending: list[tuple[int, str, str]] = field(default_factory=list)

    def put(self, code: int, k: int = 0) -> None:
        self.instructions.append(Instruction(code, k=k))

    def fold(self, size: int, offset: int) -> None:
        """A piece of the packet into the hash."""
        self.put(c.LD | size | c.ABS, offset)
        self.fold_in()

    def fold_in(self) -> None:
        self.put(c.ALU | c.XOR | c.X)
        self.put(c.MISC | c.TAX)

    def finish(self) -> None:
        self.put(c.MISC | c.TXA)
        self.put(c.RET | c.A)

    def unless_equal(self, k: int, label: str) -> None:
        self._jump(c.JEQ, k, "jf", label)

    def unless_clear(self, mask: int, label: str) -> None:
        self._jump(c.JSET, mask, "jt", label)

    def unless_one_of(self, numbers: list[int], label: str) -> None:
        for left, number in zip(range(len(numbers) - 1, 0, -1), numbers, strict=False):
            self.instructions.append(Instruction(c.JMP | c.JEQ | c.K, jt=left, k=number))
        self.unless_equal(numbers[-1], label)

    def _jump(self, test: int, k: int, side: str, label: str) -> None:
        self._pending.append((len(self.instructions), side, label))
        self.put(c.JMP | test | c.K, k)

    def label(self, name: str) -> None:
        here = len(self.instructions)
        for at, side, wanted in self._pending:
            if wanted == name:
                self.instructions[at] = self.instructions[at]._replace(**{side: here - at - 1})
        self._pending = [jump for jump in self._pending if jump[2] != name]
