"""What team0 is, inside the eBPF datapath: the ear that hands received frames to the stack.

Transmit never depends on it: our program at team0's egress picks the port before the device's own
transmit is reached. A receiver is one file with a class that fits `Receiver`.
"""

from __future__ import annotations

from typing import Final, Protocol

#: A filter can only give a packet a queue that the device has. The kernel's driver has as many.
TX_QUEUES: Final = 16


class Receiver(Protocol):
    """A device that takes frames redirected to it for its own, and whose carrier can be steered."""

    #: Name in the configuration (key ``receiver``).
    kind: str
    #: The team device.
    ifindex: int
    #: The device where packets come out that the team device really transmits (for a tap, or a filter).
    other_end: int

    def carrier(self) -> bool:
        """What was last asked for, read from the kernel."""

    def set_carrier(self, up: bool) -> None: ...

    def set_mtu(self, mtu: int) -> None:
        """Make room for frames of the team device's MTU."""

    def delete(self) -> None: ...
