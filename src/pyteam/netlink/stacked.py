"""Which interfaces stand on top of a device: VLANs, macvlans, the bridge or bond it is a port of. Pure.

They are the ones whose addresses a peer must learn anew when the device's traffic takes another way.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyteam.netlink.linkinfo import LinkInfo


def stacked_on(links: Iterable[LinkInfo], ifindex: int) -> list[LinkInfo]:
    """The interfaces on top of ``ifindex``, nearest first, each once, ``ifindex`` itself not.

    An interface stands on the one that its ``link`` names, when that is in the same namespace, and a
    master stands on its ports. The ``link`` of a veth is its other end: no stacking.
    """
    by_index = {link.ifindex: link for link in links}
    above: dict[int, list[int]] = {}
    for link in by_index.values():
        if link.master:
            above.setdefault(link.ifindex, []).append(link.master)
        if link.link and link.link_netnsid is None and link.kind != "veth":
            above.setdefault(link.link, []).append(link.ifindex)
    found: dict[int, LinkInfo] = {}
    waiting = [ifindex]
    for below in waiting:
        for index in above.get(below, ()):
            if index != ifindex and index not in found and index in by_index:
                found[index] = by_index[index]
                waiting.append(index)
    return list(found.values())
