"""VLANs: devices of a VLAN on top of a team, and such devices as its ports; both datapaths, real daemons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.lab.pair import DATAPATHS, Pair, pair_of_hosts
from tests.lab.sidebyside import TEAM, wait_for

CABLES: Final = ("eth0", "eth1")
PORTS: Final[dict[str, Any]] = {cable: {} for cable in CABLES}
#: The second one is the highest there is.
VLANS: Final = (7, 4094)


@pytest.fixture(params=DATAPATHS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with pair_of_hosts(tmp_path, request.param, CABLES) as made:
        yield made


def test_vlans_on_top_of_a_team_survive_a_cut(pair: Pair) -> None:
    """Tagged by the kernel, in a field beside the frame; each VLAN is a network of its own."""
    pair.start(PORTS)
    for vlan in VLANS:
        pair.ip(f"link add link {TEAM} name {TEAM}.{vlan} type vlan id {vlan}")
        pair.ip(f"addr add 10.{vlan % 250}.0.%/24 dev {TEAM}.{vlan}")
        pair.ip(f"link set {TEAM}.{vlan} up")
    for cable in ("", *CABLES):
        if cable:
            pair.b.ip(f"link set {cable} down")
        for vlan in VLANS:
            pair.comes_through(f"10.{vlan % 250}.0")
        if cable:
            pair.b.ip(f"link set {cable} up")
            for one in (pair.a, pair.b):
                one.becomes(f"ports.{cable}.link_watches.up", "true")


def test_a_vlan_follows_the_teams_carrier_and_mtu(pair: Pair) -> None:
    pair.start(PORTS)
    pair.ip(f"link add link {TEAM} name vlan7 type vlan id 7")
    pair.ip(f"link set {TEAM} mtu 1400")
    wait_for(lambda: pair.a.link("vlan7")["mtu"] == 1400, lambda: "the MTU of the VLAN device")
    pair.ip("link set vlan7 up")
    for cable in CABLES:
        pair.b.ip(f"link set {cable} down")
    wait_for(lambda: "NO-CARRIER" in pair.a.link("vlan7")["flags"], lambda: "the loss of the carrier")


def test_vlan_devices_as_ports(pair: Pair) -> None:
    """Names with a dot, two networks on one cable; one of them joined with the other cable's."""
    for cable in CABLES:
        pair.ip(f"link set {cable} up")
        pair.ip(f"link add link {cable} name {cable}.5 type vlan id 5")
    pair.ip("addr add 10.1.0.%/24 dev eth0")
    pair.start({f"{cable}.5": {} for cable in CABLES})
    pair.ip(f"addr add 10.5.0.%/24 dev {TEAM}")
    pair.comes_through("10.5.0")
    pair.comes_through("10.1.0")
    active = pair.a.item("runner.active_port")
    assert active in {"eth0.5", "eth1.5"}
    assert pair.a.item(f'ports."{active}".link.up') == "true"
    pair.b.ip(f"link set {active.removesuffix('.5')} down")
    pair.comes_through("10.5.0")
    pair.a.becomes("runner.active_port", "eth1.5" if active == "eth0.5" else "eth0.5")
