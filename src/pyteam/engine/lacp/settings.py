"""What a user may choose of LACP: of the system, and of one port."""

from __future__ import annotations

from dataclasses import dataclass

from pyteam.frames.lacp import RETRY_COUNT


@dataclass(frozen=True, slots=True)
class Settings:
    """Of the system. Priorities 0 to 65535, the lower the better.

    ``fast_rate``: ask the partner for a LACPDU a second instead of one in thirty. ``retry_count``: how many
    of ours may stay away before the partner takes us for gone (3 to 255). ``fallback``: with no partner
    anywhere, one port forwards all the same. ``max_active_ports``: ports that distribute at once, 0 for all.
    ``select_policy``: a row of `policy.POLICIES`. ``independent``: collect before distributing.
    """

    system_priority: int = 0xFFFF
    active: bool = True
    fast_rate: bool = False
    retry_count: int = RETRY_COUNT
    enable_retry_count: bool = True
    fallback: bool = False
    max_active_ports: int = 0
    select_policy: str = "lacp_prio"
    independent: bool = False


@dataclass(frozen=True, slots=True)
class PortSettings:
    """Of a port. ``number`` (1 to 65535) is its own and stays; ``address``: the MAC its LACPDUs come from.

    ``prio`` (the higher the better) and ``sticky`` are for the policy ``port_config``.
    """

    number: int
    address: bytes
    key: int = 0
    priority: int = 255
    prio: int = 0
    sticky: bool = False
