"""The contract of a datapath: the part that moves packets and decides nothing.

Three implementations (kernel ``team`` driver, eBPF, simulated) pass one conformance suite. The
vocabulary, and what each word does to ports, is the kernel team driver's:

* A port must be administratively down and no loopback to be added; adding it sets its MTU to the
  team's, brings it up and leaves it ``enabled``. Releasing brings it down and restores the MAC and
  MTU that it had before.
* The MTU of ports follows the team device's.
* Until `Datapath.set_carrier` is called, the team device has carrier while any port has an
  effective link: raw carrier, or ``user_linkup`` where ``user_linkup_enabled`` is set.
* ``notify_peers_*`` and ``mcast_rejoin_*`` start their bursts when a port is enabled and when the
  active port changes.

Calls are synchronous and short. They raise an `OSError` that is a `PyteamError` (a `DatapathError`, or
the transport's own), whose errno is the kernel's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence, Set
from typing import Final, Protocol

from pyteam.engine.desired import Actual
from pyteam.engine.events import Event
from pyteam.errors import PyteamError
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue

#: SO_MARK of frames that the daemon itself sends by a port: they leave as they are.
OWN_FRAMES: Final = 0x70797278


class DatapathError(PyteamError, OSError):
    """A datapath refused: ``errno`` as the kernel has it, the text says what and what to do."""

    def __init__(self, errno: int, what: str) -> None:
        super().__init__(errno, what)

    def __str__(self) -> str:
        return f"{self.strerror} ({os.strerror(self.errno or 0)})"


class Datapath(Protocol):
    """One team device. Made by an implementation's ``create`` or ``adopt``; owned by one process."""

    #: ``kernel``, ``ebpf`` or ``simulated``.
    kind: str
    #: The team device; its index does not change while it lives.
    ifindex: int
    #: Whether it can receive on a port without sending on it (``rx_enabled``, ``tx_enabled``).
    separates: bool

    def link(self, ifindex: int) -> Link:
        """The interface as it is at this moment. Raises with ENODEV when there is none."""

    def find(self, name: str) -> Link:
        """The same by name."""

    def links(self) -> Sequence[Link]:
        """Every interface of the namespace, the team device and its ports among them; where many teams
        share what they hear, those that concern this one."""

    def follow(self, names: Set[str]) -> None:
        """Interfaces of these names concern it, whether they exist or not."""

    def actual(self) -> Actual:
        """The whole state of the device: read now, or since `links` kept true by events and commands."""

    def add_port(self, ifindex: int) -> None:
        """EBUSY: it is up, or in another team. EINVAL: loopback, or the team itself. ENODEV: gone."""

    def remove_port(self, ifindex: int) -> None:
        """ENODEV when it is no port of this team."""

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        """ENOENT: no such option, port or index. EINVAL: bad value. EBUSY: ``mode`` with ports."""

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        """``lb_tx_hash_to_port_mapping`` of these entries, at one go: all of them, or none.

        ENODEV: it is no enabled port of this team. ENOENT: another mode, or no such entry.
        """

    def set_options(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        """As `set_option`, one after the other; on an error some of them are set. Not for ``mode``."""

    def set_address(self, ifindex: int, address: bytes) -> None:
        """The MAC of the team device or of a port."""

    def set_carrier(self, up: bool) -> None:
        """From now on the carrier is what the caller says."""

    def statistics(self, ifindex: int) -> dict[str, int]:
        """``rx_packets rx_bytes tx_packets tx_bytes`` that the team moved over this port."""

    def files(self) -> Sequence[int]:
        """File descriptors; when one is readable, call `receive`."""

    def receive(self) -> list[Event]:
        """What happened since the last call, without blocking: links and options seen, links gone.

        All events of a batch are to be handled before a command is given: a value of theirs may be
        older than one that was set meanwhile.
        """

    def repair(self) -> Sequence[str]:
        """Put back what somebody took from the device and no command could; what that was, in few words.

        Not cheap: for now and then.
        """

    def next_timeout(self) -> float | None:
        """Monotonic time at which `handle_timeout` wants to be called."""

    def handle_timeout(self, now: float) -> None:
        """Send what is due (announcements to peers, multicast joins)."""

    def destroy(self) -> None:
        """Release the ports, delete the device, leave nothing behind."""

    def close(self) -> None:
        """Let go of it, still carrying traffic, for another owner to adopt."""
