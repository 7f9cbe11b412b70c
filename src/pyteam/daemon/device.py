"""Which datapath, and is the device created, adopted or made anew: settled before traffic is touched."""

from __future__ import annotations

import contextlib
import errno
import logging
from typing import TYPE_CHECKING

from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.netlink.rtnl import NetlinkError, Rtnl

if TYPE_CHECKING:
    from pyteam.daemon.arguments import Arguments

log = logging.getLogger(__name__)


def free_name() -> str:
    """The first team<N> that no interface has."""
    with Rtnl() as rtnl:
        taken = {link.name for link in rtnl.links()}
    number = 0
    while f"team{number}" in taken:
        number += 1
    return f"team{number}"


def open_datapath(name: str, arguments: Arguments, choice: str) -> tuple[Datapath, bool]:
    """The device, and whether it was adopted with what it carries.

    ``choice``: auto, kernel or ebpf. Raises `DatapathError` or `NetlinkError`; then nothing
    was changed, except that -r may have deleted the old device.
    """
    if choice == "kernel":
        raise DatapathError(
            errno.EOPNOTSUPP, "the kernel datapath is not implemented yet: use --datapath ebpf"
        )
    # Late: a daemon on another datapath need not have libbpf.
    from pyteam.datapath.ebpf.datapath import EbpfDatapath

    exists = _exists(name)
    if exists and arguments.take_over:
        return EbpfDatapath.adopt(name), True
    if exists and not arguments.force_recreate and EbpfDatapath.orphaned(name):
        log.info("%s was left by a daemon that died: taking it over.", name)
        return EbpfDatapath.adopt(name), True
    if exists and arguments.force_recreate:
        _delete(name)
    return EbpfDatapath.create(name), False


def _exists(name: str) -> bool:
    with Rtnl() as rtnl, contextlib.suppress(NetlinkError):
        rtnl.link_by_name(name)
        return True
    return False


def _delete(name: str) -> None:
    """Whatever it is; the ports of a team of ours get back what they had."""
    from pyteam.datapath.ebpf.datapath import EbpfDatapath

    try:
        EbpfDatapath.adopt(name).destroy()
    except (DatapathError, NetlinkError) as error:
        if error.errno == errno.EBUSY:
            raise
        with Rtnl() as rtnl:
            rtnl.delete_link(rtnl.link_by_name(name).ifindex)
