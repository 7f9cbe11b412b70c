"""Keep IPv6 silent on an interface: a port must not speak for itself."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pyteam.netlink.rtnl import NetlinkError, Rtnl


def _switch(name: str) -> Path:
    return Path("/proc/sys/net/ipv6/conf") / name / "disable_ipv6"


def is_silent(name: str) -> bool | None:
    """None where this kernel has no IPv6."""
    try:
        return _switch(name).read_text().strip() == "1"
    except OSError:
        return None


def silence(rtnl: Rtnl, ifindex: int, name: str) -> None:
    """To be called before the interface comes up, when it would make itself an address."""
    _set(rtnl, ifindex, name, "1", "none")


def restore(rtnl: Rtnl, ifindex: int, name: str) -> None:
    """Let it speak again."""
    _set(rtnl, ifindex, name, "0", "eui64")


def _set(rtnl: Rtnl, ifindex: int, name: str, value: str, mode: str) -> None:
    try:
        _switch(name).write_text(value)
    except OSError:
        # Containers may have a read-only /proc/sys: at least no link-local address, which netlink can
        # say. Where that is refused too, the kernel has no IPv6 to silence.
        with contextlib.suppress(NetlinkError):
            rtnl.set_link(ifindex, addrgenmode=mode)
