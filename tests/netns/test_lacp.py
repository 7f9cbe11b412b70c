"""Runner ``lacp`` on real cables: two daemons, and somebody who sends what no partner would."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyteam.client import Client
from pyteam.frames.ethernet import ETH_P_SLOW
from pyteam.frames.lacp import Info, Lacpdu, Marker, State, parse
from tests.lab.pair import End, Pair, pair_of_hosts
from tests.lab.sidebyside import TEAM, wait_for
from tests.netns.anonymous import inside

CABLES = ("eth0", "eth1")
PORTS: dict[str, object] = {cable: {} for cable in CABLES}
STRANGER = b"\2\0\0\0\7\7"
#: Frames a second, and seconds.
STORM = 10_000
STORM_LASTS = 2.0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with pair_of_hosts(tmp_path, "ebpf", CABLES) as made:
        made.start(PORTS, "lacp", fast_rate=True)
        made.ip(f"addr add 10.77.0.%/24 dev {TEAM}")
        for end in (made.a, made.b):
            for cable in CABLES:
                uses(end, cable, True)
        yield made


def uses(end: End, cable: str, so: bool) -> None:
    end.becomes(f"ports.{cable}.runner.distributing", "true" if so else "false")


@contextmanager
def tap(end: End, cable: str) -> Iterator[socket.socket]:
    """What comes in on a cable, and a way to put something into it."""
    with inside(end.netns):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_SLOW))
    with opened:
        opened.bind((cable, ETH_P_SLOW))
        opened.settimeout(3)
        yield opened


def pdu_of(system: bytes) -> Lacpdu:
    state = State.ACTIVITY | State.TIMEOUT | State.AGGREGATION | State.SYNC
    return Lacpdu(Info(1, system, 1, 1, 1, state), Info(0, bytes(6), 0, 0, 0, 0))


def test_two_daemons_use_both_cables_and_one_when_one_is_cut(pair: Pair) -> None:
    pair.comes_through("10.77.0")
    pair.a.ip("link set eth0 down")
    uses(pair.a, "eth0", False)
    uses(pair.b, "eth0", False)
    pair.comes_through("10.77.0")
    assert pair.b.item("ports.eth0.runner.why_not") == "its link is down"
    pair.a.ip("link set eth0 up")
    uses(pair.a, "eth0", True)
    uses(pair.b, "eth0", True)


def test_a_daemon_that_is_killed_and_started_again_is_not_noticed(pair: Pair) -> None:
    states: set[int] = set()
    with tap(pair.b, "eth0") as wire:
        for again in (False, True):
            assert pair.a.daemon is not None
            if again:
                pair.a.daemon.end(signal.SIGKILL)
                pair.a.start(
                    "ebpf", {"device": TEAM, "runner": {"name": "lacp", "fast_rate": True}, "ports": PORTS}
                )
            for _ in range(3):
                seen = parse(wire.recv(2048))
                assert isinstance(seen, Lacpdu)
                states.add(seen.actor.state)
    assert states == {0x3F}
    assert pair.b.item("ports.eth0.runner.distributing") == "true"
    assert pair.b.item("ports.eth0.runner.counters.state_changes") == "2"
    uses(pair.a, "eth0", True)


def test_an_end_is_told_at_once(pair: Pair) -> None:
    assert pair.a.daemon is not None
    start = time.monotonic()
    assert pair.a.daemon.end(signal.SIGTERM) == 0
    uses(pair.b, "eth0", False)
    assert time.monotonic() - start < 2, "it had waited for three LACPDUs"


def test_a_marker_is_answered(pair: Pair) -> None:
    with tap(pair.b, "eth0") as wire:
        body = bytes((2, 1, 1, 16)) + bytes((0, 1)) + STRANGER + (77).to_bytes(4) + bytes(94)
        wire.send(b"\1\x80\xc2\0\0\2" + STRANGER + b"\x88\x09" + body)
        while not isinstance(answer := parse(wire.recv(2048)), Marker):
            pass
    assert (answer.response, answer.system, answer.transaction) == (True, STRANGER, 77)


def test_a_storm_on_one_port_leaves_the_other_alone(pair: Pair) -> None:
    frame = pdu_of(STRANGER).encode(STRANGER)
    before = cpu_of(pair.a)
    with tap(pair.b, "eth0") as wire:
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < STORM_LASTS:
            for _ in range(int(STORM * 0.01)):
                wire.send(frame)
            time.sleep(max(0.0, begin + passed + 0.01 - time.monotonic()))
            assert pair.a.item("ports.eth1.runner.distributing") == "true"
    busy = (cpu_of(pair.a) - before) / (time.monotonic() - begin)
    assert busy < 0.7, f"{busy:.0%} of a core"
    wait_for(
        lambda: int(pair.a.item("ports.eth0.statistics.control_dropped")) > STORM // 10,
        lambda: "frames to be dropped and counted",
    )
    assert pair.a.daemon is not None
    assert pair.a.daemon.log.count("most are dropped") == 1
    uses(pair.a, "eth0", True)


def cpu_of(end: End) -> float:
    """Seconds that its daemon has computed."""
    with Client(TEAM, str(end.directory)) as client:
        pid = client.state_item_get("setup.pid")
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_who_claims_to_be_us_is_named_once_and_changes_nothing(pair: Pair) -> None:
    assert pair.a.daemon is not None
    system = bytes.fromhex(pair.a.item("team_device.ifinfo.dev_addr").replace(":", ""))
    with tap(pair.b, "eth0") as wire:
        for _ in range(5):
            wire.send(pdu_of(system).encode(STRANGER))
    daemon = pair.a.daemon
    wait_for(lambda: "loopbacked" in daemon.log, lambda: f"a word about it in:\n{daemon.log}")
    pair.comes_through("10.77.0")
    for cable in CABLES:
        assert pair.a.item(f"ports.{cable}.runner.counters.state_changes") == "2"
        assert pair.a.item(f"ports.{cable}.runner.distributing") == "true"
    assert daemon.log.count("loopbacked") == 1
