"""What to do when the team driver refuses: one table, put behind the kernel's own words."""

from __future__ import annotations

from errno import EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EPERM
from types import TracebackType
from typing import Final

from pyteam.datapath.interface import DatapathError
from pyteam.netlink.message import NetlinkFormatError
from pyteam.netlink.rtnl import NetlinkError

NO_DRIVER: Final = (
    "this kernel has no team driver: load it (modprobe team), or use the eBPF datapath (--datapath ebpf)"
)

#: By what was tried (for options: the option's name; empty: anything) and the kernel's errno.
_HINTS: Final[dict[tuple[str, int], str]] = {
    ("create", EOPNOTSUPP): NO_DRIVER,
    ("create", EEXIST): "there is an interface of that name: -o adopts a team device, -r replaces anything",
    ("mode", EBUSY): "the mode can only change while the team has no ports",
    ("mode", EINVAL): "it is set already, or this kernel lacks the module team_mode_<name>",
    ("activeport", ENOENT): "it must be the index of a port of this team, and the mode activebackup",
    ("queue_id", EINVAL): "it must be less than the number of transmit queues of the team device",
    ("lb_tx_hash_to_port_mapping", ENODEV): "it must be the index of an enabled port of this team",
    ("lb_tx_method", EINVAL): "it must be hash or hash_to_port_mapping",
    ("", ENOENT): "the driver has no such option here, or of another type",
    ("", EPERM): "run as root (CAP_NET_ADMIN is needed)",
}


class explained:
    """Turn netlink's errors within into `DatapathError`, with the same errno and a hint."""

    __slots__ = ("_tried",)

    def __init__(self, tried: str) -> None:
        self._tried = tried

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, NetlinkError):
            code = error.errno or 0
            hint = _HINTS.get((self._tried, code)) or _HINTS.get(("", code), "")
            words = [word for word in (str(error.strerror), error.reason, hint) if word]
            raise DatapathError(code, ": ".join(words)) from error
        if isinstance(error, NetlinkFormatError):
            raise DatapathError(EINVAL, str(error)) from error
