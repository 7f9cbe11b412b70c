"""The kernel's team driver as a datapath: the `Datapath` contract, carried out by netlink requests.

The driver keeps the state and follows its own rules (MTU, MACs by mode, carrier from the ports,
announcements); nothing of that is done here a second time. Options are read afresh where the
contract says so; events only tell that it is time to.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Sequence, Set
from contextlib import ExitStack
from os import PathLike
from typing import Final

from pyteam.datapath.interface import DatapathError
from pyteam.datapath.kernel.guard import Guard
from pyteam.datapath.kernel.memory import Memory, PortMemory
from pyteam.datapath.kernel.words import NO_DRIVER, explained
from pyteam.datapath.links import Links
from pyteam.datapath.owner import Ownership
from pyteam.datapath.ports import change_address, check, new_address
from pyteam.engine.desired import Actual
from pyteam.engine.events import Event, LinkGone, LinkSeen, OptionSeen
from pyteam.engine.hashtable import MAPPING
from pyteam.engine.reconcile import ACTIVE_PORT, FAILOVER_ORDER, MODE
from pyteam.link import Link, format_address, parse_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl, to_link
from pyteam.netlink.team import OptionState, PortState, TeamFamily, TeamMonitor
from pyteam.options import OPTIONS, OptionKey, OptionValue, Scope, Type

#: IFLA_INFO_KIND of the driver's devices.
KIND: Final = "team"
RunDir = str | PathLike[str]


class KernelDatapath:
    """See `Datapath`. Made by `create` or `adopt`.

    ``run_dir`` is where it keeps what the driver does not tell (see `Memory`).
    """

    kind = "kernel"
    #: Newer drivers do, and show it by the options of their ports.
    separates = False

    def __init__(self, closing: ExitStack, rtnl: Rtnl, family: TeamFamily, memory: Memory) -> None:
        """Not to be called. ``closing``: what is to be closed with it."""
        self.ifindex = memory.ifindex
        self._rtnl = rtnl
        self._family = family
        self._memory = memory
        # Subscribed before anything is read, so that no change is missed in between.
        self._monitor = closing.enter_context(contextlib.closing(TeamMonitor(family, self.ifindex)))
        self._links = closing.enter_context(contextlib.closing(Links(rtnl)))
        options, ports = self._monitor.snapshot()
        self._options = {option.key: option for option in options}
        self._ports = {port.ifindex: port for port in ports}
        self._members: set[int] = set()
        #: MACs of interfaces as they were last seen without us.
        self._own: dict[int, bytes] = {}
        for info in self._links.known.values():
            self._look_at(info)
        #: Options that were set, and may not have been told of.
        self._echoes = 0
        #: Whether what is known of options and ports is the whole.
        self._fresh = False
        self._guard = Guard(self.ifindex, self._links.known, memory.failover_order)
        closing.callback(self._guard.close)
        self._closing = closing.pop_all()

    @staticmethod
    def available() -> bool:
        """Whether this kernel has the team driver, or could load it."""
        with Rtnl() as rtnl:
            try:
                _find_driver(rtnl).close()
            except DatapathError:
                return False
            return True

    @classmethod
    def create(cls, name: str, run_dir: RunDir) -> KernelDatapath:
        """A new device. EEXIST: the name is taken. EOPNOTSUPP: the kernel has no team driver."""
        with ExitStack() as closing:
            rtnl, family = _open(closing, name)
            with explained("create"):
                info = rtnl.add_link(name, KIND, new_address())
            with ExitStack() as undoing:
                undoing.callback(rtnl.delete_link, info.ifindex)
                memory = Memory.of(name, run_dir, info.ifindex)
                memory.released = False
                memory.save()
                undoing.callback(memory.forget)
                with explained("create"):
                    datapath = cls(closing, rtnl, family, memory)
                undoing.pop_all()
                return datapath

    @classmethod
    def adopt(cls, name: str, run_dir: RunDir) -> KernelDatapath:
        """A device that somebody left, with its ports and its traffic.

        ENODEV: there is none. EINVAL: not a team device. EBUSY: its owner lives. EOPNOTSUPP as `create`.
        """
        with ExitStack() as closing:
            rtnl, family = _open(closing, name)
            with explained("adopt"):
                info = rtnl.link_by_name(name)
                if info.kind != KIND:
                    raise DatapathError(errno.EINVAL, f"{name} exists and is not a team device")
                memory = Memory.of(name, run_dir, info.ifindex)
                datapath = cls(closing, rtnl, family, memory)
            memory.released = False
            memory.save()
            return datapath

    @classmethod
    def orphaned(cls, name: str, run_dir: RunDir) -> bool:
        """Whether a device of this name was ours and its owner died without leaving on purpose.

        False also when it does not exist, or is somebody else's.
        """
        with contextlib.suppress(NetlinkError), Rtnl() as rtnl:
            info = rtnl.link_by_name(name)
            return info.kind == KIND and not Memory.of(name, run_dir, info.ifindex).released
        return False

    # Reading

    def link(self, ifindex: int) -> Link:
        with explained("link"):
            info = self._links.read(ifindex)
        self._look_at(info)
        return self._to_link(info)

    def find(self, name: str) -> Link:
        with explained("link"):
            info = self._links.find(name)
        self._look_at(info)
        return self._to_link(info)

    def follow(self, names: Set[str]) -> None:
        self._links.follow(names)

    def links(self) -> Sequence[Link]:
        with explained("link"):
            self._fresh = False
            found = self._links.read_all()
            # Of a device that is gone, which is news yet to be told, the driver knows nothing.
            there = self.ifindex in self._links.known
            self._ports = {port.ifindex: port for port in self._family.ports(self.ifindex)} if there else {}
        for info in found:
            self._look_at(info)
        return [self._to_link(info) for info in found]

    def _to_link(self, info: LinkInfo, carrier: bool | None = None) -> Link:
        state, before = self._ports.get(info.ifindex), self._memory.ports.get(info.ifindex)
        return to_link(
            info,
            member=info.master == self.ifindex,
            permanent_address=parse_address(before.address) if before else None,
            speed=state.speed if state else 0,
            duplex=state.duplex if state else 0,
            carrier=carrier,
        )

    def actual(self) -> Actual:
        """As read after the last `links` or change of ports, and kept so by events and commands.

        Between a cut and its consequence every request to the kernel costs packets.
        """
        if not self._fresh:
            self._read()
        team = self._links.known.get(self.ifindex) or self._links.read(self.ifindex)
        ports = [info for info in self._links.known.values() if info.master == self.ifindex]
        return Actual(
            ifindex=self.ifindex,
            members=frozenset(info.ifindex for info in ports),
            options={key: option.value for key, option in self._options.items()} | self._own_options(),
            addresses={info.ifindex: info.address for info in (team, *ports)},
            carrier=team.carrier_on,
            carrier_is_set=self._memory.carrier_is_set,
        )

    def _own_options(self) -> dict[OptionKey, OptionValue]:
        """What the driver does not have."""
        return {FAILOVER_ORDER: self._guard.order} if self._is_guarded() else {}

    def _read(self) -> None:
        with explained("actual"):
            self._links.read(self.ifindex)
            ports = self._links.read_ports(self.ifindex)
            options = self._family.options(self.ifindex)
        self._options = {option.key: option for option in options if not option.removed}
        for info in ports:
            self._look_at(info)
        self._fresh = True

    def statistics(self, ifindex: int) -> dict[str, int]:
        """What passed the interface since it became a port: the driver does not count by port."""
        self._need(ifindex, errno.ENODEV)
        before = self._memory.ports.get(ifindex)
        with explained("statistics"):
            now = self._rtnl.statistics(ifindex)
        counted = before.counted if before else {}
        return {key: max(0, value - counted.get(key, 0)) for key, value in now.items()}

    # Commands

    def add_port(self, ifindex: int) -> None:
        with explained("port"):
            info = self._links.read(ifindex)
            if info.master == self.ifindex:
                return
            check(info, self.ifindex, self._links.read)
            self._remember(ifindex, info.address)
            try:
                self._rtnl.set_link(ifindex, master=self.ifindex)
            except NetlinkError:
                self._forget(ifindex)
                raise
            self._look_at(self._links.read(ifindex))
        self._fresh = False

    def remove_port(self, ifindex: int) -> None:
        with explained("port"):
            self._look_at(self._links.read(ifindex))
            self._need(ifindex, errno.ENODEV)
            self._rtnl.set_link(ifindex, master=0)
            self._look_at(self._links.read(ifindex))
        self._fresh = False
        self._guard.release(ifindex)

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        self.set_options([(key, value)])

    def set_options(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        """In one request, but for what the driver does not have."""
        drivers = []
        for key, value in options:
            if key == FAILOVER_ORDER and self._is_guarded():
                self._guard.set_order(value)
            else:
                drivers.append(self._typed(key, value))
        if drivers:
            self._set(drivers[0].key.name, *drivers)

    def _typed(self, key: OptionKey, value: OptionValue) -> OptionState:
        if key.port:
            self._need(key.port, errno.ENOENT)
        spec, known = OPTIONS.get(key.name), self._options.get(key)
        if known is not None:
            return OptionState(key, known.type, value, known.array)
        if spec is not None and (spec.scope is Scope.PORT) == bool(key.port):
            return OptionState(key, spec.type, value, spec.scope is Scope.ARRAY)
        raise DatapathError(errno.ENOENT, f"no option {key.name!r} of the team on this kernel")

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        keys = (OptionKey(MAPPING, array_index=entry) for entry in entries)
        # One request: the driver looks at the port first, so it refuses either the first entry or none.
        self._set(MAPPING, *(OptionState(key, Type.U32, port, array=True) for key in keys))

    def _set(self, tried: str, *options: OptionState) -> None:
        self._echoes += len(options)
        with explained(tried):
            self._family.set(self.ifindex, *options)
        for option in options:
            self._options[option.key] = option
            if option.key.name == "mode":
                # With it come and go the options of the modes.
                self._fresh = False

    def _need(self, ifindex: int, code: int) -> None:
        if ifindex not in self._members:
            raise DatapathError(code, f"interface {ifindex} is no port of this team")

    def set_address(self, ifindex: int, address: bytes) -> None:
        with explained("address"):
            change_address(self._rtnl, self._links.read(ifindex), address)
            self._links.read(ifindex)

    def set_carrier(self, up: bool) -> None:
        with explained("carrier"):
            self._rtnl.set_link(self.ifindex, carrier=up)
            self._links.read(self.ifindex)
        if not self._memory.carrier_is_set:
            self._memory.carrier_is_set = True
            self._memory.save()

    # Events

    def files(self) -> Sequence[int]:
        return self._links.fileno(), self._monitor.fileno()

    def receive(self) -> list[Event]:
        events: list[Event] = []
        told = map(self._as_the_driver_says, self._changed_here(events))
        links = [LinkSeen(link) for link in told if link]
        if links:
            # The driver tells of a port's link before rtnetlink does, and in fewer bytes: what follows
            # from it is done first. The rest stays readable.
            return [*events, *links]
        mine = (self.ifindex, *self._members)
        before = {ifindex: self._links.known[ifindex] for ifindex in mine if ifindex in self._links.known}
        for change in self._links.receive():
            if isinstance(change, LinkInfo):
                info = self._settled(change, before.get(change.ifindex, change))
                joined = info.ifindex in self._members
                self._look_at(info)
                self._fresh = self._fresh and joined == (info.ifindex in self._members)
                events.append(LinkSeen(self._to_link(info)))
            else:
                self._fresh = self._fresh and change.ifindex not in self._members
                self._forget(change.ifindex)
                self._members.discard(change.ifindex)
                self._own.pop(change.ifindex, None)
                events.append(LinkGone(change.ifindex))
        return events

    def _as_the_driver_says(self, ifindex: int) -> Link | None:
        """A port with the link that the driver told last; None: it is none, or not known yet."""
        state, info = self._ports.get(ifindex), self._links.known.get(ifindex)
        if state is None or info is None or ifindex not in self._members:
            return None
        # Of a port that is down the driver says the same, whatever its carrier.
        return self._to_link(info, carrier=state.link_up if info.up else None)

    def _settled(self, info: LinkInfo, before: LinkInfo) -> LinkInfo:
        """As it is told, but neither in or out of the team nor of another MAC by old news.

        In a storm of messages one from before a command may be read after it, and the one that makes it
        good only in the next batch: a port that looks released would be given up, and a MAC set again.
        """
        moved = (info.master == self.ifindex) != (info.ifindex in self._members)
        if moved or info.address != before.address:
            with contextlib.suppress(NetlinkError):
                # Gone already: that is told next.
                return self._links.read(info.ifindex)
        return info

    def _changed_here(self, events: list[Event]) -> set[int]:
        """Note what the driver tells; the ports that it told something about."""
        ports: set[int] = set()
        try:
            # What we have set is told, too; heard in parts, an older value would look like the last.
            changes = self._monitor.receive(self._echoes)
            self._echoes = 0
        except NetlinkError as error:
            if error.errno != errno.EINVAL:
                raise
            # The device has gone with messages unread: that will be told as its link's end.
            return ports
        for change in changes:
            if isinstance(change, PortState):
                ports.add(change.ifindex)
                self._ports.pop(change.ifindex, None)
                if not change.removed:
                    self._ports[change.ifindex] = change
            elif change.removed:
                self._options.pop(change.key, None)
            else:
                self._options[change.key] = change
                events.append(OptionSeen(change.key, change.value))
        return ports

    def repair(self) -> Sequence[str]:
        """Nobody can take anything from the driver; the guard's programs, they can."""
        return self._guard.put_back()

    def next_timeout(self) -> float | None:
        """At once, to guard other ports than before, one by one: what is urgent goes before each."""
        return 0.0 if self._guard.is_due(*self._to_guard()) else None

    def handle_timeout(self, now: float) -> None:
        """The driver sends its announcements by itself."""
        self._guard.step(*self._to_guard())

    # The guard

    def _is_guarded(self) -> bool:
        mode = self._options.get(MODE)
        return self._guard.exists and mode is not None and mode.value == "activebackup"

    def _to_guard(self) -> tuple[int, set[int]]:
        """The active port, and all; no ports, where nothing is to be guarded."""
        if not self._is_guarded():
            return 0, set()
        active = self._options.get(ACTIVE_PORT)
        return int(active.value) if active else 0, self._members

    # What interfaces are without us

    def _look_at(self, info: LinkInfo) -> None:
        """Others make ports of interfaces too: know beforehand what each one is when it is none."""
        if info.ifindex == self.ifindex:
            return
        if info.master == self.ifindex:
            self._members.add(info.ifindex)
            if info.ifindex not in self._memory.ports and info.ifindex in self._own:
                self._remember(info.ifindex, self._own[info.ifindex])
            return
        self._members.discard(info.ifindex)
        self._forget(info.ifindex)
        # On its way in it has the team's MAC for a moment before it has the team for a master.
        team = self._links.known.get(self.ifindex)
        if info.ifindex not in self._own or team is None or info.address != team.address:
            self._own[info.ifindex] = info.address

    def _remember(self, ifindex: int, address: bytes) -> None:
        with contextlib.suppress(NetlinkError):
            # Gone already: its end is told soon.
            counted = self._rtnl.statistics(ifindex)
            self._memory.ports[ifindex] = PortMemory(format_address(address), counted)
            self._memory.save()

    def _forget(self, ifindex: int) -> None:
        if self._memory.ports.pop(ifindex, None) is not None:
            self._memory.save()

    # The end

    def destroy(self) -> None:
        with self._closing, explained("destroy"):
            self._guard.leave()
            try:
                # The driver gives each port back as it was.
                self._rtnl.delete_link(self.ifindex)
            except NetlinkError as error:
                # Somebody was faster.
                if error.errno != errno.ENODEV:
                    raise
        self._memory.forget()

    def close(self) -> None:
        # Whoever comes next may set another active port and know nothing of the guard.
        self._memory.failover_order = self._guard.order
        self._guard.leave()
        self._memory.released = True
        self._memory.save()
        self._closing.close()


def _open(closing: ExitStack, name: str) -> tuple[Rtnl, TeamFamily]:
    """Lock the name and find the driver; nothing is touched. In this order it is undone."""
    closing.callback(Ownership(name).release)
    rtnl = closing.enter_context(Rtnl())
    return rtnl, closing.enter_context(_find_driver(rtnl))


def _find_driver(rtnl: Rtnl) -> TeamFamily:
    """EOPNOTSUPP: this kernel has none, nor can it load one."""
    for attempt in (1, 2):
        try:
            return TeamFamily()
        except NetlinkError as error:
            if error.errno != errno.ENOENT:
                raise
            if attempt == 1:
                rtnl.load_kind(KIND)
    raise DatapathError(errno.EOPNOTSUPP, NO_DRIVER)
