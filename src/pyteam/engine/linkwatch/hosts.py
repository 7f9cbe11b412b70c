"""A host that a watch is configured with: an address, or a name whose address is asked for again and again.

Who looks names up, and how long that takes, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Seconds after which a name that has an address, and one that has none, is looked up again.
REFRESH: Final = 60.0
RETRY: Final = 5.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question for the system's resolver."""

    name: str
    ipv6: bool


class Host:
    """``address`` is None until one is known; then the last one stays, whatever happens to the name."""

    def __init__(self, text: str, *, ipv6: bool) -> None:
        self.lookup = Lookup(text, ipv6)
        self.address = _numeric(text, ipv6)
        #: Why the name has no address; empty when it has, or nobody knows yet.
        self.error = ""
        #: When it is to be looked up; None: no need, or it is being looked up.
        self.due: float | None = None if self.address else 0.0

    def __str__(self) -> str:
        """The address, or what is configured while there is none."""
        import ipaddress

        return str(ipaddress.ip_address(self.address)) if self.address else self.lookup.name

    def asked(self) -> None:
        """The question is on its way."""
        self.due = None

    def learn(self, now: float, address: bytes | None, error: str) -> bool:
        """The answer. True when anything is new."""
        self.due = now + (REFRESH if address else RETRY)
        new = (address or self.address, error) != (self.address, self.error)
        self.address, self.error = address or self.address, error
        return new


def _numeric(text: str, ipv6: bool) -> bytes | None:
    # Imported here: most teams have no such watch, and each start of a daemon would pay for it.
    import ipaddress

    try:
        return (ipaddress.IPv6Address if ipv6 else ipaddress.IPv4Address)(text).packed
    except ValueError:
        return None
