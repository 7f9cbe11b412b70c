"""The command line: what each option means, and what is refused with which words."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from pyteam.daemon.arguments import Arguments, UsageError, help_text, parse

MEANINGS = [
    ("", {}),
    ("-h", {"command": "help"}),
    ("--help", {"command": "help"}),
    ("-d", {"daemonize": True}),
    ("--daemonize", {"daemonize": True}),
    ("-k", {"command": "kill"}),
    ("--kill", {"command": "kill"}),
    ("-e", {"command": "check"}),
    ("--check", {"command": "check"}),
    ("-v", {"command": "version"}),
    ("--version", {"command": "version"}),
    ("--check-config", {"command": "check-config"}),
    ("-c {}", {"config_text": "{}"}),
    ("--config={}", {"config_text": "{}"}),
    ("-p x.pid", {"pid_file": "x.pid"}),
    ("--pid-file x.pid", {"pid_file": "x.pid"}),
    ("--run-dir /r", {"run_dir": "/r"}),
    ("-g", {"debug": 1}),
    ("-ggg --debug", {"debug": 4}),
    ("-l stdout", {"log_output": "stdout"}),
    ("--log-output=syslog", {"log_output": "syslog"}),
    ("-r", {"force_recreate": True}),
    ("--force-recreate", {"force_recreate": True}),
    ("-o", {"take_over": True}),
    ("--take-over", {"take_over": True}),
    ("-N", {"no_quit_destroy": True}),
    ("--no-quit-destroy", {"no_quit_destroy": True}),
    ("-t team7", {"team_device": "team7"}),
    ("--team-dev=team7", {"team_device": "team7"}),
    ("-n", {"no_ports": True}),
    ("--no-ports", {"no_ports": True}),
    ("--datapath kernel", {"datapath": "kernel"}),
    ("-u", {"usock": False}),
    ("--usock-disable", {"usock": False}),
    ("-U", {"usock": True}),
    # The last one wins.
    ("-u -U", {"usock": True}),
    ("-U -u", {"usock": False}),
    ("-h -k -e -v", {"command": "version"}),
    ("-v -e -k -h", {"command": "help"}),
    ("-k --check-config", {"command": "check-config"}),
    ("-t a -t b", {"team_device": "b"}),
    # As NetworkManager and SONiC write them.
    (
        "-o -n -U -N -t team0 -gg -c {}",
        {
            "take_over": True,
            "no_ports": True,
            "no_quit_destroy": True,
            "team_device": "team0",
            "debug": 2,
            "config_text": "{}",
        },
    ),
    (
        "-r -t PortChannel1 -c {} -g -d",
        {
            "force_recreate": True,
            "team_device": "PortChannel1",
            "config_text": "{}",
            "debug": 1,
            "daemonize": True,
        },
    ),
    ("--group root", {"group": 0}),
    # Long options may be shortened, as far as they stay clear.
    ("--daem --team=x", {"daemonize": True, "team_device": "x"}),
]


@pytest.mark.parametrize(("line", "meaning"), MEANINGS, ids=lambda value: str(value)[:40])
def test_meaning(line: str, meaning: dict[str, object]) -> None:
    assert parse(line.split()) == Arguments(**meaning)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-D", "D-Bus support is not installed: no Python package dbus-fast (pip install dbus-fast)"),
        ("-Z x", "ZeroMQ support is not installed: no Python package pyzmq (pip install pyzmq)"),
    ],
)
def test_what_is_not_installed_is_named(line: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(line.split())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=re.escape(words)):
        parse(line.split())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("team0", 'Too many arguments: the first is "team0"'),
        ("-h team0", "Too many arguments"),
        ("--frob", "option --frob not recognized (teamd --help lists the options)"),
        ("-x", "option -x not recognized"),
        ("-t", "option -t requires argument"),
        ("--check-conf=1", "option --check-config must not have an argument"),
        ("--no", "option --no not a unique prefix"),
        ("--datapath dpdk", '--datapath: "dpdk" is not one of auto, kernel, ebpf'),
        ("--group no-such-group", '--group: there is no group "no-such-group"'),
        ("-f nowhere/x.conf", 'Failed to get absolute path of "nowhere/x.conf": No such file or directory'),
        ("-c {} -f nowhere/x.conf", 'Failed to get absolute path of "nowhere/x.conf"'),
    ],
)
def test_refused(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(words)}"):
        parse(line.split())


@pytest.mark.parametrize("line", ["-h -D", "-Z x -v", "-h -f nowhere", "-v -l nowhere"])
def test_help_is_given_whatever_else_is_wrong(line: str) -> None:
    assert parse(line.split()).command in ("help", "version")


def test_a_configuration_file_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real.conf").touch()
    (tmp_path / "link.conf").symlink_to("real.conf")
    monkeypatch.chdir(tmp_path)
    assert parse(["-f", "link.conf"]).config_file == str(tmp_path.resolve() / "real.conf")
    assert parse(["-f", "link.conf"]).warnings == ()
    both = parse(["-f", "link.conf", "-c", "{}"])
    assert both.warnings == ("Command line config string is present, ignoring given config file.",)


def test_an_unknown_log_output_is_ignored_with_a_word() -> None:
    arguments = parse(["-l", "journal"])
    assert arguments.log_output is None
    assert arguments.warnings == ('-l: "journal" is not one of stdout, stderr, syslog; ignored.',)


def test_help_names_every_option_and_every_runner() -> None:
    text = help_text("teamd", ["broadcast", "lacp"])
    first, *options, last = text.splitlines()
    assert first == "teamd [options]"
    assert last == "Available runners: broadcast, lacp"
    # Each attribute of the arguments is some option's, and each line shows one.
    shown = re.findall(r"--([a-z-]+)", "\n".join(options))
    assert len(shown) == len(options)
    for line, _ in MEANINGS:
        assert {word[2:].split("=")[0] for word in line.split() if word.startswith("--")} - {
            "daem",
            "team",
        } <= set(shown)


def test_arguments_are_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse([]).debug = 1  # type: ignore[misc]
