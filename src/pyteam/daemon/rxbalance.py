"""Receive balancing around any datapath: shows ports and neighbours to the engine's `RxBalancer`,
and carries out what it plans.

A `Datapath` itself, which passes everything on: so it hears of a dead port in the moment in which the
datapath tells it, and what was planned is done before anything else is decided.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final

from pyteam.datapath.interface import Datapath
from pyteam.datapath.rxbalance import programs, shared
from pyteam.datapath.rxbalance.programs import Programs
from pyteam.engine.desired import Actual
from pyteam.engine.events import Event, LinkGone, LinkSeen
from pyteam.engine.rxbalance import Member, Plan, RxBalancer, Station, Use
from pyteam.frames.update import arp_update, learning, na_update
from pyteam.link import Link, format_address
from pyteam.netlink.rtnl import Rtnl
from pyteam.options import OptionKey, OptionValue

log = logging.getLogger(__name__)

_SO_MARK: Final = 36  # asm-generic/socket.h
_FORWARDING: Final = "/proc/sys/net/ipv6/conf/all/forwarding"
#: Seconds in which the MAC of a port whose interface is gone is taken over: time enough to tell all its
#: neighbours, and little enough should the interface have moved to another namespace, MAC and all.
MOURNING: Final = 10.0
#: `shared.Port.given`: the port was made promiscuous by us.
_PROMISCUOUS: Final = 1


class RxBalancedDatapath:
    """See `Datapath`. ``inner`` moves the packets; it is owned from here on."""

    def __init__(self, inner: Datapath) -> None:
        self._inner = inner
        self.kind = inner.kind
        self.separates = inner.separates
        self.ifindex = inner.ifindex
        self._balancer = RxBalancer()
        self._rtnl = Rtnl()
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0
        )
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_MARK, shared.MARK)
        actual = inner.actual()
        self._links: dict[int, Link] = {}
        self._enabled = {
            member: bool(actual.options.get(OptionKey("enabled", member), True)) for member in actual.members
        }
        #: Ports whose interface is gone: the MAC, and until when it is missed.
        self._lost: dict[int, tuple[bytes, float]] = {}
        found = Programs.find(actual.members)
        self._programs = found or Programs.load()
        state = self._programs.shared.state
        state.abi = shared.ABI
        state.ifindex = self.ifindex
        for link in inner.links():
            self._see(link)
        for member in sorted(actual.members):
            self._hang(member)
        for stranger in self._programs.shared.slots().keys() - actual.members:
            self._free(stranger)

    # What passes through

    def link(self, ifindex: int) -> Link:
        return self._inner.link(ifindex)

    def find(self, name: str) -> Link:
        return self._inner.find(name)

    def links(self) -> Sequence[Link]:
        return self._inner.links()

    def follow(self, names: Set[str]) -> None:
        self._inner.follow(names)

    def actual(self) -> Actual:
        return self._inner.actual()

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        self._inner.set_entries(port, entries)

    def set_carrier(self, up: bool) -> None:
        self._inner.set_carrier(up)

    def statistics(self, ifindex: int) -> dict[str, int]:
        return self._inner.statistics(ifindex)

    def files(self) -> Sequence[int]:
        return self._inner.files()

    # What ports do

    def add_port(self, ifindex: int) -> None:
        self._inner.add_port(ifindex)
        try:
            self._enabled.setdefault(ifindex, True)
            self._see(self._inner.link(ifindex))
            self._hang(ifindex)
        except BaseException:
            self._enabled.pop(ifindex, None)
            self._inner.remove_port(ifindex)
            raise
        self._rebalance()

    def remove_port(self, ifindex: int) -> None:
        self._take_off(ifindex)
        self._rebalance()
        self._inner.remove_port(ifindex)

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        self._inner.set_option(key, value)
        self._note([(key, value)])

    def set_options(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        self._inner.set_options(options)
        self._note(options)

    def _note(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        enabled = {key.port: bool(value) for key, value in options if key.name == "enabled"}
        enabled = {port: value for port, value in enabled.items() if self._enabled.get(port, value) != value}
        if enabled:
            self._enabled |= enabled
            self._rebalance()

    def set_address(self, ifindex: int, address: bytes) -> None:
        self._inner.set_address(ifindex, address)
        self._see(self._inner.link(ifindex))
        self._rebalance()

    def receive(self) -> list[Event]:
        events = self._inner.receive()
        concerned = False
        for event in events:
            match event:
                case LinkSeen(link):
                    concerned = self._see(link) or concerned
                case LinkGone(ifindex):
                    gone = self._links.pop(ifindex, None)
                    if self._enabled.pop(ifindex, None) is not None and gone:
                        # Nobody has its MAC now: it is taken over, as that of one that has failed.
                        self._lost[ifindex] = gone.address, time.monotonic() + MOURNING
                        concerned = True
        if concerned:
            self._rebalance()
        return events

    def _see(self, link: Link) -> bool:
        """Whether it matters."""
        known, self._links[link.ifindex] = self._links.get(link.ifindex), link
        if link.ifindex == self.ifindex:
            self._programs.shared.state.mac = shared.number_of(link.address)
            return False
        port = self._programs.shared.port(link.ifindex)
        if port is not None and port.mac != shared.number_of(link.address):
            port.mac = shared.number_of(link.address)
        return link.ifindex in self._enabled and (
            known is None or (known.usable, known.address) != (link.usable, link.address)
        )

    def _hang(self, ifindex: int) -> None:
        """Make a port one of those among which is balanced."""
        link = self._links[ifindex]
        for other, (mac, _) in list(self._lost.items()):
            if other != ifindex and mac == link.address:
                self._free(other)
        self._lost.pop(ifindex, None)
        port = self._programs.shared.port(ifindex)
        if port is None:
            port = self._programs.shared.take_slot(ifindex, link.address)
        port.mac = shared.number_of(link.address)
        self._programs.hang(ifindex)
        # The eBPF datapath does so by itself. The driver's ports hear only their own MAC, and have
        # to hear a dead port's, too.
        if self.kind == "kernel" and not port.given and not self._rtnl.link(ifindex).promiscuous:
            self._rtnl.set_link(ifindex, promiscuous=True)
            port.given = _PROMISCUOUS

    def _take_off(self, ifindex: int) -> None:
        """As it was before `_hang`."""
        port = self._programs.shared.port(ifindex)
        if port is not None and port.given:
            with contextlib.suppress(OSError):  # gone: nothing to give back
                self._rtnl.set_link(ifindex, promiscuous=False)
        programs.take_off(ifindex)
        self._enabled.pop(ifindex, None)
        self._free(ifindex)

    def _free(self, ifindex: int) -> None:
        self._lost.pop(ifindex, None)
        port = self._programs.shared.port(ifindex)
        if port is not None:
            port.live = 0
            port.ifindex = 0

    def repair(self) -> Sequence[str]:
        places = list(self._inner.repair())
        for ifindex in self._enabled:
            with contextlib.suppress(OSError):  # gone: told soon
                if self._programs.hang(ifindex):
                    places.append(f"put receive balancing of {self._name(ifindex)} back")
        return places

    # What follows

    def next_timeout(self) -> float | None:
        times = (self._inner.next_timeout(), self._balancer.next_timeout())
        return min((due for due in times if due is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        self._inner.handle_timeout(now)
        due = self._balancer.next_timeout()
        if due is not None and due <= now:
            self._rebalance()

    def _members(self) -> list[Member]:
        """Oldest first, as slots are given."""
        found = []
        for ifindex in self._programs.shared.slots():
            link = self._links.get(ifindex)
            if ifindex in self._lost:
                found.append(Member(ifindex, self._lost[ifindex][0], live=False))
            elif link is not None and ifindex in self._enabled:
                found.append(Member(ifindex, link.address, link.usable and self._enabled[ifindex]))
        return found

    def _rebalance(self) -> None:
        now = time.monotonic()
        for ifindex in [ifindex for ifindex, (_, until) in self._lost.items() if until <= now]:
            self._free(ifindex)
        members = self._members()
        self._carry_out(self._balancer.decide(now, members, self._programs.neighbours()), members)

    def _carry_out(self, plan: Plan, members: Sequence[Member]) -> None:
        state, slots = self._programs.shared.state, self._programs.shared.slots()
        if plan.primary:
            state.primary = slots[plan.primary]
        for member in members:
            port = state.port[slots[member.ifindex]]
            stand_in = plan.stand_ins.get(member.ifindex)
            if stand_in in slots:
                # Before it lives: from then on nobody else takes its frames.
                port.also = slots[stand_in] + 1
            port.live = int(member.live)
        # First of all what keeps frames from being lost.
        for learn in plan.learn:
            self._send(learn.via, learning(learn.mac, vlan=learn.vlan))
        self._programs.give(plan.given)
        if plan.tell:
            self._tell(plan.tell)
        self._programs.forget(plan.forget)
        for ifindex, count in plan.shares.items():
            state.port[slots[ifindex]].neighbours = count

    def _tell(self, tell: Mapping[Station, int]) -> None:
        for (station, address), role in self._programs.told().items():
            port = self._links.get(tell.get(station, 0))
            if port is None:
                continue
            mac, vlan = port.address, station.vlan
            if len(address) == 4:
                frame = arp_update(mac, address, station.mac, vlan=vlan)
            else:
                router = role == shared.ROLE_ROUTER or (role == shared.ROLE_UNKNOWN and _forwards())
                frame = na_update(mac, address, station.mac, router=router, vlan=vlan)
            self._send(port.ifindex, frame)

    def _send(self, ifindex: int, frame: bytes) -> None:
        try:
            self._socket.sendto(frame, (self._name(ifindex), 0))
        except OSError as error:
            # It went down in this moment; who was not reached is told again.
            log.debug("%s: cannot send: %s", self._name(ifindex), error)

    def _name(self, ifindex: int) -> str:
        link = self._links.get(ifindex)
        return link.name if link else f"interface {ifindex}"

    # What users see

    def describe(self, state: dict[str, Any]) -> None:
        """Add to the state dump: who receives by which port."""
        uses = self._programs.neighbours()
        runner = state.setdefault("runner", {})
        runner["rx_balancer"] = {
            "moves": self._balancer.moves,
            "name": "arp",
            "neighbours": len(uses),
            "primary": self._name(self._balancer.primary) if self._balancer.primary else "",
        }
        for port in state.get("ports", {}).values():
            mine = {s: use for s, use in uses.items() if use.port == port["ifinfo"]["ifindex"]}
            port.setdefault("runner", {})["rx_neighbours"] = {
                "count": len(mine),
                "list": {
                    _spell(s): _account(mine[s], self._name) for s in sorted(mine, key=lambda s: s.order)
                },
            }

    # The end

    def destroy(self) -> None:
        for ifindex in list(self._enabled):
            self._take_off(ifindex)
        self._close()
        self._inner.destroy()

    def close(self) -> None:
        self._close()
        self._inner.close()

    def _close(self) -> None:
        self._programs.close()
        self._socket.close()
        self._rtnl.close()


def remove_leftovers(datapath: Datapath) -> None:
    """Of a predecessor that balanced: take its programs off the ports."""
    members = datapath.actual().members
    found = Programs.find(members)
    if found is None:
        return
    with contextlib.closing(found), Rtnl() as rtnl:
        for ifindex in members:
            port = found.shared.port(ifindex)
            programs.take_off(ifindex)
            if port is not None and port.given:
                rtnl.set_link(ifindex, promiscuous=False)


def _spell(station: Station) -> str:
    mac = format_address(station.mac)
    return mac if station.vlan is None else f"{mac}@{station.vlan}"


def _account(use: Use, name: Callable[[int], str]) -> dict[str, Any]:
    return {"rx_bytes": use.bytes, "uses": name(use.uses) if use.uses else ""}


def _forwards() -> bool:
    with contextlib.suppress(OSError):
        return Path(_FORWARDING).read_text().strip() != "0"
    return False
