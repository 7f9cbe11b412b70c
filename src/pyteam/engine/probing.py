"""Between the watches that probe and the wire: who may ask now, from which MAC, and what is listened for.

Must not know what is asked or what is an answer (`linkwatch`), nor how frames come and go.

Who may ask: the ports that carry traffic, and where there is none, all; always, whose watch says so. A port
that waits beside one that carries traffic does not ask from a MAC that both have: the switch would
send the team's traffic there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from pyteam.engine.desired import Desired
from pyteam.engine.events import FrameSeen, HostSeen
from pyteam.engine.linkwatch.hosts import Lookup
from pyteam.engine.linkwatch.probe import Probe, Surroundings
from pyteam.engine.outcome import Ear, Frame, Level, Message
from pyteam.engine.port import Port
from pyteam.frames import ethernet
from pyteam.frames.ethernet import FrameError
from pyteam.link import Link
from pyteam.options import OptionKey

#: The bit of a MAC that says that it was made up here (IEEE 802, "locally administered").
_LOCAL: Final = 0x02


class Probing:
    """``ports`` and ``links`` by ifindex, as they come and go; ``team`` is the device's."""

    def __init__(self, team: int, ports: Mapping[int, Port], links: Mapping[int, Link]) -> None:
        self._team = team
        self._ports = ports
        self._links = links
        self._asked: set[Lookup] = set()

    def hear(self, now: float, event: FrameSeen, desired: Desired) -> bool:
        """A frame came in: whether any watch was listening."""
        port = self._ports.get(event.ifindex)
        waiting = [probe for probe in _probes(port) if probe.listens]
        if port is None or not waiting:
            return False
        around = self._scene(desired).around(port)
        with suppress(FrameError):
            frame = ethernet.parse(event.data)
            if event.tag is not None:
                frame = frame.behind(event.tag)
            for probe in waiting:
                with suppress(FrameError):
                    probe.hear(now, frame, around)
        return True

    def learn(self, now: float, event: HostSeen) -> Iterator[Message]:
        """A name has, or has not, an address: what to tell about it."""
        self._asked.discard(event.lookup)
        for port in self._ports.values():
            for probe in _probes(port):
                for key, host in probe.hosts.items():
                    if host.lookup == event.lookup and host.learn(now, event.address, event.error):
                        where = f'{port.name}: {probe.name}: {key} "{host.lookup.name}"'
                        if event.error:
                            yield Message(Level.WARNING, f"{where}: {event.error}; it is tried again.")
                        else:
                            yield Message(Level.INFO, f"{where} is {host}.")

    def questions(self, desired: Desired) -> Iterator[Frame]:
        """What is due to be asked, each once."""
        scene: _Scene | None = None
        for ifindex, port in self._ports.items():
            for probe in _probes(port):
                if not probe.asks:
                    continue
                probe.asks = False
                scene = scene or self._scene(desired)
                if ifindex in scene.carrying or probe.send_always or not scene.carrying:
                    data = probe.question(scene.around(port))
                    if data is not None:
                        yield Frame(ifindex, data)

    def lookups(self, now: float) -> Iterable[Lookup]:
        """Names that are due to be looked up, but for those whose answer is on its way."""
        due: set[Lookup] = set()
        for port in self._ports.values():
            for probe in _probes(port):
                for host in probe.hosts.values():
                    if host.due is not None and host.due <= now:
                        host.asked()
                        due.add(host.lookup)
        new = due - self._asked
        self._asked |= new
        return new

    def ears(self, desired: Desired) -> dict[int, Ear]:
        """What to listen for, by port; ports without a watch that probes are not here."""
        probing = {ifindex: probes for ifindex, port in self._ports.items() if (probes := _probes(port))}
        if not probing:
            return {}
        scene = self._scene(desired)
        ears = {}
        for ifindex, probes in probing.items():
            port = self._ports[ifindex]
            around = scene.around(port)
            patterns = (probe.listens_for(around) for probe in probes if probe.listens)
            ears[ifindex] = Ear(
                frozenset(pattern for pattern in patterns if pattern),
                around.mac if port.link and around.mac != port.link.address else None,
            )
        return ears

    def _scene(self, desired: Desired) -> _Scene:
        ports = [port for port in self._ports.values() if port.joined]
        # A runner that leaves it to the datapath has every port enabled.
        carrying = frozenset(
            port.ifindex for port in ports if desired.options.get(OptionKey("enabled", port.ifindex), True)
        )
        return _Scene([port.link for port in ports if port.link], self._links.get(self._team), carrying)


class _Scene:
    """The ports and the team device, at one moment."""

    def __init__(self, ports: Sequence[Link], team: Link | None, carrying: frozenset[int]) -> None:
        self.carrying = carrying
        self._team = team.address if team else b""
        self._macs = {port.ifindex: self._mac(port) for port in ports}
        permanent = (port.permanent_address for port in ports)
        current = (port.address for port in ports)
        self._own = frozenset({*self._macs.values(), *permanent, *current, self._team} - {b""})

    def around(self, port: Port) -> Surroundings:
        mac, enabled = self._macs[port.ifindex], port.ifindex in self.carrying
        # What the carrying port asks and a switch floods has come in over the cable of one that waits. While
        # all ask, that would be each other's echo.
        waits = self.carrying and not enabled
        return Surroundings(enabled, mac, frozenset({mac}) if waits else self._own)

    def _mac(self, port: Link) -> bytes:
        """From which it asks."""
        if not self.carrying or port.ifindex in self.carrying or port.address != self._team:
            return port.address
        first, *others = permanent = port.permanent_address
        return permanent if permanent != port.address else bytes((first ^ _LOCAL, *others))


def _probes(port: Port | None) -> list[Probe]:
    if port is None or not port.probes:
        return []
    return [watch for watch in port.watches if isinstance(watch, Probe)]
