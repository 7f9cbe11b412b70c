"""Whatever somebody sends: a watch that validates is moved by its target alone, and nothing breaks it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.config import ActiveBackupRunner, ArpPingWatch, NsnaPingWatch, PortConfig, TeamConfig
from pyteam.frames import arp, ethernet, icmpv6
from pyteam.frames.arp import Arp
from pyteam.frames.ethernet import ETH_P_ARP, ETH_P_IPV6, Frame, Vlan
from pyteam.frames.ip import IPPROTO_ICMPV6, ipv6_packet
from tests.simulation.harness import Host
from tests.simulation.neighbours import Neighbour

TARGET, SOURCE, OTHER = (bytes((10, 5, 0, last)) for last in (9, 1, 2))
TARGET6 = bytes.fromhex("fd000000000000000000000000000009")
MAC = Neighbour.mac
ARP = ArpPingWatch(
    target_host="10.5.0.9", source_host="10.5.0.1", validate_active=True, validate_inactive=True, interval=100
)
NS = NsnaPingWatch(target_host="fd00::9", interval=100)

macs = st.sampled_from([MAC, bytes.fromhex("0a0000000001"), b"\xff" * 6])
ips = st.sampled_from([TARGET, SOURCE, OTHER, bytes(4)])
vlans = st.lists(
    st.builds(Vlan, st.sampled_from([0, 1, 4095]), protocol=st.sampled_from([0x8100, 0x88A8])), max_size=2
)
garbage = st.binary(max_size=90)


def host(watch: ArpPingWatch | NsnaPingWatch) -> Host:
    made = Host("a").start(
        TeamConfig(runner=ActiveBackupRunner(), link_watch=(watch,), ports={"a": PortConfig()})
    )
    made.neighbour = Neighbour()
    return made


def stays_down(watch: ArpPingWatch | NsnaPingWatch, *frames: bytes) -> None:
    found = host(watch)
    for data in frames:
        found.hear("a", data)
    found.advance(0.05)
    found.neighbour = Neighbour(silent={"a"})
    found.advance(0.05)
    assert not found.port("a").up


def mangled(frame: bytes, data: st.DataObject) -> bytes:
    """One byte of what matters is another, or the end is missing."""
    if data.draw(st.booleans()):
        return frame[: data.draw(st.integers(0, len(frame) - 1))]
    at = data.draw(st.integers(12, len(frame) - 1))
    return frame[:at] + bytes((frame[at] ^ data.draw(st.integers(1, 255)),)) + frame[at + 1 :]


@given(st.builds(Arp, st.integers(0, 9), macs, ips, macs, ips), macs, vlans)
def test_arp_of_anybody(message: Arp, source: bytes, tags: list[Vlan]) -> None:
    genuine = (message.operation, message.sender_ip, message.target_ip) == (arp.REPLY, TARGET, SOURCE)
    if not genuine or (tags and (len(tags) > 1 or tags[0].identifier)):
        stays_down(ARP, Frame(b"\xff" * 6, source, ETH_P_ARP, message.build(), tuple(tags)).build())


@given(st.data())
def test_arp_replies_that_are_broken(data: st.DataObject) -> None:
    reply = Arp(arp.REPLY, MAC, TARGET, b"\2" * 6, SOURCE)
    frame = Frame(b"\2" * 6, MAC, ETH_P_ARP, reply.build()).build()
    broken = mangled(frame, data)
    # MACs may be anything.
    if (
        len(broken) < len(frame)
        or ethernet.parse(broken).payload[:8] != frame[14:22]
        or broken[28:32] != TARGET
    ):
        stays_down(ARP, broken)


@given(st.data())
def test_advertisements_that_are_broken(data: st.DataObject) -> None:
    neighbour = Neighbour()
    asked = Frame(b"\xff" * 6, b"\2" * 6, ETH_P_IPV6, b"")
    frame = neighbour.advertisement(asked, icmpv6.link_local(b"\2" * 6))
    broken = mangled(frame, data)
    # Traffic class and flow label mean nothing.
    if broken[14:18] == frame[14:18]:
        stays_down(NS, broken)


@given(
    st.sampled_from([135, 136, 137]),
    st.integers(0, 1),
    st.sampled_from([0, 0x20, 0x40, 0xE0]),
    st.sampled_from([TARGET6, bytes.fromhex("fd000000000000000000000000000008"), icmpv6.ALL_NODES]),
    st.sampled_from([254, 255]),
    st.sampled_from([IPPROTO_ICMPV6, 17, 0]),
    st.sampled_from(["fe80000000000000" + "00ff" * 4, "ff020000000000000000000000000001"]),
    st.sampled_from(
        [b"", b"\2\1" + MAC, b"\1\1" + MAC, b"\2\0" + MAC, b"\2\2" + MAC, b"\x0e\1" + MAC + b"\2\1" + MAC]
    ),
)
def test_advertisements_of_anybody(
    kind: int, code: int, flags: int, target: bytes, hops: int, header: int, to: str, options: bytes
) -> None:
    destination = bytes.fromhex(to)
    body = bytes((kind, code, 0, 0, flags, 0, 0, 0)) + target + options
    packet = ipv6_packet(TARGET6, destination, header, hops, icmpv6.message(TARGET6, destination, body))
    frame = Frame(b"\2" * 6, MAC, ETH_P_IPV6, packet).build()
    genuine = (kind, code, target, hops, header) == (136, 0, TARGET6, 255, IPPROTO_ICMPV6)
    genuine = genuine and not (destination[0] == 0xFF and flags & 0x40)
    genuine = genuine and options[1:2] not in (b"\0", b"\2")
    if not genuine:
        stays_down(NS, frame)
        return
    found = host(NS)
    found.neighbour = lambda port, data: ()
    found.advance(0.05)
    found.hear("a", frame)
    found.advance(0.05)
    assert found.port("a").up


@given(garbage, st.sampled_from([None, Vlan(1)]))
def test_garbage(data: bytes, tag: Vlan | None) -> None:
    for watch in (ARP, NS, replace(ARP, validate_active=False, validate_inactive=False)):
        found = host(watch)
        for header in (b"", b"\2" * 12, b"\2" * 12 + b"\x08\x06", b"\2" * 12 + b"\x86\xdd"):
            found.hear("a", header + data, tag=tag)


@pytest.mark.parametrize("watch", [ARP, replace(ARP, vlanid=4), NS, replace(NS, vlanid=4)])
def test_the_target_moves_it(watch: ArpPingWatch | NsnaPingWatch) -> None:
    found = Host("a")
    found.neighbour = Neighbour()
    found.start(TeamConfig(runner=ActiveBackupRunner(), link_watch=(watch,), ports={"a": PortConfig()}))
    found.advance(0.15)
    assert found.port("a").up
    found.neighbour = Neighbour(silent={"a"})
    found.advance(1)
    assert not found.port("a").up


@pytest.mark.parametrize(("active", "inactive"), [(True, False), (False, True)])
def test_validation_goes_by_whether_the_port_carries_traffic(active: bool, inactive: bool) -> None:
    watch = replace(ARP, validate_active=active, validate_inactive=inactive, send_always=True)
    found = Host("a", "b")
    found.neighbour = Neighbour()
    found.start(
        TeamConfig(
            runner=ActiveBackupRunner(),
            link_watch=(watch,),
            ports={"a": PortConfig(prio=10), "b": PortConfig()},
        )
    )
    found.advance(1.05)
    assert (found.active, found.port("b").up) == ("a", True)
    found.neighbour = lambda port, data: ()
    stranger = Frame(
        b"\xff" * 6, MAC, ETH_P_ARP, Arp(arp.REQUEST, MAC, OTHER, bytes(6), OTHER).build()
    ).build()
    for _ in range(10):
        found.hear("a", stranger)
        found.hear("b", stranger)
        found.advance(0.1)
        if found.active != "a":
            break
    # Either the active port is not moved by a stranger, or the one that waits is not.
    assert found.active == ("b" if active else "a")
    assert found.port("b").up is not inactive
