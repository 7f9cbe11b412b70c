"""The eBPF datapath of one team: the `Datapath` contract, carried out by programs, maps and rtnetlink.

It keeps the options of the kernel driver's vocabulary in its record and, after each change, derives
from them what the programs act on: who sends, in which order, and whose frames are ours.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import struct
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import ExitStack
from typing import Final

from pyteam.datapath.ebpf import hashfunction, hooks, loadbalance, ports, requirements
from pyteam.datapath.ebpf.announce import Announcer
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.meter import Meter
from pyteam.datapath.ebpf.options import BURSTS, Options
from pyteam.datapath.ebpf.receivers import Receiver
from pyteam.datapath.ebpf.receivers.veth import VethReceiver
from pyteam.datapath.ebpf.record import PortRecord, Record
from pyteam.datapath.ebpf.shared import MAX_PORTS
from pyteam.datapath.hub import LinkHub
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.links import Links
from pyteam.datapath.owner import Ownership
from pyteam.datapath.ports import change_address, check
from pyteam.engine.desired import Actual
from pyteam.engine.events import Event, LinkGone, LinkSeen
from pyteam.link import Link, parse_address
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl, to_link
from pyteam.netlink.stacked import stacked_on
from pyteam.options import NO_MODE, OptionKey, OptionValue

log = logging.getLogger(__name__)

MODE: Final = OptionKey("mode")
_EVENT: Final = struct.Struct("=II")  # struct team_event
#: Options after whose rise the neighbours are told.
_ANNOUNCED: Final = {"enabled", "tx_enabled", "activeport"}


class EbpfDatapath:
    """See `Datapath`. Made by `create` or `adopt`."""

    kind = "ebpf"
    separates = True

    def __init__(self, rtnl: Rtnl, owner: Ownership, receiver: Receiver, hub: LinkHub | None) -> None:
        """Not to be called. ``rtnl`` is closed with it, unless it is the hub's."""
        self._rtnl = rtnl
        self._hub = hub
        self._owner = owner
        self._receiver = receiver
        self.ifindex = receiver.ifindex
        self._hooks: Hooks | None = None
        self._record = Record()
        self._options = Options(self._record)
        self._links = hub.links() if hub else Links(rtnl)
        self._links.read(self.ifindex)
        self._announcer = Announcer(rtnl, self._links, self.ifindex)
        self._meter = Meter()
        #: More is about to be set: all of it is applied in one go.
        self._held = False

    @classmethod
    def create(cls, name: str, hub: LinkHub | None = None) -> EbpfDatapath:
        """A new device; ``hub``: where many share one.

        EEXIST: the name is taken. EPERM, EOPNOTSUPP: see `requirements`.
        """
        requirements.check()
        with ExitStack() as undo:
            owner = Ownership(name)
            undo.callback(owner.release)
            rtnl = hub.rtnl if hub else undo.enter_context(Rtnl())
            receiver = VethReceiver.create(rtnl, name)
            undo.callback(receiver.delete)
            datapath = cls(rtnl, owner, receiver, hub)
            undo.pop_all()
        return datapath

    @classmethod
    def adopt(cls, name: str, hub: LinkHub | None = None) -> EbpfDatapath:
        """A device that another process left, with its ports and its traffic.

        ENODEV: there is none. EINVAL: not a team device of ours. EBUSY: its owner lives.
        """
        requirements.check()
        with ExitStack() as undo:
            owner = Ownership(name)
            undo.callback(owner.release)
            rtnl = hub.rtnl if hub else undo.enter_context(Rtnl())
            receiver = VethReceiver.find(rtnl, name)
            if receiver is None:
                raise DatapathError(errno.EINVAL, f"{name} exists and is not a team device")
            datapath = cls(rtnl, owner, receiver, hub)
            undo.pop_all()
        try:
            datapath._inherit()
        except BaseException:
            datapath._close()
            raise
        return datapath

    def _inherit(self) -> None:
        """Take over the programs as they run; another build of them is swapped in without a gap."""
        found = Hooks.find(self._receiver.ifindex, self._receiver.other_end)
        if found is None:
            return  # the predecessor died before it had set a mode: nothing runs yet
        self._hooks = found
        self._record = Record.decode(found.read_record())
        self._options = Options(self._record)
        self._announcer.configure(self._options.all())
        self._meter.start(loadbalance.interval(self._record), time.monotonic())
        self._record.released = False
        for place in self.repair():
            log.warning("Repairing what was changed from outside: %s.", place)
        for ifindex in [i for i in self._record.ports if i not in self._links.known]:
            self._options.forget_port(ifindex)
        for ifindex in self._record.ports:
            # Whatever it is called: from here on it concerns us.
            with _unless_gone():
                self._links.read(ifindex)
            # It may have died while it made this a port, or ceased to.
            if not found.on_port(ifindex):
                found.hang_on_port(ifindex)
                ports.prepare(self._rtnl, self._links.read(ifindex), self._links.read(self.ifindex).mtu)
        code = hooks.object_code()
        if hooks.build_of(code) != self._record.build:
            # Their state may be laid out otherwise: nothing of it is touched.
            self._load(self._options.mode)
            return
        found.shared.keep_only(set(self._record.ports))
        self._apply()

    # Reading

    def link(self, ifindex: int) -> Link:
        return self._to_link(self._links.read(ifindex))

    def find(self, name: str) -> Link:
        return self._to_link(self._links.find(name))

    def links(self) -> Sequence[Link]:
        return [self._to_link(info) for info in self._links.read_mine()]

    def follow(self, names: Set[str]) -> None:
        self._links.follow(names)

    def _to_link(self, info: LinkInfo) -> Link:
        port = self._record.ports.get(info.ifindex)
        speed, duplex = self._rtnl.speed_duplex(info.name) if port else (0, 0)
        return to_link(
            info,
            member=port is not None,
            permanent_address=parse_address(port.original.address) if port else None,
            speed=speed,
            duplex=duplex,
        )

    def actual(self) -> Actual:
        record, links = self._record, self._links.read_some({self.ifindex, *self._record.ports})
        # A port that is there, and off which somebody took our program, is none: it is to be added again.
        taken_off = [i for i in record.ports if i in links and not self._need_hooks().on_port(i)]
        known = [ifindex for ifindex in (self.ifindex, *record.ports) if ifindex in links]
        return Actual(
            ifindex=self.ifindex,
            members=frozenset(record.ports) - frozenset(taken_off),
            options=self._options.all() | self._meter.shown(record),
            addresses={ifindex: links[ifindex].address for ifindex in known},
            carrier=self._receiver.carrier(),
            carrier_is_set=record.carrier_is_set,
        )

    def statistics(self, ifindex: int) -> dict[str, int]:
        self._need_port(ifindex)
        programs = self._need_hooks()
        return programs.counters(programs.shared.slots()[ifindex])

    # Commands

    def add_port(self, ifindex: int) -> None:
        programs = self._need_hooks()
        info = self._links.read(ifindex)
        if ifindex in self._record.ports:
            programs.hang_on_port(ifindex)
            return
        if ports.free_orphan(self._rtnl, info):
            info = self._links.read(ifindex)
        programs.check_free(ifindex, info.name)
        check(info, self.ifindex, self._links.read)
        if ifindex in (above.ifindex for above in stacked_on(self._links.read_all(), self.ifindex)):
            raise DatapathError(errno.ELOOP, f"{info.name} stands on the team device: packets would circle")
        slot = programs.shared.take_slot(ifindex)
        if slot is None:
            raise DatapathError(errno.ENOSPC, f"a team has at most {MAX_PORTS} ports")
        programs.reset_counters(slot)
        # Remembered before it is touched, forgotten after it is given back: the daemon may die in between.
        self._record.ports[ifindex] = PortRecord(original=ports.remember(info))
        try:
            self._remember()
            programs.hang_on_port(ifindex)
            ports.prepare(self._rtnl, info, self._links.read(self.ifindex).mtu)
        except BaseException:
            self.remove_port(ifindex)
            raise
        self._links.read(ifindex)
        self._apply()
        self._announcer.start(time.monotonic())

    def remove_port(self, ifindex: int) -> None:
        port = self._need_port(ifindex)
        programs = self._need_hooks()
        programs.shared.retire(ifindex)
        programs.take_off_port(ifindex)
        problem = None
        try:
            with _unless_gone():
                ports.give_back(self._rtnl, self._links.read(ifindex), port.original)
        except NetlinkError as error:
            problem = error
        self._lose_port(ifindex)
        self._apply()
        if problem:
            raise problem

    def _lose_port(self, ifindex: int) -> None:
        self._options.forget_port(ifindex)
        shared = self._need_hooks().shared
        shared.set_order([other for other in shared.order() if other != ifindex])
        if ifindex in shared.slots():
            shared.free_slot(ifindex)

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        if key == MODE:
            mode = self._options.check_mode(value)
            loadbalance.reset(self._record)
            self._meter = Meter()
            if mode == loadbalance.LOADBALANCE and self._hooks is None:
                # Its hash function is about to come, and to check a program takes the kernel 50 ms.
                self._record.options["mode"] = mode
            else:
                self._load(mode)
            return
        if key in loadbalance.HASH_FUNCTIONS:
            self._set_hash(key, value)
            return
        self._options.put(key, value)
        if key == loadbalance.INTERVAL:
            self._meter.start(int(value), time.monotonic())
        self._apply()
        if key.name in BURSTS:
            self._announcer.configure(self._options.all())
        elif key.name in _ANNOUNCED and value:
            self._announcer.start(time.monotonic())

    def set_entries(self, port: int, entries: Sequence[int]) -> None:
        self._options.set_entries(port, entries)
        self._apply()

    def set_options(self, options: Sequence[tuple[OptionKey, OptionValue]]) -> None:
        self._held = True
        try:
            for key, value in options:
                self.set_option(key, value)
        finally:
            self._held = False
            self._apply()

    def set_address(self, ifindex: int, address: bytes) -> None:
        change_address(self._rtnl, self._links.read(ifindex), address)

    def set_carrier(self, up: bool) -> None:
        self._record.carrier_is_set = True
        self._receiver.set_carrier(up)
        self._remember()

    # What the options mean for the programs

    def _load(self, mode: str) -> None:
        code = hooks.object_code()
        with hashfunction.of(self._record, self.ifindex) as function:
            fresh = Hooks.load(code, mode, function)
        previous = self._hooks
        fresh.shared.start(self.ifindex)
        for ifindex in self._record.ports:
            fresh.shared.take_slot(ifindex)
        self._hooks = fresh
        self._record.options["mode"] = mode
        self._record.build = hooks.build_of(code)
        self._apply()
        fresh.hang(self._receiver.ifindex, self._receiver.other_end, list(self._record.ports), previous)
        if previous:
            previous.close()

    def _set_hash(self, key: OptionKey, value: OptionValue) -> None:
        """Nothing is changed by a function that is refused."""
        record = self._record
        before = record.hash_option, record.hash_function
        self._options.put(key, value)
        try:
            if self._hooks is None:
                self._load(self._options.mode)
                return
            with hashfunction.of(record, self.ifindex) as function:
                ends = self._receiver.ifindex, self._receiver.other_end
                self._hooks.use_hash(*ends, hooks.object_code(), function)
        except OSError:
            record.hash_option, record.hash_function = before
            raise
        self._remember()

    def _apply(self) -> None:
        """Derive the programs' state, and the carrier, from the options."""
        if self._hooks is None or self._held:
            return
        shared = self._hooks.shared
        receivers, spare = self._options.receivers(), self._options.spare
        # Listen to a port before anything is sent by it, and to the old ones until nothing is.
        shared.receive_on(receivers | shared.receiving(), spare=spare)
        shared.set_order(self._options.senders(), self._options.destinations())
        shared.set_queues(self._options.queues())
        shared.receive_on(receivers, spare=spare)
        self._remember()
        self._derive_carrier()

    def _derive_carrier(self) -> None:
        if self._record.carrier_is_set:
            return
        wanted = any(self._effective_link(ifindex, port) for ifindex, port in self._record.ports.items())
        with _unless_gone():
            if wanted != self._receiver.carrier():
                self._receiver.set_carrier(wanted)

    def _effective_link(self, ifindex: int, port: PortRecord) -> bool:
        if port.user_linkup_enabled:
            return port.user_linkup
        info = self._links.known.get(ifindex)
        return info is not None and info.up and info.carrier

    def _remember(self) -> None:
        if self._hooks is not None:
            self._hooks.write_record(self._record.encode())

    # Events

    def files(self) -> Sequence[int]:
        files = [self._links.fileno()]
        if self._hooks is not None:
            files.append(self._hooks.events.fileno())
        return files

    def receive(self) -> list[Event]:
        # What the programs tell comes first: the kernel's own word on the same link comes later.
        events: list[Event] = [self._link_changed(info) for info in self._diverted()]
        for change in self._links.receive():
            events.append(
                self._link_changed(change)
                if isinstance(change, LinkInfo)
                else self._link_gone(change.ifindex)
            )
        if events:
            self._derive_carrier()
        if self._hooks is not None:
            events += self._meter.refresh(time.monotonic(), self._hooks)
        return events

    def _diverted(self) -> Iterator[LinkInfo]:
        """Ports that the programs had to pass over."""
        for sample in self._hooks.events.take() if self._hooks else ():
            ifindex, _ = _EVENT.unpack_from(sample)
            if ifindex in self._record.ports:
                with _unless_gone():
                    yield self._links.read(ifindex)

    def _link_changed(self, info: LinkInfo) -> LinkSeen:
        if info.ifindex == self.ifindex:
            other_end = self._links.known.get(self._receiver.other_end)
            if other_end is not None and other_end.mtu != info.mtu:
                self._receiver.set_mtu(info.mtu)
            self._follow_mtu(*self._record.ports)
        elif info.ifindex in self._record.ports:
            if info.up and info.carrier and self._hooks:
                self._hooks.shared.listen_again(info.ifindex)
            self._follow_mtu(info.ifindex)
        return LinkSeen(self._to_link(info))

    def _follow_mtu(self, *members: int) -> None:
        known = self._links.known
        for ifindex in members:
            if ifindex in known and self.ifindex in known:
                ports.follow_mtu(self._rtnl, known[ifindex], known[self.ifindex].mtu)

    def _link_gone(self, ifindex: int) -> LinkGone:
        if ifindex in self._record.ports:
            self._lose_port(ifindex)
            self._apply()
        return LinkGone(ifindex)

    def repair(self) -> Sequence[str]:
        places: list[str] = []
        for ifindex in self._record.ports:
            if ifindex in self._links.known:
                ports.uphold(self._rtnl, self._links.known[ifindex])
        if self._hooks is not None:
            with _unless_gone():
                places = self._hooks.put_back(self.ifindex, self._receiver.other_end)
        return [f"put the program at the {place} back" for place in places]

    def next_timeout(self) -> float | None:
        due = (self._announcer.next_timeout(), self._meter.due)
        return min((time for time in due if time is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        self._announcer.handle_timeout(now)

    # The end

    def destroy(self) -> None:
        for ifindex in list(self._record.ports):
            try:
                self.remove_port(ifindex)
            except OSError as error:
                log.warning("cannot give port %d back as it was: %s", ifindex, error)
        try:
            with _unless_gone():
                self._receiver.delete()
        finally:
            self._close()

    def close(self) -> None:
        self._record.released = True
        self._remember()
        self._close()

    def _close(self) -> None:
        if self._hooks is not None:
            self._hooks.close()
            self._hooks = None
        self._links.close()
        self._owner.release()
        if self._hub is None:
            self._rtnl.close()

    def _need_hooks(self) -> Hooks:
        if self._hooks is None and self._options.mode != NO_MODE:
            self._load(self._options.mode)
        if self._hooks is None:
            raise DatapathError(errno.EINVAL, "set a mode first: the team has none")
        return self._hooks

    def _need_port(self, ifindex: int) -> PortRecord:
        try:
            return self._record.ports[ifindex]
        except KeyError:
            raise DatapathError(errno.ENODEV, f"interface {ifindex} is no port of this team") from None


@contextlib.contextmanager
def _unless_gone() -> Iterator[None]:
    """Devices may be deleted at any moment, which is told as their links' end: no error within."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
