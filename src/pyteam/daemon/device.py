"""The team device at the start: which datapath it gets, and is it created, adopted or made anew."""

from __future__ import annotations

import errno
import logging
from typing import TYPE_CHECKING

from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl

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

    found = _find(name)
    if found is None:
        return EbpfDatapath.create(name), False
    if arguments.take_over:
        return EbpfDatapath.adopt(name), True
    if arguments.force_recreate:
        _delete(found)
        return EbpfDatapath.create(name), False
    if EbpfDatapath.orphaned(name):
        log.info("%s was left by a daemon that died: taking it over.", name)
        return EbpfDatapath.adopt(name), True
    raise DatapathError(
        errno.EEXIST, f"Failed to create team device: {name} exists, see the options -o and -r"
    )


def _find(name: str) -> LinkInfo | None:
    with Rtnl() as rtnl:
        try:
            return rtnl.link_by_name(name)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return None


def _delete(device: LinkInfo) -> None:
    """Whatever it is; the ports of a team of ours get back what they had."""
    from pyteam.datapath.ebpf.datapath import EbpfDatapath

    try:
        EbpfDatapath.adopt(device.name).destroy()
    except (DatapathError, NetlinkError) as error:
        if error.errno == errno.EBUSY:
            raise
        log.debug("%s is no team of ours, so it is simply deleted: %s", device.name, error)
        with Rtnl() as rtnl:
            rtnl.delete_link(device.ifindex)
