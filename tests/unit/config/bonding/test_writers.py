"""What is written for others: as they read it, and nothing that the kernel refuses."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from pyteam.config.bonding import forms
from pyteam.config.bonding.bond import MODES, Bond, Member, Mode, given
from pyteam.config.report import Report
from tests.unit.config.bonding.test_from_team import THERE_AND_BACK

MEMBERS = (Member("eth1", 4), Member("eth2"))
AB = Bond(
    name="bond0",
    address="02:00:00:00:00:01",
    members=(Member("eth1", 4, 7), Member("eth2", 0, 3)),
    mode="active-backup",
    arp_interval=200,
    arp_ip_target=("10.0.0.1", "10.0.0.2"),
    primary="eth1",
    all_slaves_active=True,
)


def written(form: str, bond: Bond) -> tuple[dict[str, str], list[str]]:
    """The texts by name, and the warnings."""
    report = Report("")
    texts = forms.write(form, bond, "", report)
    assert not report.problems
    return {text.name: text.text for text in texts}, report.warnings


def test_iproute2() -> None:
    assert written("iproute2", AB) == (
        {
            "bond0.sh": "ip link add bond0 address 02:00:00:00:00:01 type bond mode active-backup"
            " arp_interval 200 arp_ip_target 10.0.0.1,10.0.0.2 primary eth1 all_slaves_active 1\n"
            "ip link set eth1 down\n"
            "ip link set eth1 master bond0\n"
            "ip link set eth1 type bond_slave queue_id 4 prio 7\n"
            "ip link set eth2 down\n"
            "ip link set eth2 master bond0\n"
            "ip link set eth2 type bond_slave prio 3\n"
            "ip link set bond0 up\n"
        },
        [],
    )


def test_nmcli() -> None:
    texts, warnings = written("nmcli", AB)
    add, *ports, up = (shlex.split(line) for line in texts["bond0.sh"].splitlines())
    assert add[:6] == ["nmcli", "connection", "add", "type", "bond", "con-name"]
    assert add[6:10] == ["bond0", "ifname", "bond0", "bond.options"]
    assert add[10].split(",") == [
        "mode=active-backup",
        "arp_interval=200",
        "arp_ip_target=10.0.0.1 10.0.0.2",
        "primary=eth1",
        "all_slaves_active=1",
    ]
    assert add[11:] == ["802-3-ethernet.cloned-mac-address", "02:00:00:00:00:01"]
    assert [port[-4:] for port in ports] == [
        ["bond-port.queue-id", "4", "bond-port.prio", "7"],
        ["connection.slave-type", "bond", "bond-port.prio", "3"],
    ]
    assert up == ["nmcli", "connection", "up", "bond0"]
    assert warnings == ["prio: NetworkManager 1.42 and older do not know it, and refuse the profile."]


def test_networkd() -> None:
    texts, warnings = written("networkd", AB)
    assert texts == {
        "30-bond0.netdev": "[NetDev]\nName=bond0\nKind=bond\nMACAddress=02:00:00:00:00:01\n\n"
        "[Bond]\nMode=active-backup\nARPIntervalSec=200ms\nARPIPTargets=10.0.0.1 10.0.0.2\n"
        "AllSlavesActive=yes\n",
        "30-bond0.network": "[Match]\nName=bond0\n\n[Network]\nLinkLocalAddressing=ipv6\n",
        "30-bond0-eth1.network": "[Match]\nName=eth1\n\n[Network]\nBond=bond0\nPrimarySlave=yes\n",
        "30-bond0-eth2.network": "[Match]\nName=eth2\n\n[Network]\nBond=bond0\n",
    }
    assert warnings == [
        "eth1: queue_id, prio: left out: systemd-networkd has no keys for them.",
        "eth2: queue_id, prio: left out: systemd-networkd has no keys for them.",
    ]


@pytest.mark.parametrize("options", THERE_AND_BACK)
def test_what_is_written_for_networkd_is_read_again(options: dict[str, Any]) -> None:
    bond = Bond(**{"name": "bond0", "members": (Member("eth1"), Member("eth2")), "miimon": 100, **options})
    report = Report("")
    texts = forms.write("networkd", bond, "", report)
    lost = {line.split(":")[0] for line in report.warnings if ": left out: " in line}
    kept = {name: value for name, value in given(bond).items() if name not in lost}
    assert forms.read("networkd", texts, "", Report("")) == Bond(name="bond0", members=bond.members, **kept)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"mode": "802.3ad", "arp_interval": 100, "miimon": 100}, ["arp_interval"]),
        ({"mode": "active-backup", "arp_interval": 100, "miimon": 100}, ["miimon"]),
        ({"mode": "balance-xor", "lacp_rate": "fast"}, ["lacp_rate"]),
        ({"mode": "802.3ad", "primary": "eth1"}, ["primary"]),
        ({"mode": "active-backup", "primary": "eth9"}, ["primary"]),
        ({"mode": "active-backup", "updelay": 100}, ["updelay"]),
        ({"mode": "active-backup", "miimon": 100, "arp_validate": "all"}, ["arp_validate"]),
    ],
)
@pytest.mark.parametrize("form", forms.WRITABLE[1:])
def test_what_the_kernel_refuses_is_left_out(form: str, options: dict[str, Any], left: list[str]) -> None:
    texts, warnings = written(form, Bond(name="b", members=MEMBERS, **options))
    said = [line for line in warnings if "queue_id" not in line]
    assert [line.split(":")[0] for line in said] == left
    for text in texts.values():
        assert left[0] not in text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("form", forms.WRITABLE)
def test_every_mode_in_every_form(form: str, mode: Mode) -> None:
    texts, warnings = written(form, Bond(name="b", mode=mode, miimon=100, members=(Member("eth1"),)))
    assert form == "teamd" or any(mode in text for text in texts.values())
    assert warnings == [] or (form, mode) == ("teamd", "balance-tlb")


def test_a_bond_that_nobody_has_named() -> None:
    assert "ip link add bond0 type bond" in written("iproute2", Bond())[0]["bond0.sh"]
    assert forms.write("nmcli", Bond(name="b"), "c", Report(""))[0].name == "c.sh"
