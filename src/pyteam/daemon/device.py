"""The team device at the start: which datapath it gets, and is it created, adopted or made anew."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from pyteam.control.protocol import run_directory
from pyteam.datapath.interface import Datapath, DatapathError
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl

if TYPE_CHECKING:
    from pyteam.daemon.arguments import Arguments
    from pyteam.datapath.hub import LinkHub

log = logging.getLogger(__name__)


class _Kind(NamedTuple):
    """One datapath's ways in; each takes the name of the team device."""

    create: Callable[[str], Datapath]
    adopt: Callable[[str], Datapath]
    orphaned: Callable[[str], bool]


def free_name() -> str:
    """The first team<N> that no interface has."""
    with Rtnl() as rtnl:
        taken = {link.name for link in rtnl.links()}
    number = 0
    while f"team{number}" in taken:
        number += 1
    return f"team{number}"


def open_datapath(
    name: str, arguments: Arguments, choice: str, rx_balancer: bool = False, hub: LinkHub | None = None
) -> tuple[Datapath, bool]:
    """The device, and whether it was adopted with what it carries.

    ``choice``: auto, kernel or ebpf; ``hub``: where many teams share one. Raises `DatapathError` or
    `NetlinkError`; then nothing was changed, except that -r may have deleted the old device.
    """
    if not rx_balancer:
        datapath, adopted = _open(name, arguments, choice, hub)
        if adopted:
            _balance_no_longer(datapath)
        return datapath, adopted
    from pyteam.datapath.ebpf import requirements

    requirements.check("rx_balancer")
    datapath, adopted = _open(name, arguments, choice, hub)
    try:
        from pyteam.daemon.rxbalance import RxBalancedDatapath

        return RxBalancedDatapath(datapath), adopted
    except BaseException:
        if adopted:
            datapath.close()
        else:
            datapath.destroy()
        raise


def _balance_no_longer(datapath: Datapath) -> None:
    """The configuration of the daemon before may have had an rx_balancer."""
    from pyteam.daemon.rxbalance import remove_leftovers

    try:
        remove_leftovers(datapath)
    except DatapathError as error:
        # Without libbpf or tcx there was none, either.
        log.debug("cannot look for receive balancing: %s", error)


def _open(name: str, arguments: Arguments, choice: str, hub: LinkHub | None) -> tuple[Datapath, bool]:
    found = _find(name)
    kind = _kind(choice, found, run_directory(arguments.run_dir), hub)
    if found is None:
        return kind.create(name), False
    if arguments.take_over:
        return kind.adopt(name), True
    if arguments.force_recreate:
        _delete(found, kind)
        return kind.create(name), False
    if kind.orphaned(name):
        log.info("%s was left by a daemon that died: taking it over.", name)
        return kind.adopt(name), True
    raise DatapathError(
        errno.EEXIST, f"Failed to create team device: {name} exists, see the options -o and -r"
    )


def _kind(choice: str, found: LinkInfo | None, run_dir: str, hub: LinkHub | None) -> _Kind:
    """``auto``: what the device has that is there, else the kernel's driver, else eBPF.

    Each is imported late: a daemon on one datapath need not have what the other needs.
    """
    if choice != "ebpf":
        from pyteam.datapath.kernel.datapath import KernelDatapath

        ebpf_is_there = found is not None and found.kind == "veth"
        if choice == "kernel" or (not ebpf_is_there and KernelDatapath.available()):
            return _Kind(
                create=partial(KernelDatapath.create, run_dir=run_dir),
                adopt=partial(KernelDatapath.adopt, run_dir=run_dir),
                orphaned=partial(KernelDatapath.orphaned, run_dir=run_dir),
            )
    from pyteam.datapath.ebpf.datapath import EbpfDatapath
    from pyteam.datapath.ebpf.view import orphaned

    return _Kind(partial(EbpfDatapath.create, hub=hub), partial(EbpfDatapath.adopt, hub=hub), orphaned)


def _find(name: str) -> LinkInfo | None:
    with Rtnl() as rtnl:
        try:
            return rtnl.link_by_name(name)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise
            return None


def _delete(device: LinkInfo, kind: _Kind) -> None:
    """Whatever it is; the ports of a team of ours get back what they had."""
    try:
        kind.adopt(device.name).destroy()
    except (DatapathError, NetlinkError) as error:
        if error.errno == errno.EBUSY:
            raise
        log.debug("%s is no team of ours, so it is simply deleted: %s", device.name, error)
        with Rtnl() as rtnl:
            rtnl.delete_link(device.ifindex)
