"""What `Team` refuses, asks for and shows, without any datapath."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from time import perf_counter

import pytest

from pyteam.config import (
    ActiveBackupRunner,
    BasicRunner,
    Burst,
    LacpRunner,
    PortConfig,
    TeamConfig,
    TipcWatch,
)
from pyteam.config.values import RunnerConfig
from pyteam.engine.desired import Actual
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.events import LinkSeen, PortConfigured, TimePassed
from pyteam.engine.linkwatch import LINK_WATCHES
from pyteam.engine.runners import RUNNERS
from pyteam.engine.team import Team
from pyteam.errors import PyteamError
from pyteam.link import Link

TEAM = 1
WATCH = TipcWatch(tipc_bearer="x")


def link(ifindex: int, name: str, *, member: bool = False) -> Link:
    address = bytes((2, 0, 0, 0, 0, ifindex))
    return Link(ifindex, name, address, address, up=member, carrier=member, speed=1000, member=member)


def running(config: TeamConfig, *links: Link) -> Team:
    team = Team(config, TEAM)
    for seen in links:
        team.handle(0.0, LinkSeen(seen))
    team.handle(0.0, TimePassed())
    return team


def test_runners_that_cannot_be_run_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RUNNERS, "lacp")
    with pytest.raises(UnsupportedError, match='runner "lacp" is not implemented yet') as error:
        Team(TeamConfig(runner=LacpRunner()), TEAM)
    assert isinstance(error.value, PyteamError)
    assert "\n" not in str(error.value)


def test_watches_that_cannot_be_run_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LINK_WATCHES, "tipc")
    for config in (
        TeamConfig(link_watch=(WATCH,)),
        TeamConfig(ports={"a": PortConfig(link_watch=(WATCH,))}),
    ):
        with pytest.raises(UnsupportedError, match='link_watch "tipc" is not implemented yet'):
            Team(config, TEAM)


def test_a_port_configuration_that_cannot_be_run_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(LINK_WATCHES, "tipc")
    team = running(
        TeamConfig(runner=ActiveBackupRunner(), ports={"a": PortConfig(prio=3)}), link(5, "a", member=True)
    )
    before = team.desired, team.snapshot()
    with pytest.raises(UnsupportedError):
        team.handle(1.0, PortConfigured("a", PortConfig(prio=9, link_watch=(WATCH,))))
    team.handle(1.0, LinkSeen(link(5, "a", member=True)))
    assert (team.desired, team.snapshot()) == before


def test_it_asks_to_be_started_at_once_and_then_sleeps() -> None:
    team = Team(TeamConfig(ports={"a": PortConfig()}), TEAM)
    assert team.next_timeout() == 0.0
    outcome = team.handle(7.0, TimePassed())
    assert [(message.level, message.text) for message in outcome.messages] == [
        ("warning", "a: Skipped adding a missing port.")
    ]
    assert team.next_timeout() is None
    assert team.handle(8.0, TimePassed()).messages == ()


def test_before_it_is_started_nothing_is_to_be_done() -> None:
    adopted = Actual(TEAM, members=frozenset({5, 6}))
    team = Team(TeamConfig(), TEAM, adopted=adopted)
    outcome = team.handle(0.0, LinkSeen(link(5, "a", member=True)))
    assert (outcome.compare, outcome.desired.members) == (False, adopted.members)


@pytest.mark.parametrize(
    ("runner", "burst", "options"),
    [
        (BasicRunner(), Burst(), {}),
        (BasicRunner(), Burst(count=2), {"count": 2}),
        (ActiveBackupRunner(), Burst(), {"count": 1}),
        (ActiveBackupRunner(), Burst(count=0, interval=50), {"count": 0, "interval": 50}),
    ],
)
def test_announcements_are_wanted_where_configured(
    runner: RunnerConfig, burst: Burst, options: dict[str, int]
) -> None:
    desired = running(TeamConfig(runner=runner, notify_peers=burst, mcast_rejoin=burst)).desired
    for name in ("notify_peers", "mcast_rejoin"):
        prefix = f"{name}_"
        wanted = {key.name: value for key, value in desired.options.items() if key.name.startswith(prefix)}
        assert wanted == {f"{prefix}{key}": value for key, value in options.items()}


def test_the_snapshot_shows_present_ports_whole() -> None:
    config = TeamConfig(runner=ActiveBackupRunner(), ports={"a": PortConfig(), "b": PortConfig()})
    team = running(config, link(TEAM, "team0"), link(5, "a", member=True), link(6, "b"))
    shown = team.snapshot()
    assert (shown.runner_name, shown.mode, shown.runner) == (
        "activebackup",
        "activebackup",
        {"active_port": "a"},
    )
    (port,) = shown.ports
    assert (port.link.name, port.up, port.link.usable) == ("a", True, True)
    (watch,) = port.watches
    assert asdict(watch) == {
        "name": "ethtool",
        "up": True,
        "down_count": 0,
        "settings": {"delay_up": 0, "delay_down": 0},
    }


def test_history_is_plain_data() -> None:
    config = TeamConfig(runner=ActiveBackupRunner(), ports={"a": PortConfig()})
    saved = running(config, link(5, "a", member=True)).save()
    assert json.loads(json.dumps(asdict(saved))) == {
        "active_port": "a",
        "runner": {},
        "watches": {"a": [{"name": "ethtool", "up": True, "down_count": 0}]},
    }


def test_unrelated_links_cost_no_more_on_a_busy_host() -> None:
    def cost(bystanders: int) -> float:
        config = TeamConfig(ports={f"p{number}": PortConfig() for number in range(32)})
        ports = [link(number + 10, f"p{number}", member=True) for number in range(32)]
        others = [link(number % 200 + 50, f"x{number}") for number in range(bystanders)]
        team = running(config, *ports, *others)
        stranger = LinkSeen(link(45, "docker0"))
        start = perf_counter()
        for _ in range(2000):
            team.handle(1.0, stranger)
        return perf_counter() - start

    # Had it looked at all interfaces, it would be a hundred times.
    assert min(cost(5000) for _ in range(3)) < 10 * min(cost(10) for _ in range(3))


def test_a_port_seen_as_it_was_is_compared_but_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    a = link(10, "a", member=True)
    team = running(TeamConfig(ports={"a": PortConfig()}), link(TEAM, "team0"), a)
    monkeypatch.setattr(team, "_decide", None)
    assert not team.handle(1.0, LinkSeen(a)).compare
    # The same news twice, and still another MAC than the team's: the first repair may have failed.
    assert team.desired.addresses[10] == a.address
    monkeypatch.undo()
    moved = replace(a, address=bytes(6))
    for _ in range(2):
        assert team.handle(1.0, LinkSeen(moved)).compare
