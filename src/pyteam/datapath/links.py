"""The interfaces of the namespace, as a datapath last heard of them or read them itself."""

from __future__ import annotations

import errno
from collections.abc import Collection, Set

from pyteam.netlink.monitor import Change, LinkMonitor
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl


class Links:
    """Subscribed from the moment it is made. Reading something does not keep it from being news."""

    def __init__(self, rtnl: Rtnl) -> None:
        self._rtnl = rtnl
        self._monitor = LinkMonitor(rtnl)
        try:
            self.known = {info.ifindex: info for info in self._monitor.snapshot()}
        except BaseException:
            self._monitor.close()
            raise

    def close(self) -> None:
        self._monitor.close()

    def fileno(self) -> int:
        return self._monitor.fileno()

    def read(self, ifindex: int) -> LinkInfo:
        """The interface now. Raises `NetlinkError` with ENODEV."""
        info = self.known[ifindex] = self._rtnl.link(ifindex)
        return info

    def find(self, name: str) -> LinkInfo:
        """The interface of this name now. Raises `NetlinkError` with ENODEV."""
        info = self._rtnl.link_by_name(name)
        if info.name != name:
            # One of its alternative names, by which no configuration calls it.
            raise NetlinkError(errno.ENODEV, f"cannot read interface {name!r}")
        self.known[info.ifindex] = info
        return info

    def read_all(self) -> list[LinkInfo]:
        """Every interface there is now."""
        found = self._rtnl.links()
        self.known = {info.ifindex: info for info in found}
        return found

    def read_some(self, ifindexes: Collection[int]) -> dict[int, LinkInfo]:
        """Those of them that there are now."""
        return {info.ifindex: info for info in self.read_all() if info.ifindex in ifindexes}

    def read_mine(self) -> list[LinkInfo]:
        """The interfaces that may matter, now: here all of them."""
        return self.read_all()

    def follow(self, names: Set[str]) -> None:
        """Interfaces of these names matter, whether there are any or not."""

    def read_ports(self, team: int) -> list[LinkInfo]:
        """The interfaces whose master the team device is now."""
        found = self._rtnl.links(master=team)
        self.known |= {info.ifindex: info for info in found}
        return found

    def receive(self) -> list[Change]:
        """What happened since the last call, without blocking; `known` has it already."""
        changes = self._monitor.receive()
        for change in changes:
            if isinstance(change, LinkInfo):
                self.known[change.ifindex] = change
            else:
                self.known.pop(change.ifindex, None)
        return changes
