"""What must outlive the daemon besides the programs' own state: kept in a BPF map, as JSON.

A successor finds in it the options that the programs have no use for, and what ports looked like
before they were ports, so that it can give them back as they were.
"""

from __future__ import annotations

import base64
import errno
import json
import zlib
from dataclasses import asdict, dataclass, field
from typing import Self

from pyteam.datapath.interface import DatapathError
from pyteam.options import OptionValue


class OtherVersionError(DatapathError, ValueError):
    """What is remembered was not written by this version; EINVAL."""

    def __init__(self, why: object) -> None:
        super().__init__(errno.EINVAL, f"this team device was made by another version of pyteam: {why}")


def pack(data: bytes) -> str:
    """Bytes as they can be remembered."""
    return base64.b64encode(zlib.compress(data)).decode() if data else ""


def unpack(text: str) -> bytes:
    """The inverse."""
    return zlib.decompress(base64.b64decode(text)) if text else b""


@dataclass(slots=True)
class Original:
    """A port as it was before it was one; what is None could not be read and is not restored."""

    address: str
    mtu: int
    promiscuous: bool
    allmulticast: bool
    disable_ipv6: bool | None = None


@dataclass(slots=True)
class PortRecord:
    original: Original
    rx_enabled: bool = True
    tx_enabled: bool = True
    user_linkup: bool = False
    user_linkup_enabled: bool = False
    priority: int = 0
    queue_id: int = 0

    @property
    def enabled(self) -> bool:
        return self.rx_enabled and self.tx_enabled


@dataclass(slots=True)
class Record:
    """Ports in the order in which they were added."""

    #: Of the BPF object that is attached: another one is swapped in by a successor.
    build: str = ""
    #: The last owner left on purpose (``teamd -N``); else it died and may be succeeded at once.
    released: bool = False
    carrier_is_set: bool = False
    options: dict[str, OptionValue] = field(default_factory=dict)
    failover_order: list[int] = field(default_factory=list)
    #: Ports that may send, in the order in which they were enabled.
    enabled: list[int] = field(default_factory=list)
    #: Of mode loadbalance: port by entry, 0 for none.
    entries: list[int] = field(default_factory=list)
    #: The hash function, see `pack`, and the option that it was given by.
    hash_function: str = ""
    hash_option: str = ""
    ports: dict[int, PortRecord] = field(default_factory=dict)

    def encode(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read back what `encode` wrote, with the NULs that pad it. Raises `OtherVersionError`."""
        try:
            document = json.loads(data.rstrip(b"\0"))
            ports = {
                int(ifindex): PortRecord(**{**port, "original": Original(**port["original"])})
                for ifindex, port in document.pop("ports").items()
            }
            return cls(ports=ports, **document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OtherVersionError(error) from error
