"""The command line of teamnl on a device in memory: outputs, errors and exit codes of the original."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest

from pyteam.cli import teamnl
from pyteam.cli.teamnl_device import Refused
from pyteam.libteam import (
    LinkGone,
    LinkInfo,
    NetlinkError,
    OptionKey,
    OptionState,
    Port,
    PortState,
    Type,
)
from pyteam.libteam.watch import Change

MODE = OptionState(OptionKey("mode"), Type.STRING, "loadbalance")
COUNT = OptionState(OptionKey("notify_peers_count"), Type.U32, 10)
PRIORITY = OptionState(OptionKey("priority", 4), Type.S32, -7)
MAPPING = [
    OptionState(OptionKey("lb_tx_hash_to_port_mapping", array_index=at), Type.U32, at, array=True)
    for at in range(2)
]


class Team:
    """A device with two ports; what is written is kept, or refused."""

    ifindex = 2

    def __init__(self) -> None:
        self.written: list[OptionState] = []
        self.refusal: OSError | None = None
        self.told: list[Sequence[Change]] = []
        self.run_dir: str | None = None

    def links(self) -> list[LinkInfo]:
        return [LinkInfo(2, "team0", bytes(6)), LinkInfo(4, "v0", bytes(6), master=2), LinkInfo(5, "w0")]

    def ports(self) -> list[Port]:
        return [Port(4, "v0", True, 10000, 1), Port(6, "v1", False, 0, 0)]

    def options(self) -> list[OptionState]:
        return [MODE, COUNT, *MAPPING, PRIORITY]

    def write(self, option: OptionState) -> None:
        if self.refusal:
            raise self.refusal
        self.written.append(option)

    def news(self) -> Iterator[Sequence[Change]]:
        yield from self.told
        raise KeyboardInterrupt


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Team:
    made = Team()

    def find(name: str, run_dir: str | None = None) -> AbstractContextManager[Team]:
        made.run_dir = run_dir
        if name != "team0":
            raise NetlinkError(errno.EINVAL if name == "lo" else errno.ENODEV, name)
        return nullcontext(made)

    monkeypatch.setattr(teamnl, "open_device", find)
    return made


Run = pytest.CaptureFixture[str]


def run(capsys: Run, line: str) -> tuple[int, str, str]:
    code = teamnl.main(line.split(" "))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize("line", ["team0 ports", "team0 p", "team0 ", "team0 ports extra"])
def test_ports(team: Team, capsys: Run, line: str) -> None:
    expected = " 6: v1: down 0Mbit HD \n 4: v0: up 10000Mbit FD \n"
    assert run(capsys, line) == (0, expected, "")


def test_options(team: Team, capsys: Run) -> None:
    assert run(capsys, "team0 options") == (
        0,
        " priority (port:v0) -7 \n lb_tx_hash_to_port_mapping (arridx:1) 1 \n"
        " lb_tx_hash_to_port_mapping (arridx:0) 0 \n notify_peers_count 10 \n mode loadbalance \n",
        "",
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("team0 getoption mode", "loadbalance"),
        ("team0 g notify_peers_count", "10"),
        ("-p v0 team0 getoption priority", "-7"),
        ("team0 getoption priority --port_name=v0", "-7"),
        ("team0 getoption lb_tx_hash_to_port_mapping", "0"),
        ("-a 1 team0 getoption lb_tx_hash_to_port_mapping", "1"),
        ("--array_index 1 team0 getoption lb_tx_hash_to_port_mapping extra", "1"),
        ("-j team0 getoption mode", '"loadbalance"'),
    ],
)
def test_getting(team: Team, capsys: Run, line: str, value: str) -> None:
    assert run(capsys, line) == (0, f"{value}\n", "")


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("team0 setoption mode random", OptionState(MODE.key, Type.STRING, "random")),
        ("-p v0 team0 setoption priority -- -12", OptionState(PRIORITY.key, Type.S32, -12)),
        (
            "-a 1 team0 s lb_tx_hash_to_port_mapping 6",
            OptionState(OptionKey("lb_tx_hash_to_port_mapping", array_index=1), Type.U32, 6, array=True),
        ),
    ],
)
def test_setting(team: Team, capsys: Run, line: str, option: OptionState) -> None:
    assert run(capsys, line) == (0, "", "")
    assert team.written == [option]


@pytest.mark.parametrize("words", ["--run-dir /run/x", "--run-dir=/run/x"])
def test_where_the_daemon_is(team: Team, capsys: Run, words: str) -> None:
    assert run(capsys, f"{words} team0 ports")[0] == 0
    assert team.run_dir == "/run/x"
    run(capsys, "team0 ports")
    assert team.run_dir is None


ENOENT, EINVAL = "No such file or directory", "Invalid argument"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("team0 getoption nope", f"Command failed: {ENOENT}"),
        ("team0 getoption priority", f"Command failed: {ENOENT}"),
        ("-p v0 -a 1 team0 getoption priority", f"Command failed: {ENOENT}"),
        ("-a 2 team0 getoption lb_tx_hash_to_port_mapping", f"Command failed: {ENOENT}"),
        ("team0 setoption nope 1", f"Command failed: {ENOENT}"),
        ("team0 setoption notify_peers_count x", f"Command failed: {EINVAL}"),
        (
            "team0 setoption notify_peers_count 4294967296",
            "Command failed: Numerical result out of range",
        ),
        (
            "team0 getoption",
            f"getoption: Option name as a command line parameter expected.\nCommand failed: {EINVAL}",
        ),
        (
            "team0 setoption mode",
            f"setoption: Option value as a command line parameter expected.\nCommand failed: {EINVAL}",
        ),
        ("team0 monitor bad", f'Unknown monitor style "bad"\nCommand failed: {EINVAL}'),
        ("-a x team0 ports", f"Failed to parse array index.\nCommand failed: {EINVAL}"),
        (
            "-a 99999999999 team0 ports",
            "Array index too big.\nCommand failed: Numerical result out of range",
        ),
        ("-p w0 team0 ports", 'Netdevice "w0" is not port of this team.\nCommand failed: No such device'),
        ("-p zz team0 ports", 'Netdevice "zz" not found.\nCommand failed: No such device'),
        ("nodev ports", 'Netdevice "nodev" not found.\nCommand failed: No such device'),
        ("lo ports", f"Team init failed.\nCommand failed: {EINVAL}"),
    ],
)
def test_errors(team: Team, capsys: Run, line: str, error: str) -> None:
    assert run(capsys, line) == (1, "", f"{error}\n")


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (NetlinkError(errno.EBUSY, "cannot set"), "Command failed: Device or resource busy\n"),
        (
            Refused(errno.EBUSY, "a daemon owns it"),
            "a daemon owns it\nCommand failed: Device or resource busy\n",
        ),
    ],
)
def test_refusals(team: Team, capsys: Run, refusal: OSError, error: str) -> None:
    team.refusal = refusal
    assert run(capsys, "team0 setoption mode random") == (1, "", error)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("team0", "No command specified."),
        ("team0 bogus", 'Unknown command "bogus".'),
        ("nodev bogus", 'Unknown command "bogus".'),
        ("-7 team0 ports", "teamnl: option -7 not recognized\nunknown option."),
        ("-p", "teamnl: option -p requires argument\nunknown option."),
    ],
)
def test_misuse_shows_the_help(team: Team, capsys: Run, line: str, error: str) -> None:
    assert run(capsys, line) == (1, teamnl.help_text(), f"{error}\n")


def test_help(team: Team, capsys: Run) -> None:
    assert run(capsys, "-h") == (0, teamnl.help_text(), "")
    assert teamnl.main([]) == 1
    assert "No team device specified." in capsys.readouterr().err


def test_json(team: Team, capsys: Run) -> None:
    _, out, _ = run(capsys, "-j team0 ports")
    assert json.loads(out)[1] == {
        "ifindex": 4,
        "name": "v0",
        "link_up": True,
        "speed": 10000,
        "duplex": "full",
    }
    _, out, _ = run(capsys, "--json team0 options")
    assert {"name": "priority", "type": "s32", "port": "v0", "value": -7} in json.loads(out)


CHANGES: list[Sequence[Change]] = [
    [],
    [PortState(4, link_up=False), OptionState(PRIORITY.key, Type.S32, 12)],
    [LinkInfo(4, "v0", bytes(6), master=0), LinkInfo(5, "w1")],
    [PortState(4, removed=True), OptionState(PRIORITY.key, Type.S32, 12, removed=True), LinkGone(4)],
]


def test_monitor_shows_what_changed(team: Team, capsys: Run) -> None:
    team.told = CHANGES
    assert run(capsys, "team0 monitor") == (
        0,
        "ports:\n  *4: v0: down 0Mbit HD \noptions:\n  *priority (port:v0) 12 changed\n"
        "ifinfos:\n  *4: v0: 00:00:00:00:00:00: *0 \n"
        "ports:\n  -4: v0: down 0Mbit HD \n",
        "",
    )


def test_monitor_tells_of_interfaces_what_their_line_shows(team: Team, capsys: Run) -> None:
    v0 = team.links()[1]
    renamed = replace(v0, name="x0", mtu=1400)
    team.told = [[replace(v0, mtu=1400)], [replace(v0, mtu=1400, carrier_on=True)], [renamed]]
    _, out, _ = run(capsys, "team0 monitor")
    assert out == "ifinfos:\n  *4: *x0: 00:00:00:00:00:00: 2 \n"


def test_monitor_shows_all(team: Team, capsys: Run) -> None:
    team.told = CHANGES[1:2]
    _, out, _ = run(capsys, "team0 monitor all")
    assert "ports:\n   6: v1: down 0Mbit HD \n  *4: v0: down 0Mbit HD \noptions:\n" in out
    assert "\n   mode loadbalance\n" in out
    assert "\n  *priority (port:v0) 12 changed\n" in out


def test_monitor_in_json(team: Team, capsys: Run) -> None:
    team.told = CHANGES
    _, out, _ = run(capsys, "-j team0 monitor")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == [
        "port",
        "option",
        "link",
        "link",
        "port",
        "option",
        "link",
    ]
    assert [event["removed"] for event in events] == [False] * 4 + [True] * 3
