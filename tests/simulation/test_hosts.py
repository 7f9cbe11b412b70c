"""Hosts that are names: asked for again and again, and nothing waits for the answer."""

from __future__ import annotations

from pyteam.config import ActiveBackupRunner, ArpPingWatch, NsnaPingWatch, PortConfig, TeamConfig
from pyteam.engine.events import HostSeen
from pyteam.engine.linkwatch.hosts import REFRESH, RETRY, Lookup
from pyteam.frames import arp, ethernet
from tests.simulation.harness import Host
from tests.simulation.neighbours import Neighbour

GATEWAY = Lookup("gw.example", ipv6=False)
WATCH = ArpPingWatch(target_host="gw.example", interval=1000, validate_active=True, validate_inactive=True)
ADDRESS = bytes((10, 5, 0, 9))


def host(*watches: ArpPingWatch | NsnaPingWatch) -> Host:
    made = Host("a")
    made.neighbour = Neighbour()
    return made.start(
        TeamConfig(runner=ActiveBackupRunner(), link_watch=watches or (WATCH,), ports={"a": PortConfig()})
    )


def test_a_name_without_an_address_is_tried_again_and_told_once() -> None:
    found = host()
    for n in range(4):
        assert found.lookups[n:] == [(n * RETRY, GATEWAY)]
        found.tell(HostSeen(GATEWAY, None, "Name or service not known"))
        found.advance(RETRY)
    assert found.sent == []
    assert [line for line in found.log if "gw" in line] == [
        'a: arp_ping: target_host "gw.example": Name or service not known; it is tried again.'
    ]
    settings = found.port("a").watches[0].settings
    assert settings["target_host"] == "gw.example"
    assert settings["problem"] == "target_host: Name or service not known"
    assert not found.team.ears()[found.index("a")].patterns
    found.tell(HostSeen(GATEWAY, ADDRESS))
    assert found.log[-1] == 'a: arp_ping: target_host "gw.example" is 10.5.0.9.'
    found.advance(2)
    assert found.port("a").up
    settings = found.port("a").watches[0].settings
    assert settings["target_host"] == "10.5.0.9"
    assert "problem" not in settings


def test_while_there_is_no_answer_nothing_waits_and_nothing_is_asked_twice() -> None:
    found = host()
    found.advance(3600)
    assert found.lookups == [(0, GATEWAY)]
    assert found.port("a").watches[0].settings["missed"] == 3600


def test_a_name_that_moves_is_followed() -> None:
    found = host()
    found.tell(HostSeen(GATEWAY, ADDRESS))
    found.advance(REFRESH)
    assert [when for when, _ in found.lookups] == [0, REFRESH]
    found.tell(HostSeen(GATEWAY, bytes((10, 5, 0, 8))))
    found.advance(1)
    asked = arp.parse(ethernet.parse(found.sent[-1][2]).payload)
    assert asked.target_ip == bytes((10, 5, 0, 8))
    assert found.port("a").watches[0].settings["target_host"] == "10.5.0.8"


def test_a_name_that_is_lost_keeps_its_address() -> None:
    found = host()
    found.tell(HostSeen(GATEWAY, ADDRESS))
    found.advance(REFRESH)
    found.tell(HostSeen(GATEWAY, None, "Temporary failure in name resolution"))
    found.advance(10 * RETRY)
    assert found.port("a").up
    assert (
        found.port("a").watches[0].settings["problem"] == "target_host: Temporary failure in name resolution"
    )


def test_numbers_are_not_looked_up() -> None:
    found = host(
        ArpPingWatch(target_host="10.5.0.9", source_host="10.5.0.1"), NsnaPingWatch(target_host="FD00:0::9")
    )
    found.advance(1000)
    assert found.lookups == []
    arp_ping, nsna_ping = found.port("a").watches
    assert (arp_ping.settings["source_host"], nsna_ping.settings["target_host"]) == ("10.5.0.1", "fd00::9")


def test_each_kind_of_address_is_asked_for_by_itself() -> None:
    found = host(
        ArpPingWatch(target_host="gw.example", source_host="me.example"),
        NsnaPingWatch(target_host="gw.example"),
    )
    asked = {lookup for _, lookup in found.lookups}
    assert asked == {GATEWAY, Lookup("me.example", ipv6=False), Lookup("gw.example", ipv6=True)}
    found.tell(HostSeen(Lookup("gw.example", ipv6=True), bytes(15) + b"\1"))
    arp_ping, nsna_ping = found.port("a").watches
    assert (arp_ping.settings["target_host"], nsna_ping.settings["target_host"]) == ("gw.example", "::1")
