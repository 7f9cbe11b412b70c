"""bond2team: beside the original, over a table of options; its files; its refusals."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyteam.cli.bond2team import main
from pyteam.config import Document

ORIGINAL = "/usr/bin/bond2team"
DIFFERENCES = Path(__file__).parents[3] / "docs/differences.md"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bond2team(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, stdout and stderr of the command in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def write_ifcfg(options: str) -> None:
    """The files of a bond with two ports, and one of somebody else."""
    Path("cfg").mkdir()
    Path("cfg/ifcfg-bond0").write_text(
        f'DEVICE=bond0\nTYPE=Bond\nBONDING_MASTER=yes\nBONDING_OPTS="{options}"\nIPADDR=192.0.2.1\nONBOOT=yes\n'
    )
    for port in ("eth1", "eth2"):
        Path(f"cfg/ifcfg-{port}").write_text(
            f"DEVICE={port}\nMASTER=bond0\nSLAVE=yes\nTYPE=Ethernet\nONBOOT=yes\n"
        )
    Path("cfg/ifcfg-lo").write_text("DEVICE=lo\n[ -n x ] && true\n")


def sections(out: str) -> dict[str, str]:
    """What stands between the lines that both print around each file."""
    found = re.findall(
        r"^---8<--- (.*) ---8<---\n(.*?)^---8<--- \1 ---8<---\n", out, re.DOTALL | re.MULTILINE
    )
    return dict(found)


def team_of(files: dict[str, str]) -> dict[str, Any]:
    """The configuration that ifcfg files are, as it was meant."""
    values = {
        name: dict(re.findall(r"^(\w+)=[\"']?(.*?)[\"']?$", text, re.MULTILINE))
        for name, text in files.items()
    }
    tree: dict[str, Any] = json.loads(values["ifcfg-bond0"]["TEAM_CONFIG"])
    tree["ports"] = {
        name.removeprefix("ifcfg-"): json.loads(said.get("TEAM_PORT_CONFIG", "{}"))
        for name, said in values.items()
        if said["DEVICETYPE"] == "TeamPort"
    }
    return tree


def booleans(tree: dict[str, Any]) -> None:
    """Integers of the original that are meant as booleans."""
    for section, key in (
        ("runner", "fast_rate"),
        *(("link_watch", f"validate_{k}active") for k in ("", "in")),
    ):
        if key in tree[section]:
            tree[section][key] = bool(tree[section][key])


def no_prio(tree: dict[str, Any]) -> None:
    for port in tree["ports"].values():
        del port["prio"]


def no_sticky(tree: dict[str, Any]) -> None:
    for port in tree["ports"].values():
        port.pop("sticky", None)


def sticky(tree: dict[str, Any]) -> None:
    for port in tree["ports"].values():
        port["sticky"] = True


def missed_max(tree: dict[str, Any]) -> None:
    tree["link_watch"]["missed_max"] = 2


def send_always(tree: dict[str, Any]) -> None:
    tree["link_watch"]["send_always"] = True


def tx_balancer(tree: dict[str, Any]) -> None:
    tree["runner"]["tx_balancer"] = {"name": "basic"}


def fallback(tree: dict[str, Any]) -> None:
    tree["runner"]["fallback"] = True


def not_of_the_mode(tree: dict[str, Any]) -> None:
    for key in ("min_ports", "fast_rate", "tx_hash", "hwaddr_policy"):
        tree["runner"].pop(key, None)


def drop_watch(tree: dict[str, Any]) -> None:
    tree["link_watch"] = {"name": "ethtool"}


#: By what docs/differences.md says of it: how the original's answer becomes ours.
NAMED: dict[Callable[[dict[str, Any]], None], str] = {
    booleans: "`bond2team`: `fast_rate`, `validate_active`, `validate_inactive`",
    no_prio: "`bond2team`: no `primary`",
    no_sticky: "`bond2team`: `primary_reselect` `always`",
    sticky: "`bond2team`: `primary_reselect` `failure`",
    missed_max: "`bond2team`: `arp_interval` without `arp_missed_max`",
    send_always: "`bond2team`: `arp_validate` `backup`, `all`",
    tx_balancer: "`bond2team`: `balance-tlb`",
    fallback: "`bond2team`: `802.3ad`",
    not_of_the_mode: "`bond2team`: options that bonding does not heed",
    drop_watch: "`bond2team`: `arp_interval` where bonding does not heed it",
}
ARP = "arp_interval=100 arp_ip_target=10.0.0.1"


@pytest.mark.needs(ORIGINAL)
@pytest.mark.parametrize(
    ("options", "differences"),
    [
        ("mode=0", [no_prio]),
        ("mode=balance-rr miimon=100", [no_prio]),
        ("mode=1 miimon=100", [no_prio]),
        ("mode=active-backup miimon=0", [no_prio]),
        ("mode=2", [no_prio]),
        ("mode=balance-xor xmit_hash_policy=layer2", [no_prio]),
        ("mode=3 miimon=100", [no_prio]),
        ("mode=broadcast", [no_prio]),
        ("mode=4", [no_prio, fallback]),
        ("mode=5", [no_prio, tx_balancer]),
        ("mode=balance-tlb miimon=100", [no_prio, tx_balancer]),
        ("mode=4 xmit_hash_policy=layer2+3 miimon=100 updelay=200 downdelay=300", [no_prio, fallback]),
        ("mode=802.3ad xmit_hash_policy=layer3+4", [no_prio, fallback]),
        ("mode=4 ad_select=stable", [no_prio, fallback]),
        ("mode=4 ad_select=0", [no_prio, fallback]),
        ("mode=4 ad_select=bandwidth", [no_prio, fallback]),
        ("mode=4 ad_select=2 min_links=2", [no_prio, fallback]),
        ("mode=4 lacp_rate=fast", [no_prio, fallback, booleans]),
        ("mode=4 lacp_rate=1 miimon=100", [no_prio, fallback, booleans]),
        ("mode=4 lacp_rate=slow", [no_prio, fallback, booleans]),
        ("mode=1 fail_over_mac=0", [no_prio]),
        ("mode=1 fail_over_mac=active", [no_prio]),
        ("mode=1 fail_over_mac=2", [no_prio]),
        ("mode=1 miimon=100 primary=eth1", []),
        ("mode=1 miimon=100 primary=eth2 primary_reselect=better", []),
        ("mode=1 miimon=100 primary=eth1 primary_reselect=always", [no_sticky]),
        ("mode=1 miimon=100 primary=eth1 primary_reselect=0", [no_sticky]),
        ("mode=1 miimon=100 primary=eth2 primary_reselect=failure", [sticky]),
        ("mode=1 miimon=100 primary=eth9", [no_prio]),
        ("mode=1 miimon=100 use_carrier=1 max_bonds=1 active_slave=eth1", [no_prio]),
        (f"mode=1 {ARP}", [no_prio, missed_max]),
        (f"mode=1 {ARP} arp_validate=none", [no_prio, missed_max]),
        (f"mode=1 {ARP} arp_validate=active", [no_prio, missed_max, booleans]),
        (f"mode=1 {ARP} arp_validate=backup", [no_prio, missed_max, booleans, send_always]),
        (f"mode=1 {ARP} arp_validate=3", [no_prio, missed_max, booleans, send_always]),
        (f"mode=2 {ARP}", [no_prio, missed_max]),
        ("mode=0 min_links=2 lacp_rate=fast", [no_prio, not_of_the_mode]),
        ("mode=3 xmit_hash_policy=layer2", [no_prio, not_of_the_mode]),
        ("mode=2 fail_over_mac=1", [no_prio, not_of_the_mode]),
        (f"mode=4 {ARP}", [no_prio, fallback, drop_watch]),
    ],
)
def test_beside_the_original(
    bond2team: Run, options: str, differences: list[Callable[[dict[str, Any]], None]]
) -> None:
    write_ifcfg(options)
    words = ("--master", "bond0", "--configdir", "cfg", "--stdout")
    theirs = subprocess.run([ORIGINAL, *words], capture_output=True, text=True, check=True).stdout
    code, out, _ = bond2team(*words)
    assert code == 0
    expected = team_of(sections(theirs))
    for differ in differences:
        before = json.dumps(expected)
        differ(expected)
        assert json.dumps(expected) != before, f"{differ.__name__} is no difference here"
    assert team_of(sections(out)) == expected
    # Everything else of the files, line by line.
    for name, text in sections(theirs).items():
        kept = [line for line in text.splitlines() if not line.startswith("TEAM_")]
        assert [line for line in sections(out)[name].splitlines() if not line.startswith("TEAM_")] == kept
    # And as a teamd.conf.
    code, out, _ = bond2team(*words, "--json")
    document = Document.parse(sections(out)["teamd.conf"])
    assert document.warnings == ()
    assert document.raw == {"device": "bond0", **expected}


@pytest.mark.needs(ORIGINAL)
@pytest.mark.parametrize("options", ["mode=7", "mode=1 foo=1", "mode=1 arp_validate=x", "mode=4 ad_select=9"])
def test_what_both_refuse(bond2team: Run, options: str) -> None:
    write_ifcfg(options)
    words = ("--master", "bond0", "--configdir", "cfg", "--stdout")
    assert subprocess.run([ORIGINAL, *words], capture_output=True, check=False).returncode == 1
    code, out, err = bond2team(*words)
    assert (code, out) == (1, "")
    assert err.startswith("ERROR:  cfg/ifcfg-bond0:4: BONDING_OPTS: ")


@pytest.mark.needs(ORIGINAL)
@pytest.mark.parametrize(
    "options",
    [
        "mode=6",
        "mode=1 fail_over_mac=none",
        "mode=4 xmit_hash_policy=encap2+3",
        "mode=4 xmit_hash_policy=1",
        "mode=1 all_slaves_active=1",
        "mode=1 num_grat_arp=3",
        "mode=1 resend_igmp=3",
        "mode=4 ad_actor_sys_prio=5",
        "mode=1 arp_interval=100 arp_ip_target=10.0.0.1,10.0.0.2",
    ],
)
def test_what_only_the_original_refuses(bond2team: Run, options: str) -> None:
    write_ifcfg(options)
    words = ("--master", "bond0", "--configdir", "cfg", "--stdout", "--json")
    assert subprocess.run([ORIGINAL, *words], capture_output=True, check=False).returncode == 1
    code, out, _ = bond2team(*words)
    assert code == 0
    assert Document.parse(sections(out)["teamd.conf"]).warnings == ()


@pytest.mark.parametrize("text", NAMED.values())
def test_every_difference_is_documented(text: str) -> None:
    assert f"| {text}" in DIFFERENCES.read_text()


def test_without_any_file(bond2team: Run) -> None:
    options = ("--bonding_opts", "mode=1 miimon=100 primary=eth2", "--stdout")
    code, out, err = bond2team(*options, "--port", "eth1", "--port", "eth2", "--json")
    assert (code, err) == (0, "")
    assert json.loads(sections(out)["teamd.conf"]) == {
        "device": "team0",
        "runner": {"name": "activebackup"},
        "link_watch": {"name": "ethtool"},
        "ports": {"eth1": {"prio": -100}, "eth2": {"prio": -10}},
    }
    code, out, err = bond2team(*options, "--master", "bond7", "--configdir", "nowhere", "--port", "eth1")
    assert code == 0
    assert sections(out)["ifcfg-bond7"].startswith('DEVICE=bond7\nDEVICETYPE="Team"\nTEAM_CONFIG=\'{')
    assert "WARNING:  --port counts with --json only" in err


def test_files(bond2team: Run, tmp_path: Path) -> None:
    write_ifcfg("mode=1 miimon=100 primary=eth1")
    # The original takes it for eth1's.
    Path("cfg/ifcfg-eth1.bak").write_text("DEVICE=eth1\nMASTER=bond0\nONBOOT=no\n")
    Path("out").mkdir()
    words = ("--master", "cfg/ifcfg-bond0", "--configdir", "cfg", "--rename", "team0")
    assert bond2team(*words, "--outputdir", "out") == (0, "", "")
    assert sorted(path.name for path in Path("out").iterdir()) == ["ifcfg-eth1", "ifcfg-eth2", "ifcfg-team0"]
    assert Path("out/ifcfg-eth1").read_text().splitlines() == [
        "DEVICE=eth1",
        "ONBOOT=yes",
        'DEVICETYPE="TeamPort"',
        'TEAM_MASTER="team0"',
        "TEAM_PORT_CONFIG='{\"prio\": -10}'",
    ]
    # Where the original forgets the directory, and the new name.
    assert bond2team(*words, "--outputdir", "out", "--json") == (0, "", "")
    assert json.loads(Path("out/teamd.conf").read_text())["device"] == "team0"


def test_files_in_a_new_directory(bond2team: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, _ = bond2team("--bonding_opts", "mode=1", "--json")
    assert code == 0
    title, path = out.split("\n  ")
    assert title == "\nResulted files:"
    assert Path(path.strip()).name == "teamd.conf"
    assert Path(path.strip()).parent.name.startswith("bond2team.")
    assert Document.parse(Path(path.strip()).read_text()).warnings == ()


def test_messages(bond2team: Run) -> None:
    words = ("--bonding_opts", "mode=1 max_bonds=2", "--json", "--stdout")
    assert bond2team(*words)[2].startswith("WARNING:  max_bonds: 2: no counterpart: ")
    assert bond2team(*words, "--quiet")[2] == ""
    write_ifcfg("mode=1")
    said = bond2team("--master", "bond0", "--configdir", "cfg", "--stdout", "--debug")[2]
    assert said.startswith("DEBUG:  read cfg/ifcfg-bond0\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "ERROR:  give --master or --bonding_opts"),
        (("--master", "bond7", "--configdir", "cfg"), "ERROR:  Can't find ifcfg file for bond7"),
        (("--bonding_opts", "mode=1", "--outputdir", "nowhere"), "ERROR:  no such directory: nowhere"),
        (("--bonding_opts", "mode=1", "--rename", "a/b"), 'ERROR:  --rename: found "a/b". Allowed: the name'),
        (
            ("--bonding_opts", "mode=1", "--json", "--port", ".."),
            'ERROR:  --port: found "..". Allowed: the name',
        ),
        (("--bonding_opts", "mode=1 mode"), 'ERROR:  --bonding_opts: found "mode". Allowed: mode=VALUE.'),
        (("--foo",), "bond2team: option --foo not recognized"),
        (("--bonding_opts", "mode=1", "more"), "ERROR:  unknown parameter: more"),
    ],
)
def test_refusals(bond2team: Run, words: tuple[str, ...], said: str) -> None:
    code, out, err = bond2team(*words)
    assert code == 1
    assert said in err
    assert out == "" or out.startswith("bond2team [options]\n")


def test_a_team_is_no_bond(bond2team: Run) -> None:
    Path("ifcfg-team0").write_text("DEVICETYPE=Team\nTEAM_CONFIG='{}'\n")
    code, _, err = bond2team("--master", "ifcfg-team0", "--configdir", ".")
    assert (code, err) == (1, "ERROR:  ifcfg-team0: it is a team already.\n")


def test_help(bond2team: Run) -> None:
    assert bond2team("--version") == (0, "0.97\n", "")
    assert bond2team("--help")[1].startswith("bond2team [options]\n")
    code, out, err = bond2team("--examples")
    assert (code, err) == (0, "")
    assert "bond2team --bonding_opts" in out


def test_values_over_several_lines_and_quotes(bond2team: Run) -> None:
    Path("cfg").mkdir()
    Path("cfg/ifcfg-bond0").write_text('BONDING_OPTS="mode=1\n miimon=100"\nNAME="it\'s mine"\n# MASTER=x\n')
    Path("cfg/ifcfg-a").write_text('DEVICE="a\'b"\nMASTER=bond0\n')
    code, out, _ = bond2team("--master", "bond0", "--configdir", "cfg", "--stdout")
    assert code == 0
    bond, port = sections(out).values()
    assert bond.splitlines()[:3] == ["DEVICE=bond0", 'NAME="it\'s mine"', "# MASTER=x"]
    assert (
        subprocess.run(
            ["sh", "-c", f"{port}\necho $TEAM_MASTER $DEVICE"], capture_output=True, text=True, check=True
        ).stdout
        == "bond0 a'b\n"
    )
