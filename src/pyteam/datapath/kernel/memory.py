"""What the team driver does not tell, and a successor needs: a small file in the run directory.

The driver remembers the MACs that it gives back to its ports, but shows them to nobody, nor whether
user space has set the carrier, nor who made the device; and it does not count by port. Must not know
the driver.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from pyteam.files import replace_text

log = logging.getLogger(__name__)

SO_NETNS_COOKIE: Final = 71
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = "/proc/thread-self/ns/net"


def whereabouts() -> str:
    """This boot and this network namespace: where an interface index means one device for ever."""
    boot = _BOOT.read_text().strip()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            cookie = int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")
    except OSError:
        # Before Linux 5.14. An inode may be used again when its namespace is gone; rarely so soon.
        cookie = os.stat(_NAMESPACE).st_ino
    return f"{boot}/{cookie}"


@dataclass(slots=True)
class PortMemory:
    """An interface as it was before it became a port: its MAC, and what it had counted."""

    address: str
    counted: dict[str, int]


@dataclass(slots=True)
class Memory:
    """Of one team device. ``path`` is the file; nothing is written until `save`."""

    path: Path
    ifindex: int
    where: str = field(default_factory=whereabouts)
    #: The last owner left on purpose (``teamd -N``); else it died and may be succeeded at once.
    released: bool = False
    carrier_is_set: bool = False
    #: As the option, while nobody owns the team.
    failover_order: bytes = b""
    ports: dict[int, PortMemory] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, run_dir: str | os.PathLike[str], ifindex: int) -> Self:
        """What is remembered of the device; a blank one when that is nothing, or of another device."""
        blank = cls(Path(run_dir, f"{name}.kernel"), ifindex, released=True)
        try:
            found = cls._decode(blank.path, json.loads(blank.path.read_bytes()))
        except FileNotFoundError:
            return blank
        except (OSError, ValueError) as error:
            log.warning("%s: cannot read what was remembered of the team: %s", blank.path, error)
            return blank
        return found if (found.ifindex, found.where) == (blank.ifindex, blank.where) else blank

    @classmethod
    def _decode(cls, path: Path, document: dict[str, Any]) -> Self:
        """Raises ValueError."""
        try:
            ports = {int(ifindex): PortMemory(**port) for ifindex, port in document.pop("ports").items()}
            order = bytes.fromhex(document.pop("failover_order", ""))
            return cls(path=path, ports=ports, failover_order=order, **document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not written by this version: {error}") from error

    def save(self) -> None:
        """Replace the file at one go. Where that fails, the team works on, and a successor knows less."""
        document = asdict(self)
        document.pop("path")
        document["failover_order"] = self.failover_order.hex()
        try:
            replace_text(self.path, json.dumps(document))
        except OSError as error:
            log.warning("%s: cannot remember what the ports were before: %s", self.path, error.strerror)

    def forget(self) -> None:
        """The device is no more."""
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()
