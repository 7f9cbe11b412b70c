"""The kinds of values that bonding's options have, as files and commands write them. Knows no option.

`Kind.read` takes the words of all formats, the kernel's numbers for them too, and raises ``ValueError``
for anything else; `Kind.write` answers with the kernel's own word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from pyteam.config.fields import HardwareAddress, InterfaceName, quoted
from pyteam.config.report import Report

_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_SWITCH: Final = {"1": True, "on": True, "yes": True, "true": True}
_SWITCH_OFF: Final = {"0": False, "off": False, "no": False, "false": False}
#: Addresses that bonding takes (``BOND_MAX_ARP_TARGETS``, net/bonding.h).
TARGETS_MAX: Final = 16


@dataclass(kw_only=True, eq=False, repr=False)
class Kind:
    """What all kinds have."""

    def allowed(self) -> str:
        """What a user may write here."""
        raise NotImplementedError

    def read(self, text: str) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> str:
        return str(value)


@dataclass(kw_only=True, eq=False, repr=False)
class OneOf(Kind):
    """One of ``words``, in the order of the kernel's numbers."""

    words: tuple[str, ...]
    #: Words that others use.
    aliases: tuple[tuple[str, str], ...] = ()

    def allowed(self) -> str:
        return f"{quoted(self.words)}, or their numbers from 0"

    def read(self, text: str) -> str:
        if _NUMBER.fullmatch(text) and int(text) < len(self.words):
            return self.words[int(text)]
        word = dict(self.aliases).get(text, text)
        if word not in self.words:
            raise ValueError(text)
        return word


@dataclass(kw_only=True, eq=False, repr=False)
class Number(Kind):
    minimum: int = 0
    maximum: int = 2**31 - 1
    #: ``ms`` or ``s`` where it is a time.
    unit: str = ""

    def allowed(self) -> str:
        return f"an integer from {self.minimum} to {self.maximum}" + (f" ({self.unit})" if self.unit else "")

    def read(self, text: str) -> int:
        if not _NUMBER.fullmatch(text.removeprefix("-")) or not self.minimum <= int(text) <= self.maximum:
            raise ValueError(text)
        return int(text)


@dataclass(kw_only=True, eq=False, repr=False)
class Switch(Kind):
    def allowed(self) -> str:
        return "on (1, yes, true) or off (0, no, false)"

    def read(self, text: str) -> bool:
        try:
            return (_SWITCH | _SWITCH_OFF)[text.lower()]
        except KeyError:
            raise ValueError(text) from None

    def write(self, value: bool) -> str:
        return "1" if value else "0"


@dataclass(kw_only=True, eq=False, repr=False)
class Addresses(Kind):
    """IP addresses with commas or blanks between them; typed, a tuple of their usual spellings."""

    of: type[IPv4Address] | type[IPv6Address]

    def allowed(self) -> str:
        return f"1 to {TARGETS_MAX} {self.of.__name__.removesuffix('Address')} addresses with commas between"

    def read(self, text: str) -> tuple[str, ...]:
        # The sysfs file takes a + before an address, to add it, and so do old ifcfg files.
        found = tuple(str(self.of(word.removeprefix("+"))) for word in re.split(r"[,\s]+", text) if word)
        if not 1 <= len(found) <= TARGETS_MAX:
            raise ValueError(text)
        return found

    def write(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


@dataclass(kw_only=True, eq=False, repr=False)
class Interface(Kind):
    """The name of a member."""

    def allowed(self) -> str:
        return InterfaceName(meaning="").allowed()

    def read(self, text: str) -> str:
        return interface_name(text)


@dataclass(kw_only=True, eq=False, repr=False)
class Address(Kind):
    """A MAC."""

    def allowed(self) -> str:
        return HardwareAddress(meaning="").allowed()

    def read(self, text: str) -> str:
        report = Report("")
        address = HardwareAddress(meaning="").decode(text, (), report)
        if report.problems:
            raise ValueError(text)
        return ":".join(f"{octet:02x}" for octet in address)


def interface_name(text: str) -> str:
    """The name, if an interface can have it; else ``ValueError``."""
    report = Report("")
    InterfaceName(meaning="").decode(text, (), report)
    if report.problems:
        raise ValueError(text)
    return text


def address_family(text: str) -> int:
    """4 or 6 for an IP address, 0 for anything else, such as the name of a host."""
    try:
        return ip_address(text).version
    except ValueError:
        return 0
