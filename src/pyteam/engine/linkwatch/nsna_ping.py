"""Watch ``nsna_ping``: the link is up while a neighbour advertises its IPv6 address, which we ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pyteam.config import NsnaPingWatch
from pyteam.engine.linkwatch.hosts import Host
from pyteam.engine.linkwatch.probe import Probe, Surroundings
from pyteam.engine.snapshot import Setting
from pyteam.frames import icmpv6
from pyteam.frames.ethernet import ETH_P_IPV6, Frame, in_vlan
from pyteam.frames.pattern import AdvertisementPattern, Pattern


class NsnaPing(Probe):
    """We ask from the link-local address of the MAC that asks, so the port needs no IPv6 of its own.

    Not from the unspecified address: that asks whether an address is free (RFC 4862, 5.4.3), and who is
    about to take it would have to leave it.
    """

    name: ClassVar[str] = "nsna_ping"
    config: NsnaPingWatch

    def find_hosts(self) -> Mapping[str, Host]:
        return {"target_host": Host(self.config.target_host, ipv6=True)}

    @property
    def send_always(self) -> bool:
        return self.config.send_always

    @property
    def _target(self) -> bytes | None:
        return self.hosts["target_host"].address

    def question(self, around: Surroundings) -> bytes | None:
        if self._target is None:
            return None
        source = icmpv6.link_local(around.mac)
        return icmpv6.solicitation(around.mac, source, self._target, vlan=self.config.vlanid)

    def listens_for(self, around: Surroundings) -> Pattern | None:
        if self._target is None:
            return None
        return AdvertisementPattern(self._target, self.config.vlanid, around.own)

    def answers(self, frame: Frame, around: Surroundings) -> bool:
        if frame.ethertype != ETH_P_IPV6 or not in_vlan(frame.tags, self.config.vlanid):
            return False
        if frame.source in around.own:
            return False
        return icmpv6.parse_advertisement(frame.payload).target == self._target

    def settings(self) -> Mapping[str, Setting]:
        config = self.config
        return {
            **super().settings(),
            "send_always": config.send_always,
            **({} if config.vlanid is None else {"vlanid": config.vlanid}),
        }
