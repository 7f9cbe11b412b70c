"""One system that speaks LACP (802.1AX-2014, 6.3): its ports, and whatever may happen to them.

The only module of this folder that others need. Must not know how frames come and go, nor what collecting
and distributing mean to a datapath. Times are seconds of any clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Any, Final

from pyteam.engine.lacp import churn, marker, memory, mux, periodic, receive
from pyteam.engine.lacp.agenda import Agenda
from pyteam.engine.lacp.port import LacpPort, Remark
from pyteam.engine.lacp.selection import Selection
from pyteam.engine.lacp.settings import PortSettings, Settings
from pyteam.engine.lacp.states import (
    COLLECTING,
    DISTRIBUTING,
    SYNC,
    Counters,
    MuxState,
    ReceiveState,
    Selected,
)
from pyteam.engine.lacp.transmit import goodbye, transmit
from pyteam.engine.outcome import Level
from pyteam.frames.ethernet import FrameError
from pyteam.frames.lacp import RETRY_COUNT, Info, Lacpdu, Marker, parse

#: Seconds that a restarted system listens before it speaks unasked.
LISTENING: Final = 1.0
#: Seconds for each of a retry count that was set at run time, after which it is the usual one again.
RETRY_LIFE: Final = 180.0
#: What of a port's state its users act upon.
_USED: Final = COLLECTING | DISTRIBUTING


class LacpSystem:
    """``system``: the MAC that names it. Nothing here raises because of what came in over a wire."""

    def __init__(self, settings: Settings, system: bytes) -> None:
        self._settings = settings
        self.system = system
        self._ports: dict[int, LacpPort] = {}
        self.ports: Mapping[int, LacpPort] = MappingProxyType(self._ports)
        self._selection = Selection(settings)
        self._agenda = Agenda()
        #: By partner (system, port): where it was heard last.
        self._heard: dict[tuple[bytes, int], LacpPort] = {}
        self._frames: list[tuple[int, bytes]] = []
        self._remarks: list[Remark] = []
        self._changed = False
        #: How many of ours may stay away before the partner takes us for gone.
        self.retry_count = settings.retry_count
        self._retry_until = inf
        #: What was saved of ports that are not back yet, and how long they are waited for.
        self._absent: dict[int, Mapping[str, Any]] = {}
        self._absent_until = inf
        #: It has said goodbye.
        self._ended = False

    # What it is asked.

    @property
    def deadline(self) -> float | None:
        """When `expire` wants to be called; None: never."""
        if self._ended:
            return None
        first = min(self._agenda.deadline(), self._retry_until, self._absent_until)
        return None if first == inf else first

    @property
    def changed(self) -> bool:
        """Whether, since this was asked last, a port began or ceased to collect or distribute, was selected
        or not, or got another aggregator."""
        changed, self._changed = self._changed or self._selection.changed, False
        self._selection.changed = False
        return changed

    @property
    def selected_aggregator(self) -> int:
        """Ifindex of the lead of the aggregator in use; 0: none."""
        chosen = self._selection.chosen
        return chosen.lead.ifindex if chosen is not None else 0

    def take_frames(self) -> list[tuple[int, bytes]]:
        """Frames to send, oldest first, each with its port; every one is taken once."""
        frames, self._frames = self._frames, []
        return frames

    def take_remarks(self) -> list[Remark]:
        """Lines for the log, each with its port (0: the team); every one is taken once."""
        remarks = self._remarks[:]
        self._remarks.clear()
        return remarks

    def clear_counters(self, ifindex: int | None = None) -> None:
        """Of one port, or of all."""
        for port in self._ports.values() if ifindex is None else [self._ports[ifindex]]:
            port.counters = Counters()

    # What happens to it.

    def receive(self, now: float, ifindex: int, frame: bytes) -> None:
        """A slow protocol's frame came in. Costs little when it says what the last one said."""
        port = self._ports.get(ifindex)
        if port is None or self._ended:
            return
        if frame == port.familiar:
            port.counters.lacpdus_received += 1
            port.last_received = now
            port.current_while = now + port.patience
            return
        try:
            pdu = parse(frame)
        except FrameError as error:
            port.counters.illegal += 1
            if not port.malformed:
                port.malformed = True
                port.log(Level.WARNING, f"malformed LACP PDU came. ({error})")
            return
        if pdu is None:
            port.counters.unknown += 1
        elif isinstance(pdu, Marker):
            answer = marker.respond(port, now, pdu)
            if answer is not None:
                self._frames.append((ifindex, answer))
        else:
            self._hear(now, port, frame, pdu)

    def expire(self, now: float) -> None:
        """The time is this."""
        if self._ended:
            return
        if now >= self._retry_until:
            self._announce(now, RETRY_COUNT)
        if now >= self._absent_until:
            self._absent.clear()
            self._return()
        stirred = self._selection.stirred
        for port in list(self._agenda.due(now)):
            if now >= port.wait_while:
                port.wait_while, port.ready = inf, True
                if port.lag is not None and port.lag.note(port):
                    self._selection.ready(port.lag)
            elif now >= port.refusal_timer:
                port.refusal_timer, port.refused = inf, True
            elif now < min(port.current_while, port.actor_churn_timer, port.partner_churn_timer):
                # Most often: nothing but the time for another LACPDU.
                periodic.MACHINE.run(port, now)
                self._speak(now, port)
                continue
            stirred[port] = None
        self._settle(now)

    def see(
        self,
        now: float,
        ifindex: int,
        up: bool,
        speed: int,
        full_duplex: bool | None,
        trusted: bool = True,
    ) -> None:
        """The link is so now. ``speed`` in Mb/s, 0 unknown; ``full_duplex`` None: unknown.

        ``trusted`` False: it is up, but whoever watches it says that it does not work. LACP goes on, so that
        the partner is told to use it no longer.
        """
        port = self._ports[ifindex]
        if trusted != port.trusted:
            port.trusted = trusted
            self._selection.trust(port)
            if not self._ended:
                self._settle(now, port)
        if self._ended or (up, speed, full_duplex) == (port.enabled, port.speed, port.full_duplex):
            return
        if not up:
            # What was wrong with this cable may not be with the next.
            port.looped = port.malformed = False
        port.enabled, port.speed, port.full_duplex = up, speed, full_duplex
        port.forget()
        if not up or not port.lacp_enabled:
            # Nobody's place is kept; it joins again when the partner speaks.
            port.selected = Selected.UNSELECTED
        self._settle(now, port)

    def choose(self, now: float, ifindex: int) -> bool:
        """Use this port's aggregator until a fact changes that the policy looks at. False: it has none."""
        if self._ended or not self._selection.choose(self._ports[ifindex]):
            return False
        self._settle(now)
        return True

    def configure(self, now: float, settings: Settings) -> None:
        """Other settings. A port moves only if it has to; partners are told at once what they see of it."""
        before, self._settings = self._settings, settings
        if self._ended or (settings == before and settings.retry_count == self.retry_count):
            return
        # Also one that had run out, and is asked for again.
        if settings.retry_count != self.retry_count:
            self._retry_until = inf
            if settings.retry_count != RETRY_COUNT:
                self._retry_until = now + RETRY_LIFE * settings.retry_count
            self._announce(now, settings.retry_count)
        for port in self._ports.values():
            port.rules = settings
            if not settings.enable_retry_count:
                port.partner_retry_count = RETRY_COUNT
            mux.translate(port)
            self._identify(port)
        self._selection.configure(settings)
        self._selection.decide()
        self._stir()
        self._settle(now)

    def set_system(self, now: float, mac: bytes) -> None:
        """The system has another name."""
        self.system = mac
        if not self._ended:
            for port in self._ports.values():
                self._identify(port)
            self._stir()
            self._settle(now)

    def add_port(self, now: float, ifindex: int, settings: PortSettings) -> None:
        """A new port; until it is seen, its link is down. Raises KeyError when there is one already."""
        if ifindex in self._ports:
            raise KeyError(f"port {ifindex} is there already")
        port = LacpPort(ifindex, settings, self._settings, self.system, self._remarks)
        port.retry_count = self.retry_count
        receive.MACHINE.begin(port, now, ReceiveState.INITIALIZE)
        self._ports[ifindex] = port
        record = self._absent.pop(ifindex, None)
        if record is not None:
            self._restore(now, {ifindex: record})
            self._return()
        self._settle(now, port)

    def configure_port(self, now: float, ifindex: int, settings: PortSettings) -> None:
        """Other settings of a port. Another key makes it look for another aggregator (6.4.14.1)."""
        port = self._ports[ifindex]
        if settings == port.settings or self._ended:
            return
        if settings.key != port.settings.key:
            port.selected = Selected.UNSELECTED
        port.settings = settings
        self._identify(port)
        self._settle(now, port)

    def remove_port(self, now: float, ifindex: int) -> None:
        """It is a port no longer; its partner is told so."""
        port = self._ports.pop(ifindex)
        self._part(now, port)
        self._selection.remove(port)
        self._agenda.forget(port)
        if port.heard is not None and self._heard.get(port.heard) is port:
            del self._heard[port.heard]
        self._settle(now)

    def goodbye(self, now: float) -> None:
        """All partners are told; from then on nothing happens any more."""
        if self._ended:
            return
        for port in self._ports.values():
            self._part(now, port)
            port.say(SYNC | _USED, False)
            port.mux_state = MuxState.DETACHED
            self._selection.remove(port)
        self._selection.stirred.clear()
        self._ended = self._changed = True

    # What survives.

    def save(self, now: float) -> dict[str, Any]:
        """What `restore` needs, as plain data for JSON."""
        return memory.save(self._ports.values())

    def restore(self, now: float, saved: Any) -> None:
        """Go on where another system of these settings was. Nothing, when ``saved`` is no such value.

        For ports that are there (their frames must not have been taken) and for those that are added within a
        second. A port whose name, number, key or priority is another begins anew.
        """
        records = memory.records(saved)
        self._absent = {ifindex: record for ifindex, record in records.items() if ifindex not in self._ports}
        self._restore(now, {ifindex: records[ifindex] for ifindex in records if ifindex in self._ports})
        self._absent_until = now + LISTENING if self._absent else inf
        self._return()
        self._settle(now)

    def _restore(self, now: float, records: Mapping[int, Mapping[str, Any]]) -> None:
        ports = [self._ports[ifindex] for ifindex in records]
        ports = [port for port in ports if memory.restore_port(port, records[port.ifindex], now)]
        indexes = {port.ifindex for port in ports}
        self._frames = [frame for frame in self._frames if frame[0] not in indexes]
        self._remarks[:] = [remark for remark in self._remarks if remark[1] not in indexes]
        for port in ports:
            mux.translate(port)
            # Whom it has heard it lets speak first.
            port.ntt, port.held_until = True, now + LISTENING
            self._register(port, port.partner)
        self._selection.adopt(
            [port for port in ports if records[port.ifindex].get("selected")],
            [port for port in ports if not records[port.ifindex].get("selected")],
        )

    def _return(self) -> None:
        """Nothing is decided anew before those are back that were in use."""
        if not self._absent:
            self._absent_until = inf
        self._selection.hold(any(record.get("selected") for record in self._absent.values()))

    # How it goes on.

    def _hear(self, now: float, port: LacpPort, frame: bytes, pdu: Lacpdu) -> None:
        port.counters.lacpdus_received += 1
        port.last_received = now
        port.malformed = False
        if not port.enabled:
            return
        if (
            pdu.actor.system == port.actor.system
            and port.receive_state is ReceiveState.CURRENT
            and not port.looks_looped
        ):
            # Somebody uses our name while the partner is there and speaks for itself.
            port.counters.illegal += 1
            if not port.looped:
                port.looped = True
                port.log(Level.WARNING, "Port seems to be loopbacked to the same team device.")
            return
        port.held_until = -inf
        self._register(port, pdu.actor)
        port.pdu = pdu
        self._settle(now, port)
        if port.receive_state is ReceiveState.CURRENT and self._is_settled(port, pdu):
            port.familiar = frame

    @staticmethod
    def _is_settled(port: LacpPort, pdu: Lacpdu) -> bool:
        """Whether the same LACPDU once more would change nothing."""
        return (
            not pdu.retry
            and port.partner_retry_count == RETRY_COUNT
            and pdu.partner[:5] == port.actor[:5]
            and not (pdu.partner.state ^ port.actor.state) & receive.WATCHED
        )

    def _register(self, port: LacpPort, partner: Info) -> None:
        """Who is heard here is not there any more, if it was on a port that is down (port_moved)."""
        who = partner.system, partner.port
        if port.heard == who:
            return
        other = self._heard.get(who)
        if other is not None and other.receive_state is ReceiveState.PORT_DISABLED:
            other.moved = True
            self._selection.stirred[other] = None
        if port.heard is not None and self._heard.get(port.heard) is port:
            del self._heard[port.heard]
        self._heard[who] = port
        port.heard = who

    def _identify(self, port: LacpPort) -> None:
        """Who the actor is, from all settings; the partner is told when that is another."""
        before = port.actor
        port.refused = False
        port.name(self.system)
        if port.actor != before:
            port.ntt = True

    def _announce(self, now: float, retry_count: int) -> None:
        """Every partner is to know this retry count."""
        self.retry_count = retry_count
        if retry_count == RETRY_COUNT:
            self._retry_until = inf
        for port in self._ports.values():
            port.retry_count = retry_count
            port.forget()
            port.ntt = True
        self._stir()

    def _part(self, now: float, port: LacpPort) -> None:
        self._frames += [(port.ifindex, frame) for frame in [goodbye(port, now)] if frame is not None]

    def _stir(self) -> None:
        self._selection.stirred.update(dict.fromkeys(self._ports.values()))

    def _settle(self, now: float, port: LacpPort | None = None) -> None:
        """Run the machines of all ports that something was done to, until nothing moves any more."""
        selection = self._selection
        stirred = selection.stirred
        if port is not None:
            stirred[port] = None
        touched: dict[LacpPort, None] = {}
        while stirred:
            port, _ = stirred.popitem()
            touched[port] = None
            before = port.state
            receive.MACHINE.run(port, now)
            port.pdu = None
            if port.state != before:
                port.counters.state_changes += 1
                port.log(Level.INFO, f'Changed port state: "{before}" -> "{port.state}"')
            # A port is free to join when it is detached (6.4.14.1), so twice.
            control = mux.machine(port)
            control.run(port, now)
            selection.update(port)
            control.run(port, now)
            if port.lag is not None and port.lag.note(port):
                selection.ready(port.lag)
            periodic.MACHINE.run(port, now)
            churn.ACTOR.run(port, now)
            churn.PARTNER.run(port, now)
        for port in touched:
            shown = port.actor.state & _USED, port.selected, port.lag
            if shown != port.shown:
                port.shown = shown
                self._changed = True
            self._speak(now, port)

    def _speak(self, now: float, port: LacpPort) -> None:
        frame = transmit(port, now)
        if frame is not None:
            self._frames.append((port.ifindex, frame))
        self._agenda.note(port)
