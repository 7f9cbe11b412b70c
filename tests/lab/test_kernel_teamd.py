"""teamd on the kernel's driver: its ends and successors, outsiders, and a crowd in a storm."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from lab.bench.storm import storm
from pyteam.netlink.linktable import LinkTable
from pyteam.netlink.monitor import LinkMonitor
from pyteam.netlink.team import TeamFamily, TeamMonitor
from tests.lab.sidebyside import TEAM, TEAMNL, Side, side, wait_for
from tests.netns.anonymous import inside, namespace
from tests.netns.teams import program

STICKY: Final[dict[str, Any]] = {
    "device": TEAM,
    "runner": {"name": "activebackup"},
    "ports": {"eth1": {"prio": 10}, "eth2": {"sticky": True}},
}
#: Seconds in which a driver would have told.
A_MOMENT: Final = 0.3


@contextmanager
def undisturbed(one: Side) -> Iterator[None]:
    """The driver tells of no option and no port meanwhile: none was written. Nor is a link touched."""
    team = one.rtnl.link_by_name(TEAM).ifindex
    with (
        TeamFamily() as family,
        contextlib.closing(TeamMonitor(family, team)) as driver,
        LinkMonitor(one.rtnl) as links,
    ):
        driver.snapshot()
        links.snapshot()
        yield
        time.sleep(A_MOMENT)
        assert driver.receive() == []
        assert links.receive() == []


@pytest.mark.parametrize("contender", ["ours", "auto"])
def test_successors_change_nothing(tmp_path: Path, contender: str) -> None:
    """After ``kill -9``, and after -N; whoever decided anew would choose the better port."""
    with side(contender, tmp_path) as one:
        one.start(["-N"], STICKY)
        one.do("ip link set team0 up", {})
        one.do("ip link set far1 down", {})
        one.comes_to("state.runner.active_port=eth2")
        one.do("ip link set far1 up", {})
        one.comes_to("state.ports.eth1.link_watches.up=true links.team0.carrier=true")
        with undisturbed(one):
            one.daemon.end(signal.SIGKILL)
            one.start(["-N"], STICKY)
        assert "team0 was left by a daemon that died: taking it over.\n" in one.daemon.log
        one.comes_to("state.runner.active_port=eth2 state.setup.datapath=kernel")
        with undisturbed(one):
            assert one.daemon.end() == 0
            one.start(["-o"], STICKY)
        one.comes_to("state.runner.active_port=eth2 state.ports.eth1.link_watches.up=true")
        assert "Changed active port" not in one.daemon.log
        assert "went" not in one.daemon.log
        assert one.daemon.end() == 0
        one.comes_to("links.team0.kind= links.eth1.master= links.eth2.address=02:00:00:00:00:02")


def test_what_others_change_is_put_right_with_a_line_in_the_log(tmp_path: Path) -> None:
    with side("ours", tmp_path) as one:
        one.start([], STICKY)
        one.comes_to("state.runner.active_port=eth1 state.ports.eth2.link_watches.up=true")
        right = one.look()
        for line, told in {
            f"{TEAMNL} -p eth1 {TEAM} setoption enabled false": "set enabled of eth1 to True",
            f"{TEAMNL} -p eth2 {TEAM} setoption user_linkup false": "set user_linkup of eth2 to True",
            "ip link set eth2 address 02:00:00:00:00:99": "set address of eth2 to 02:00:00:00:00:01",
        }.items():
            one.do(line, {})
            text = f"Repairing what was changed from outside: {told}.\n"
            wait_for(lambda text=text: text in one.daemon.log, lambda: one.daemon.log)  # type: ignore[misc]
            one.comes_to("")
            assert one.look() == right


def test_the_program_in_the_background(tmp_path: Path) -> None:
    """As a user starts it: the console script, which finds the driver by itself, and its end."""
    with side("auto", tmp_path) as one:
        done = subprocess.run(
            [*program("teamd"), "-d", "-c", '{"device": "team0", "ports": {"eth1": {}}}'],
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        shown = subprocess.run(
            [*program("teamdctl"), TEAM, "-v", "state"], capture_output=True, text=True, check=True
        ).stdout
        assert "  datapath: kernel\n" in shown
        assert one.rtnl.link_by_name(TEAM).kind == "team"
        subprocess.run([*program("teamd"), "-k", "-t", TEAM], check=True)
        assert one.glance()["links/eth1/master"] == ""


#: Messages between two turns of the loop: at 90 us each on a host they take less than 50 ms.
MOST: Final = 400


def test_sixty_four_ports_in_a_storm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of unrelated events. The loop never goes through many before all others have their turn."""
    turn, longest = 0, 0
    feed = LinkTable.feed

    def counted(table: LinkTable, datagram: bytes) -> None:
        nonlocal turn, longest
        turn += 1
        longest = max(longest, turn)
        feed(table, datagram)

    def next_turn() -> None:
        nonlocal turn
        turn = 0

    monkeypatch.setattr(LinkTable, "feed", counted)
    with namespace() as own, inside(own):
        # Some may be lost on the way to us: then all that there is has been read instead.
        assert storm(tmp_path, next_turn).wrong == ""
    assert 0 < longest < MOST
