"""The same bond in every form; what is wrong in each, with its place; and nonsense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyteam.config import ConfigError, Document
from pyteam.config.bonding import forms
from pyteam.config.bonding.bond import MODES, Bond, Member, options
from pyteam.config.bonding.readers import READERS
from pyteam.config.bonding.texts import Text
from pyteam.config.report import Report
from tests.unit.config.bonding import recorded


def read(form: str, *texts: tuple[str, str], name: str = "") -> Any:
    """The bond or team; nothing may be remarked."""
    report = Report("")
    found = forms.read(form, [Text(*text) for text in texts], name, report)
    assert report.warnings == []
    return found


def problems(form: str, *texts: tuple[str, str], name: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        forms.read(form, [Text(*text) for text in texts], name, Report(""))
    return list(caught.value.problems)


BOND = Bond(
    name="bond0",
    members=(Member("eth1"), Member("eth2")),
    mode="active-backup",
    miimon=100,
    updelay=200,
    primary="eth2",
    primary_reselect="failure",
    fail_over_mac="active",
    num_grat_arp=3,
)

IFCFG = (
    (
        "ifcfg-bond0",
        'DEVICE=bond0\nBONDING_OPTS="mode=1 miimon=100 updelay=200 primary=eth2 primary_reselect=2'
        ' fail_over_mac=active num_unsol_na=3"\n# a comment\nIPADDR=192.0.2.1 # another\n',
    ),
    ("ifcfg-eth1", "MASTER=bond0\nSLAVE=yes\n"),
    ("ifcfg-lan", "export DEVICE='eth2'\nMASTER=\"bond0\"\n"),
    # Of another bond: what is wrong there is of no interest.
    ("ifcfg-eth3", "MASTER=bond7\n[ -e /etc/x ] && . /etc/x\n"),
)
NETWORKD = (
    (
        "30-bond0.netdev",
        "[NetDev]\nName=bond0\nKind=bond\n\n[Bond]\nMode=active-backup\nMIIMonitorSec=0.1\nUpDelaySec=200ms\n"
        "; a comment\nPrimaryReselectPolicy=failure\nFailOverMACPolicy=\\\nactive\nGratuitousARP=3\n"
        "AllSlavesActive=yes\nAllSlavesActive=\n",
    ),
    ("30-a.network", "[Match]\nName=eth1\n[Network]\nBond=bond0\n"),
    ("30-b.network", "[Match]\nName=eth2\n[Network]\nBond=bond0\nPrimarySlave=true\n"),
    ("30-c.network", "[Match]\nName=eth*\n[Network]\nDHCP=yes\n"),
    ("br0.netdev", "[NetDev]\nName=br0\nKind=bridge\n[Bridge]\nSTP=yes\n"),
)
NETPLAN = (
    (
        "01.yaml",
        """
network:
  version: 2
  ethernets:
    eth1: {}
    lan:
      match: {macaddress: "02:00:00:00:00:02"}
      set-name: eth2
  bonds:
    bond0:
      interfaces: [eth1, lan]
      parameters:
        mode: active-backup
        mii-monitor-interval: 100
        up-delay: 200ms
        primary: lan
        primary-reselect-policy: failure
        fail-over-mac-policy: active
        gratuitous-arp: 3
""",
    ),
)
IPROUTE2 = (
    (
        "links.json",
        recorded.links(
            "active-backup",
            {"eth1": {}, "eth2": {}},
            active_slave="eth2",
            miimon=100,
            updelay=200,
            primary="eth2",
            primary_reselect="failure",
            fail_over_mac="active",
            num_peer_notif=3,
        ),
    ),
)


@pytest.mark.parametrize(
    ("form", "texts"),
    [("ifcfg", IFCFG), ("networkd", NETWORKD), ("netplan", NETPLAN), ("iproute2", IPROUTE2)],
)
def test_the_same_bond(form: str, texts: tuple[tuple[str, str], ...]) -> None:
    assert read(form, *texts) == BOND
    assert read(form, *texts, name="bond0") == BOND
    assert forms.guess(f"/some/where/{texts[0][0]}") == form
    (problem,) = problems(form, *texts, name="bond9")
    assert 'no bond named "bond9" there. Found: bond0' in problem


def test_a_bond_that_lives() -> None:
    assert read("iproute2", ("x.json", recorded.active_backup())) == Bond(
        name="bond0",
        members=(Member("eth1", 3, 7), Member("eth2")),
        mode="active-backup",
        arp_interval=100,
        arp_missed_max=3,
        arp_ip_target=("1.1.1.1", "2.2.2.2"),
        ns_ip6_target=("fe80::1", "fe80::2"),
        arp_validate="all",
        arp_all_targets="all",
        primary="eth1",
    )
    assert read("iproute2", ("x.json", recorded.lacp())) == Bond(
        name="bond0",
        members=(Member("eth1"),),
        mode="802.3ad",
        miimon=100,
        xmit_hash_policy="vlan+srcmac",
        all_slaves_active=True,
        lacp_active=False,
        ad_user_port_key=100,
    )


def test_lists_of_addresses() -> None:
    expected = ("10.0.0.1", "10.0.0.2")
    netdev = "[NetDev]\nName=b\nKind=bond\n[Bond]\nARPIPTargets={}\nARPIPTargets=10.0.0.2\n"
    for first, found in (
        ("10.0.0.1", expected),
        ("10.9.9.9\nARPIPTargets=\nARPIPTargets=10.0.0.1", expected),
    ):
        assert read("networkd", ("b.netdev", netdev.format(first))).arp_ip_target == found
    ifcfg = 'BONDING_OPTS="arp_interval=100 arp_ip_target=10.0.0.1 arp_ip_target=+10.0.0.2"'
    assert read("ifcfg", ("ifcfg-b", ifcfg)).arp_ip_target == expected
    netplan = "network: {bonds: {b: {parameters: {arp-ip-targets: [10.0.0.1, 10.0.0.2]}}}}"
    assert read("netplan", ("b.yaml", netplan)).arp_ip_target == expected


def test_times_have_units() -> None:
    netdev = (
        "[NetDev]\nName=b\nKind=bond\n[Bond]\nMIIMonitorSec=1min 2s 30ms\nLearnPacketIntervalSec=3000ms\n"
    )
    bond = read("networkd", ("b.netdev", netdev))
    assert (bond.miimon, bond.lp_interval) == (62030, 3)
    netplan = "network: {bonds: {b: {parameters: {up-delay: 2s, learn-packet-interval: 4}}}}"
    bond = read("netplan", ("b.yaml", netplan))
    assert (bond.updelay, bond.lp_interval) == (2000, 4)


def test_a_team_of_the_network_scripts() -> None:
    team = read(
        "ifcfg",
        ("ifcfg-team0", 'DEVICETYPE=Team\nTEAM_CONFIG=\'{"runner":\n {"name": "activebackup"}}\'\n'),
        ("ifcfg-eth1", 'DEVICETYPE=TeamPort\nTEAM_MASTER=team0\nTEAM_PORT_CONFIG="{\\"prio\\": 5}"\n'),
        ("ifcfg-eth2", "TEAM_MASTER=team0\n"),
    )
    assert isinstance(team, Document)
    assert team.raw == {
        "device": "team0",
        "runner": {"name": "activebackup"},
        "ports": {"eth1": {"prio": 5}, "eth2": {}},
    }


def test_what_is_about_something_else_is_said() -> None:
    report = Report("")
    text = "network: {bonds: {b: {dhcp4: true, addresses: [], optional: true}}}"
    forms.read("netplan", [Text("x.yaml", text)], "", report)
    assert report.warnings == [
        "x.yaml:1: network.bonds.b: left to whatever gives addresses: dhcp4, addresses."
    ]


NETDEV = "[NetDev]\nName=b\nKind=bond\n[Bond]\n"


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        (
            "ifcfg",
            'A=1\nBONDING_OPTS="mode=9"',
            ['ifcfg-b:2: BONDING_OPTS: mode: found "9". Allowed: "balance-rr"'],
        ),
        ("ifcfg", "BONDING_OPTS=mode", ['ifcfg-b:1: BONDING_OPTS: found "mode". Allowed: mode=VALUE.']),
        (
            "ifcfg",
            "BONDING_OPTS='mimon=1 updelay=x'\nmore",
            [
                'ifcfg-b:2: found "more". Allowed: NAME=VALUE',
                'ifcfg-b:1: BONDING_OPTS: unknown: "mimon". Did you mean "miimon"?',
                'ifcfg-b:1: BONDING_OPTS: updelay: found "x". Allowed: an integer from 0 to 2147483647 (ms).',
            ],
        ),
        ("ifcfg", 'BONDING_OPTS="mode=1', ["ifcfg-b:1: BONDING_OPTS: no closing quotation."]),
        (
            "ifcfg",
            "TYPE=Bond\nMACADDR=1:2",
            ['ifcfg-b:2: MACADDR: found "1:2". Allowed: six hexadecimal bytes'],
        ),
        (
            "ifcfg",
            "TYPE=Bond\nDEVICE=a/b",
            ['ifcfg-b:2: DEVICE: found "a/b". Allowed: the name'],
        ),
        ("ifcfg", "TEAM_CONFIG='{'", ["ifcfg-b:1: TEAM_CONFIG: Failed to parse config: "]),
        ("ifcfg", "TEAM_CONFIG='[]'", ['ifcfg-b:1: TEAM_CONFIG: found "[]". Allowed: a JSON object.']),
        ("ifcfg", "TEAM_CONFIG='{\"runner\": 5}'", ["ifcfg-b: runner: found 5. Allowed: an object."]),
        ("networkd", f"{NETDEV}Mode=bad", ['b.netdev:5: [Bond] Mode: found "bad". Allowed: "balance-rr"']),
        (
            "networkd",
            f"{NETDEV}MiMonitorSec=1",
            ['b.netdev:5: [Bond] MiMonitorSec: unknown: "MiMonitorSec". Did'],
        ),
        (
            "networkd",
            f"{NETDEV}UpDelaySec=1x",
            ['b.netdev:5: [Bond] UpDelaySec: found "1x". Allowed: a time'],
        ),
        ("networkd", f"{NETDEV}x", ['b.netdev:5: found "x". Allowed: [Section], then Key=Value.']),
        (
            "networkd",
            "[NetDev]\nKind=bond",
            ['b.netdev: [NetDev] Name: found "". Allowed'],
        ),
        ("networkd", "[NetDev]\nKind=vlan\nName=x", ["b.netdev: no bond there."]),
        ("netplan", "network: [", ["b.yaml:1: no YAML: expected the node content"]),
        (
            "netplan",
            "network:\n  bonds: 5",
            ['b.yaml:2: network.bonds: found "scalar". Allowed: a mapping.'],
        ),
        (
            "netplan",
            "network:\n bonds:\n  b:\n   parameters:\n    mode: 12\n    min-link: 1",
            [
                'b.yaml:6: network.bonds.b.parameters.min-link: unknown: "min-link". Did you mean',
                'b.yaml:5: network.bonds.b.parameters.mode: found "12". Allowed: "balance-rr"',
            ],
        ),
        (
            "netplan",
            "network: {bonds: {'a b': {}}}",
            ['b.yaml:1: network.bonds.a b: found "a b". Allowed'],
        ),
        (
            "netplan",
            "network: {bonds: {b: {interfaces: [[x]]}}}",
            ['interfaces[0]: found "sequence". Allowed: one'],
        ),
        (
            "iproute2",
            "{}",
            ["b.json: found something else. Allowed: an array of objects"],
        ),
        ("iproute2", "[", ["b.json: Failed to parse config: "]),
        (
            "iproute2",
            recorded.links("fast", {"eth1": {"queue_id": -1}}),
            [
                'b.json: bond0: linkinfo.info_data.mode: found "fast". Allowed: "balance-rr"',
                'b.json: eth1: linkinfo.info_slave_data.queue_id: found "-1". Allowed: an integer from 0 to',
            ],
        ),
        ("teamd", '{"runner": 5}', ["b.conf: runner: found 5. Allowed: an object."]),
    ],
)
def test_every_mistake_has_its_place(form: str, text: str, expected: list[str]) -> None:
    found = problems(form, (READERS[form].files[0].replace("*", "b"), text))
    assert len(found) == len(expected), found
    for problem, part in zip(found, expected, strict=True):
        assert part in problem


def test_a_member_that_is_matched_by_something_else() -> None:
    netdev = ("b.netdev", NETDEV)
    (problem,) = problems("networkd", netdev, ("b.network", "[Match]\nName=eth*\n[Network]\nBond=b\n"))
    assert problem.startswith('b.network:2: [Match] Name: found "eth*". Allowed: names of interfaces')
    (problem,) = problems("networkd", netdev, ("b.network", "[Match]\nMACAddress=x\n[Network]\nBond=b\n"))
    assert problem.startswith("b.network:4: [Network] Bond: the file matches by something else.")


def test_which_of_several() -> None:
    two = ("x.yaml", "network: {bonds: {a: {}, b: {}}}")
    assert problems("netplan", two) == ["x.yaml: several bonds there: a, b. Choose one with --name."]
    assert read("netplan", two, name="b") == Bond(name="b")


#: What a text of each form is made of, so that chance gets somewhere.
PIECES = {
    "ifcfg": [
        "BONDING_OPTS=",
        "TYPE=Bond\n",
        "DEVICE=",
        "MASTER=b",
        "TEAM_CONFIG='",
        "'",
        '"',
        "\n",
        *options(),
    ],
    "networkd": ["[NetDev]\n", "[Bond]\n", "[Network]\n", "Kind=bond\n", "Name=b\n", "Bond=b\n", "\\\n"]
    + [f"{option.networkd}=" for option in options().values()],
    "netplan": [
        "network: {bonds: {b: {parameters: {",
        "}}}}",
        "network:\n",
        " bonds:\n",
        "  b:\n",
        "   parameters:\n",
    ]
    + [f"{key}: " for option in options().values() for key in option.netplan],
    "iproute2": ['[{"ifname": "b", "linkinfo": {"info_kind": "bond", "info_data": {', "}}}]", '"mode": ', ","]
    + [f'"{name}": ' for name in options()],
    "teamd": ["{", "}", '"runner": ', '"name": ', '"ports": ', '"lacp"', ","],
}
VALUES = [
    "1",
    "-1",
    "0",
    "=",
    ":",
    "[",
    "{",
    "&a",
    "*a",
    "!!int",
    "10.0.0.1",
    "fe80::1",
    "yes",
    "100ms",
    *MODES,
]


@pytest.mark.parametrize("form", READERS)
@given(data=st.data())
def test_nonsense_is_refused_or_read_never_more(form: str, data: st.DataObject) -> None:
    words = st.sampled_from([*PIECES[form], *VALUES, " ", "\n"]) | st.text(max_size=8)
    suffixes = [pattern.replace("*", "b") for pattern in READERS[form].files]
    texts = [Text(name, "".join(data.draw(st.lists(words, max_size=20)))) for name in suffixes]
    report = Report("")
    try:
        found = forms.read(form, texts, "", report)
    except ConfigError as error:
        refusal = error.problems
    else:
        for to in forms.WRITABLE:
            assert forms.write(to, found, "", Report(""))
        return
    assert refusal
    assert all("\n" not in problem for problem in refusal)
    assert all(any(name in problem for name in suffixes) for problem in refusal)


@pytest.mark.parametrize("form", READERS)
def test_what_nests_without_end_is_refused(form: str) -> None:
    name = READERS[form].files[0].replace("*", "b")
    assert problems(form, (name, "[" * 5_000))
    assert problems(form, (name, '{"a":' * 5_000))
