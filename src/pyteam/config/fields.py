"""The kinds of single values that keys have: how each is read, converted, refused and described.

Knows no key and no nesting. `Kind.decode` returns the typed value; where it reported an error
instead, what it returns is of no use. Conversion rule: a value of another JSON type is taken, with
a warning, when there is only one way to read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pyteam.config.report import Path, Report, hint, show
from pyteam.config.text import Unreadable

INT_MIN: Final = -(2**31)
INT_MAX: Final = 2**31 - 1
#: Bytes of an interface name, without the terminating zero (``IFNAMSIZ``, linux/if.h).
NAME_MAX: Final = 15
#: Bytes of an Ethernet address (``ETH_ALEN``, linux/if_ether.h).
ADDRESS_LENGTH: Final = 6

_ONE_READING: Final = re.compile(r"\s*(-?(?:0|[1-9][0-9]{0,18}))\s*", re.ASCII)
# The kernel's isspace() is Latin-1: 0xa0 counts, also inside a UTF-8 sequence (lib/ctype.c).
_NOT_IN_NAMES: Final = frozenset(b"\0/:%\t\n\v\f\r \xa0")
_HEX_BYTE: Final = re.compile(r"[0-9a-fA-F]{1,2}", re.ASCII)


@dataclass(kw_only=True, eq=False, repr=False)
class Kind:
    """What all kinds have. ``meaning`` is for the manual: a phrase without a full stop."""

    # Neither frozen nor comparable: that would cost each start of the daemon 7 ms, for constants.

    meaning: str
    unit: str = ""
    #: As users write it, where no attribute can have that name.
    key: str = ""

    def allowed(self) -> str:
        """What a user may write here."""
        raise NotImplementedError

    def decode(self, value: object, path: Path, report: Report) -> Any:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the value, without its description."""
        raise NotImplementedError

    def refuse(self, value: object, path: Path, report: Report, why: str = "") -> Any:
        """Report an error; answers what `decode` is to answer then."""
        what = why or f"found {show(value)}."
        report.error(path, f"{what} Allowed: {self.allowed()}.")
        return None


@dataclass(kw_only=True, eq=False, repr=False)
class Excluded(Kind):
    """A key that another record has and this one must not: ignored, it would be missed."""

    #: A sentence: why it cannot be, and what to do.
    why: str

    def allowed(self) -> str:
        return "nothing; leave the key out"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        return self.refuse(value, path, report, self.why)

    def schema(self) -> dict[str, Any]:
        return {"not": {}}


@dataclass(kw_only=True, eq=False, repr=False)
class Integer(Kind):
    minimum: int = 0
    maximum: int = INT_MAX

    def allowed(self) -> str:
        return f"an integer from {self.minimum} to {self.maximum}" + (f" ({self.unit})" if self.unit else "")

    def decode(self, value: object, path: Path, report: Report) -> Any:
        number = _integer(value)
        if number is None:
            return self.refuse(value, path, report)
        if not self.minimum <= number <= self.maximum:
            only_negative_refused = (self.minimum, self.maximum) == (0, INT_MAX) and number < 0
            limits = (
                "must not be negative number." if only_negative_refused else "value is out of its limits."
            )
            return self.refuse(value, path, report, f'"{path[-1]}" {limits} Found {show(value)}.')
        if type(value) is not int:
            report.warn(path, f"found {show(value)}, read as {number}; write it as an integer.")
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    match = _ONE_READING.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) if match else None


@dataclass(kw_only=True, eq=False, repr=False)
class Boolean(Kind):
    def allowed(self) -> str:
        return "true or false"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else str(_integer(value))
        truth = {"true": True, "1": True, "false": False, "0": False}.get(word)
        if truth is None:
            return self.refuse(value, path, report)
        report.warn(path, f"found {show(value)}, read as {show(truth)}; write {show(truth)}.")
        return truth

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(kw_only=True, eq=False, repr=False)
class Text(Kind):
    """A string that is not empty; ``longest`` counts bytes of UTF-8, 0 for any length."""

    longest: int = 0

    def allowed(self) -> str:
        return "a non-empty string" + (f" of at most {self.longest} bytes" if self.longest else "")

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, str) or not value:
            return self.refuse(value, path, report)
        try:
            length = len(value.encode())
        except UnicodeEncodeError:
            return self.refuse(value, path, report, f"found {show(value)}, which is no Unicode text.")
        if "\0" in value or (self.longest and length > self.longest):
            return self.refuse(value, path, report)
        return value

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", "minLength": 1}
        return schema | {"maxLength": self.longest} if self.longest else schema


@dataclass(kw_only=True, eq=False, repr=False)
class InterfaceName(Kind):
    """The name of a network interface, by the kernel's rules (``dev_valid_name``)."""

    def allowed(self) -> str:
        return (
            f"an interface name: 1 to {NAME_MAX} bytes without white space, '/', ':' or '%', not '.' or '..'"
        )

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, str):
            return self.refuse(value, path, report)
        octets = value.encode(errors="surrogatepass")
        if len(octets) > NAME_MAX:
            return self.refuse(value, path, report, f"name too long: {show(value)} ({len(octets)} bytes).")
        surrogate = octets.decode(errors="replace") != value
        if not octets or value in (".", "..") or surrogate or _NOT_IN_NAMES.intersection(octets):
            return self.refuse(value, path, report, f"{show(value)} cannot be the name of an interface.")
        return value

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": r"^(?!\.{1,2}$)[^\s/:%]+$",
            "minLength": 1,
            "maxLength": NAME_MAX,
        }


@dataclass(kw_only=True, eq=False, repr=False)
class HardwareAddress(Kind):
    """Six bytes. As in the original, a byte may have one digit, or none for zero."""

    def allowed(self) -> str:
        return "six hexadecimal bytes of a unicast address, as in 02:00:00:00:00:01"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if not isinstance(value, str):
            return self.refuse(value, path, report)
        pieces = [piece.strip(" \t") for piece in value.split(":")]
        if any(piece and not _HEX_BYTE.fullmatch(piece) for piece in pieces):
            return self.refuse(value, path, report, f"Failed to parse hardware address. Found {show(value)}.")
        address = bytes(int(piece or "0", 16) for piece in pieces)
        if len(address) != ADDRESS_LENGTH:
            why = f"Passed hardware address has different length ({len(address)}) than team device has (6)."
            return self.refuse(value, path, report, f"{why} Found {show(value)}.")
        if address[0] & 1 or not any(address):
            why = "is a multicast address" if any(address) else "is all zero"
            return self.refuse(value, path, report, f"{show(value)} {why}; no device can have it.")
        return address

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "pattern": "^([ \\t]*[0-9a-fA-F]{0,2}[ \\t]*:){5}[ \\t]*[0-9a-fA-F]{0,2}[ \\t]*$",
        }


@dataclass(kw_only=True, eq=False, repr=False)
class Choice(Kind):
    """One of ``words``; a table takes them from the type of the key, a ``Literal``."""

    words: tuple[str, ...] = ()
    #: A sentence with the place ``{found}``.
    refusal: str = "found {found}."
    #: An unknown word is as good as none, with a warning: the original never refused it.
    lenient: bool = False

    def allowed(self) -> str:
        return quoted(self.words)

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if value in self.words:
            return value
        why = self.refusal.format(found=show(value))
        if not isinstance(value, str):
            return self.refuse(value, path, report)
        why += hint(value, self.words)
        if self.lenient:
            report.warn(path, f"{why} Ignored. Allowed: {self.allowed()}.")
            return None
        return self.refuse(value, path, report, why)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(kw_only=True, eq=False, repr=False)
class Words(Kind):
    """An array of known words; an unknown one is skipped with a warning, but not all of them.

    ``words`` as for `Choice`.
    """

    words: tuple[str, ...] = ()
    #: A sentence with the place ``{found}``.
    unknown: str

    def allowed(self) -> str:
        return f"an array with at least one of {quoted(self.words)}"

    def decode(self, value: object, path: Path, report: Report) -> Any:
        if isinstance(value, str) and value in self.words:
            report.warn(path, f"found {show(value)}, read as [{show(value)}]; write it as an array.")
            return (value,)
        if not isinstance(value, list) or not value:
            return self.refuse(value, path, report, "the array is empty." if value == [] else "")
        known = []
        wrong = False
        for index, item in enumerate(value):
            where = (*path, index)
            if item in self.words:
                known.append(item)
            elif isinstance(item, str):
                near = hint(item, self.words)
                report.warn(where, f"{self.unknown.format(found=show(item))} Skipped.{near}")
            else:
                wrong = True
                if not isinstance(item, Unreadable):
                    report.error(where, f"found {show(item)}. Allowed: {quoted(self.words)}.")
        if not known and not wrong:
            return self.refuse(value, path, report, "no word of the array is known.")
        return tuple(known)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"enum": list(self.words)}, "minItems": 1}


def quoted(words: Iterable[str]) -> str:
    """Words as in a JSON text: ``"any", "all"``."""
    return ", ".join(map(show, words))
