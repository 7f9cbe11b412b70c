"""``pyteam convert`` and ``team2bond``: files, streams, exit codes; what is converted is tested elsewhere."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import pyteam
from pyteam.cli import pyteam as command
from pyteam.cli.convert import team2bond

Run = Callable[..., tuple[int, str, str]]

NETDEV = "[NetDev]\nName=bond0\nKind=bond\n[Bond]\nMode=802.3ad\nLACPTransmitRate=fast\n"
MEMBER = "[Match]\nName=eth1\n[Network]\nBond=bond0\n"
TEAM = '{"device": "team0", "runner": {"name": "lacp", "fast_rate": true}, "ports": {"eth1": {"weight": 2}}}'


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Exit code, stdout and stderr of a command in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def call(program: str, *words: str) -> tuple[int, str, str]:
        code = team2bond(words) if program == "team2bond" else command.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_a_directory(run: Run) -> None:
    Path("net").mkdir()
    Path("net/b.netdev").write_text(NETDEV)
    Path("net/b.network").write_text(MEMBER)
    Path("net/notes").write_text("of no interest")
    Path("net/b.network~").write_text("of no interest")
    code, out, err = run("pyteam", "convert", "net")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "device": "bond0",
        "runner": {"name": "lacp", "fallback": True, "fast_rate": True},
        "link_watch": {"name": "ethtool"},
        "ports": {"eth1": {}},
    }
    code, out, _ = run(
        "pyteam", "convert", "-t", "iproute2", "--rename", "b1", "net/b.netdev", "net/b.network"
    )
    assert (code, out.splitlines()[0]) == (0, "ip link add b1 type bond mode 802.3ad lacp_rate fast")


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TEAM.encode())))
    code, out, err = run("team2bond", "-")
    assert (code, out.split(" type ")[0]) == (0, "ip link add team0")
    assert err == "team2bond: ports.eth1.weight: no counterpart: bonding gives every member the same share.\n"


def test_several_files(run: Run) -> None:
    Path("t.conf").write_text(TEAM)
    code, out, _ = run("team2bond", "t.conf", "--output", "networkd")
    names = ["30-team0.netdev", "30-team0.network", "30-team0-eth1.network"]
    assert (code, [line[2:] for line in out.splitlines() if line.startswith("#")]) == (0, names)
    Path("out").mkdir()
    assert run("team2bond", "t.conf", "--output", "networkd", "-o", "out")[:2] == (0, "")
    assert {path.name for path in Path("out").iterdir()} == set(names)
    assert Path("out/30-team0-eth1.network").read_text() == "[Match]\nName=eth1\n\n[Network]\nBond=team0\n"
    code, _, err = run("team2bond", "t.conf", "--output", "networkd", "-o", "out")
    assert (code, err.splitlines()[-1]) == (1, "out/30-team0.netdev: File exists.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("team2bond",), "team2bond: no file given."),
        (("team2bond", "nowhere"), "team2bond: nowhere: No such file or directory."),
        (("team2bond", "bytes.conf"), "team2bond: bytes.conf: invalid start byte, not UTF-8, at byte 0."),
        (("team2bond", "bad.conf"), "team2bond: bad.conf: runer: unknown key, ignored."),
        (("team2bond", "bad.conf"), "team2bond: bad.conf: debug_level: "),
        (
            ("team2bond", "t.conf", "--output", "ifupdown"),
            "team2bond: ifupdown: no form to write. Allowed: teamd",
        ),
        (("team2bond", "t.conf", "--rename", "a b"), "team2bond: a b: no interface can have this name."),
        (("team2bond", "--foo"), "team2bond: option --foo not recognized"),
        (
            ("pyteam", "convert", "words"),
            "pyteam convert: words: the name does not say what it is. Give --from",
        ),
        (("pyteam", "convert", "words", "-f", "teamd"), "pyteam convert: words: Failed to parse config: "),
        (("pyteam", "convert", "empty"), "pyteam convert: empty: no file named *.conf or ifcfg-*"),
        (("pyteam", "convert", "t.conf", "t.conf"), "pyteam convert: t.conf: one teamd.conf at a time."),
        (
            ("pyteam", "convert", "-f", "x", "t.conf"),
            "pyteam convert: x: no form to read. Allowed: teamd, ifcfg",
        ),
        (("pyteam", "turn"), 'pyteam: unknown command "turn".'),
        (("pyteam",), "pyteam COMMAND [options]"),
    ],
)
def test_refusals(run: Run, words: tuple[str, ...], said: str) -> None:
    Path("t.conf").write_text(TEAM)
    Path("bad.conf").write_text('{"runer": {}, "debug_level": -1}')
    Path("bytes.conf").write_bytes(b"\xff")
    Path("words").write_text("x")
    Path("empty").mkdir()
    code, _, err = run(*words)
    assert code == 1
    assert said in err


def test_help(run: Run) -> None:
    code, out, err = run("pyteam", "--help")
    assert (code, err) == (0, "")
    assert "    convert " in out
    assert run("pyteam", "--version") == (0, f"pyteam {pyteam.__version__}\n", "")
    code, out, err = run("pyteam", "convert", "--help")
    assert (code, err) == (0, "")
    assert out.startswith("pyteam convert [options] FILE|DIRECTORY|- ...\n    -h --help ")
    assert run("team2bond", "-h")[1].startswith("team2bond [options] FILE|-\n")


def test_without_pyyaml_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    Path("x.yaml").write_text("network: {}")
    code, out, err = run("pyteam", "convert", "x.yaml")
    assert (code, out) == (1, "")
    assert err == "pyteam convert: netplan: needs PyYAML: pip install PyYAML (Debian: python3-yaml)\n"
