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
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from pyteam.datapath.ebpf import hooks, ports, requirements
from pyteam.datapath.ebpf.announce import Announcer
from pyteam.datapath.ebpf.hooks import Hooks
from pyteam.datapath.ebpf.options import BURSTS, Options
from pyteam.datapath.ebpf.receivers import Receiver
from pyteam.datapath.ebpf.receivers.veth import VethReceiver
from pyteam.datapath.ebpf.record import PortRecord, Record
from pyteam.datapath.ebpf.shared import MAX_PORTS
from pyteam.datapath.interface import DatapathError
from pyteam.datapath.owner import Ownership
from pyteam.datapath.ports import change_address, check
from pyteam.engine.desired import Actual
from pyteam.engine.events import Event, LinkGone, LinkSeen
from pyteam.link import Link, parse_address
from pyteam.netlink.monitor import LinkMonitor
from pyteam.netlink.rtnl import LinkInfo, NetlinkError, Rtnl, to_link
from pyteam.options import OptionKey, OptionValue

log = logging.getLogger(__name__)

MODE: Final = OptionKey("mode")
_EVENT: Final = struct.Struct("=II")  # struct team_event
#: Options after whose rise the neighbours are told.
_ANNOUNCED: Final = {"enabled", "tx_enabled", "activeport"}


class EbpfDatapath:
    """See `Datapath`. Made by `create` or `adopt`."""

    kind = "ebpf"

    def __init__(self, rtnl: Rtnl, owner: Ownership, receiver: Receiver) -> None:
        self._rtnl = rtnl
        self._owner = owner
        self._receiver = receiver
        self.ifindex = receiver.ifindex
        self._hooks: Hooks | None = None
        self._record = Record()
        self._options = Options(self._record)
        self._announcer = Announcer(rtnl, self.ifindex)
        self._monitor = LinkMonitor(rtnl)
        self._links = {info.ifindex: info for info in self._monitor.snapshot()}

    @classmethod
    def create(cls, name: str) -> EbpfDatapath:
        """A new device. EEXIST: the name is taken. EPERM, EOPNOTSUPP: see `requirements`."""
        requirements.check()
        with ExitStack() as undo:
            owner = Ownership(name)
            undo.callback(owner.release)
            rtnl = undo.enter_context(Rtnl())
            receiver = VethReceiver.create(rtnl, name)
            undo.callback(receiver.delete)
            datapath = cls(rtnl, owner, receiver)
            undo.pop_all()
        return datapath

    @classmethod
    def adopt(cls, name: str) -> EbpfDatapath:
        """A device that another process left, with its ports and its traffic.

        ENODEV: there is none. EINVAL: not a team device of ours. EBUSY: its owner lives.
        """
        requirements.check()
        with ExitStack() as undo:
            owner = Ownership(name)
            undo.callback(owner.release)
            rtnl = undo.enter_context(Rtnl())
            receiver = VethReceiver.find(rtnl, name)
            if receiver is None:
                raise DatapathError(errno.EINVAL, f"{name} exists and is not a team device")
            datapath = cls(rtnl, owner, receiver)
            undo.pop_all()
        try:
            datapath._inherit()
        except BaseException:
            datapath._close()
            raise
        return datapath

    @classmethod
    def orphaned(cls, name: str) -> bool:
        """Whether a device of this name is ours and its owner died without leaving on purpose.

        False also when it does not exist, or is somebody else's kind of device.
        """
        with contextlib.suppress(NetlinkError), Rtnl() as rtnl:
            receiver = VethReceiver.find(rtnl, name)
            if receiver is None:
                return False
            found = Hooks.find(receiver.ifindex, receiver.other_end)
            if found is None:
                return True
            try:
                return not Record.decode(found.read_record()).released
            except ValueError:
                return True
            finally:
                found.close()
        return False

    def _inherit(self) -> None:
        """Take over the programs as they run; another build of them is swapped in without a gap."""
        found = Hooks.find(self._receiver.ifindex, self._receiver.other_end)
        if found is None:
            return  # the predecessor died before it had set a mode: nothing runs yet
        self._hooks = found
        try:
            self._record = Record.decode(found.read_record())
        except ValueError as error:
            raise DatapathError(
                errno.EINVAL, f"this team device was made by another version of pyteam: {error}"
            ) from error
        self._options = Options(self._record)
        self._announcer.configure(self._options.all())
        self._record.released = False
        lost = [i for i in self._record.ports if i not in self._links or not found.on_port(i)]
        code = hooks.object_code()
        if hooks.build_of(code) == self._record.build:
            for ifindex in lost:
                self._lose_port(ifindex)
            self._apply()
            return
        # Their state may be laid out otherwise: nothing of it is touched.
        for ifindex in lost:
            self._options.forget_port(ifindex)
        self._load(self._options.mode, code)

    # Reading

    # What is read here was told to nobody: it is still news in `receive`.

    def link(self, ifindex: int) -> Link:
        return self._to_link(self._rtnl.link(ifindex))

    def links(self) -> Sequence[Link]:
        return [self._to_link(info) for info in self._rtnl.links()]

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
        record, links = self._record, {info.ifindex: info for info in self._rtnl.links()}
        # A port that is there, and off which somebody took our program, is none: it is to be added again.
        taken_off = [i for i in record.ports if i in links and not self._need_hooks().on_port(i)]
        known = [ifindex for ifindex in (self.ifindex, *record.ports) if ifindex in links]
        return Actual(
            ifindex=self.ifindex,
            members=frozenset(record.ports) - frozenset(taken_off),
            options=self._options.all(),
            addresses={ifindex: links[ifindex].address for ifindex in known},
            carrier=self._receiver.carrier(),
            carrier_is_set=record.carrier_is_set,
        )

    def statistics(self, ifindex: int) -> dict[str, int]:
        slot = self._need_hooks().shared.slots().get(ifindex)
        if slot is None:
            raise DatapathError(errno.ENODEV, f"interface {ifindex} is no port of this team")
        return self._need_hooks().counters(slot)

    # Commands

    def add_port(self, ifindex: int) -> None:
        programs = self._need_hooks()
        info = self._rtnl.link(ifindex)
        if ifindex in self._record.ports:
            programs.hang_on_port(ifindex)
            return
        programs.check_free(ifindex, info.name)
        check(info, self.ifindex)
        slot = programs.shared.take_slot(ifindex)
        if slot is None:
            raise DatapathError(errno.ENOSPC, f"a team has at most {MAX_PORTS} ports")
        programs.reset_counters(slot)
        try:
            programs.hang_on_port(ifindex)
        except BaseException:
            programs.shared.free_slot(ifindex)
            raise
        self._record.ports[ifindex] = PortRecord(original=ports.remember(info))
        self._remember()
        try:
            ports.prepare(self._rtnl, info, self._rtnl.link(self.ifindex).mtu)
            self._rtnl.set_link(ifindex, up=True)
        except BaseException:
            self.remove_port(ifindex)
            raise
        self._links[ifindex] = self._rtnl.link(ifindex)
        self._apply()
        self._announcer.start(time.monotonic())

    def remove_port(self, ifindex: int) -> None:
        port = self._port(ifindex)
        programs = self._need_hooks()
        self._lose_port(ifindex)
        self._apply()
        programs.take_off_port(ifindex)
        with contextlib.suppress(NetlinkError):
            # Gone meanwhile: then there is nothing to give back.
            info = self._rtnl.link(ifindex)
            ports.give_back(self._rtnl, info, port.original)

    def _lose_port(self, ifindex: int) -> None:
        self._options.forget_port(ifindex)
        shared = self._need_hooks().shared
        shared.set_order([other for other in shared.order() if other != ifindex])
        if ifindex in shared.slots():
            shared.free_slot(ifindex)

    def set_option(self, key: OptionKey, value: OptionValue) -> None:
        if key == MODE:
            self._load(self._options.check_mode(value), hooks.object_code())
            return
        self._options.put(key, value)
        self._apply()
        if key.name in BURSTS:
            self._announcer.configure(self._options.all())
        elif key.name in _ANNOUNCED and value:
            self._announcer.start(time.monotonic())

    def set_address(self, ifindex: int, address: bytes) -> None:
        info = self._rtnl.link(ifindex)
        change_address(self._rtnl, info, address)

    def set_carrier(self, up: bool) -> None:
        self._record.carrier_is_set = True
        self._receiver.set_carrier(up)
        self._remember()

    # What the options mean for the programs

    def _load(self, mode: str, code: bytes) -> None:
        fresh = Hooks.load(code, mode)
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

    def _apply(self) -> None:
        """Derive the programs' state, and the carrier, from the options."""
        if self._hooks is None:
            return
        shared = self._hooks.shared
        receivers, spare = self._options.receivers(), self._options.spare
        # Listen to a port before anything is sent by it, and to the old ones until nothing is.
        shared.receive_on(receivers | shared.receiving(), spare=spare)
        shared.set_order(self._options.senders())
        shared.receive_on(receivers, spare=spare)
        self._remember()
        self._derive_carrier()

    def _derive_carrier(self) -> None:
        if self._record.carrier_is_set:
            return
        wanted = any(self._effective_link(ifindex, port) for ifindex, port in self._record.ports.items())
        try:
            if wanted != self._receiver.carrier():
                self._receiver.set_carrier(wanted)
        except NetlinkError as error:
            # Somebody deleted the device: its ports are to be given back all the same.
            if error.errno != errno.ENODEV:
                raise

    def _effective_link(self, ifindex: int, port: PortRecord) -> bool:
        if port.user_linkup_enabled:
            return port.user_linkup
        info = self._links.get(ifindex)
        return info is not None and info.up and info.carrier

    def _remember(self) -> None:
        if self._hooks is not None:
            self._hooks.write_record(self._record.encode())

    # Events

    def files(self) -> Sequence[int]:
        files = [self._monitor.fileno()]
        if self._hooks is not None:
            files.append(self._hooks.events.fileno())
        return files

    def receive(self) -> list[Event]:
        # What the programs tell comes first: the kernel's own word on the same link comes later.
        events = self._diverted()
        for change in self._monitor.receive():
            events.extend(
                self._link_changed(change)
                if isinstance(change, LinkInfo)
                else self._link_gone(change.ifindex)
            )
        if events:
            self._derive_carrier()
        return events

    def _diverted(self) -> list[Event]:
        events: list[Event] = []
        for sample in self._hooks.events.take() if self._hooks else ():
            ifindex, _ = _EVENT.unpack_from(sample)
            info = self._links.get(ifindex)
            if info is None or ifindex not in self._record.ports:
                continue
            with contextlib.suppress(NetlinkError):
                info = self._rtnl.link(ifindex)
            events.extend(self._link_changed(info))
        return events

    def _link_changed(self, info: LinkInfo) -> list[Event]:
        before = self._links.get(info.ifindex)
        self._links[info.ifindex] = info
        if info.ifindex == self.ifindex and before is not None and before.mtu != info.mtu:
            self._receiver.set_mtu(info.mtu)
            for ifindex in self._record.ports:
                self._follow_mtu(ifindex, info.mtu)
        if info.ifindex in self._record.ports:
            if info.up and info.carrier and self._hooks:
                self._hooks.shared.listen_again(info.ifindex)
            self._follow_mtu(info.ifindex, self._links[self.ifindex].mtu)
        return [LinkSeen(self._to_link(info))]

    def _follow_mtu(self, ifindex: int, mtu: int) -> None:
        info = self._links[ifindex]
        if info.mtu == mtu:
            return
        try:
            self._rtnl.set_link(ifindex, mtu=mtu)
        except NetlinkError as error:
            log.warning("%s: cannot follow the team's MTU of %d: %s", info.name, mtu, error)

    def _link_gone(self, ifindex: int) -> list[Event]:
        self._links.pop(ifindex, None)
        if ifindex in self._record.ports:
            self._lose_port(ifindex)
            self._apply()
        return [LinkGone(ifindex)]

    def next_timeout(self) -> float | None:
        return self._announcer.next_timeout()

    def handle_timeout(self, now: float) -> None:
        self._announcer.handle_timeout(now)

    # The end

    def destroy(self) -> None:
        for ifindex in list(self._record.ports):
            try:
                self.remove_port(ifindex)
            except NetlinkError as error:
                log.warning("cannot give port %d back as it was: %s", ifindex, error)
        with contextlib.suppress(NetlinkError):
            self._receiver.delete()
        self._close()

    def close(self) -> None:
        self._record.released = True
        self._remember()
        self._close()

    def _close(self) -> None:
        if self._hooks is not None:
            self._hooks.close()
            self._hooks = None
        self._monitor.close()
        self._owner.release()
        self._rtnl.close()

    # Small things

    def _need_hooks(self) -> Hooks:
        if self._hooks is None:
            raise DatapathError(errno.EINVAL, "set a mode first: the team has none")
        return self._hooks

    def _port(self, ifindex: int) -> PortRecord:
        try:
            return self._record.ports[ifindex]
        except KeyError:
            raise DatapathError(errno.ENODEV, f"interface {ifindex} is no port of this team") from None
