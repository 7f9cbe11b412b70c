"""Watch ``arp_ping``: the link is up while ARP comes in, such as answers to our requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pyteam.config import ArpPingWatch
from pyteam.engine.linkwatch.hosts import Host
from pyteam.engine.linkwatch.probe import Probe, Surroundings
from pyteam.engine.snapshot import Setting
from pyteam.frames import arp
from pyteam.frames.ethernet import ETH_P_ARP, Frame, in_vlan
from pyteam.frames.pattern import ArpPattern, Pattern


class ArpPing(Probe):
    """Any ARP that comes in is a sign of life, an echo is none; or only the target's reply is one."""

    name: ClassVar[str] = "arp_ping"
    config: ArpPingWatch

    def find_hosts(self) -> Mapping[str, Host]:
        return {
            "target_host": Host(self.config.target_host, ipv6=False),
            "source_host": Host(self.config.source_host, ipv6=False),
        }

    @property
    def send_always(self) -> bool:
        return self.config.send_always

    @property
    def _target(self) -> bytes | None:
        return self.hosts["target_host"].address

    @property
    def _source(self) -> bytes | None:
        return self.hosts["source_host"].address

    def question(self, around: Surroundings) -> bytes | None:
        if self._target is None or self._source is None:
            return None
        return arp.probe(around.mac, self._source, self._target, vlan=self.config.vlanid)

    def listens_for(self, around: Surroundings) -> Pattern | None:
        if not self._validates(around):
            return ArpPattern(self.config.vlanid, not_from=around.own)
        if self._target is None or self._source is None:
            return None
        return ArpPattern(self.config.vlanid, self._target, self._source, around.own)

    def answers(self, frame: Frame, around: Surroundings) -> bool:
        if frame.ethertype != ETH_P_ARP or not in_vlan(frame.tags, self.config.vlanid):
            return False
        message = arp.parse(frame.payload)
        if frame.source in around.own or message.sender_mac in around.own:
            return False
        if not self._validates(around):
            return message.operation in (arp.REQUEST, arp.REPLY)
        return message.operation == arp.REPLY and (message.sender_ip, message.target_ip) == (
            self._target,
            self._source,
        )

    def _validates(self, around: Surroundings) -> bool:
        return self.config.validate_active if around.enabled else self.config.validate_inactive

    def settings(self) -> Mapping[str, Setting]:
        config = self.config
        return {
            **super().settings(),
            "validate_active": config.validate_active,
            "validate_inactive": config.validate_inactive,
            "send_always": config.send_always,
            **({} if config.vlanid is None else {"vlanid": config.vlanid}),
        }
