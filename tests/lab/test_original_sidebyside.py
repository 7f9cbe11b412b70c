"""Scenarios, each gone through with the original and with ours: after every step the same picture, but
for what is meant to differ (`tests.lab.original`), and in the end the same log.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from tests.lab.original import INTENDED, gone_through, met, unexplained
from tests.lab.sidebyside import PAUSE, Picture, Side, side

Step = tuple[str, str]
Passed = tuple[Picture, list[str]]

DOCUMENT: Final = Path(__file__).parents[2] / "docs/differences.md"

pytestmark = pytest.mark.needs("/usr/bin/teamd", "/usr/bin/teamnl")

#: Seconds in which ours has to come to what the original has come to.
SOON: Final = 5.0


@dataclass(frozen=True)
class Scenario:
    """``ports``: of the configuration; ``config``: more of it; ``words``: for the first teamd.

    ``steps``: what is done (`Side.do`), and what both must come to (`Side.comes_to`). In the end teamd is
    told to stop, and what is left is looked at, too. ``until``: what both must come to at the start.
    """

    ports: dict[str, Any]
    steps: tuple[tuple[str, str], ...]
    words: str = ""
    until: str = ""
    config: dict[str, Any] = field(default_factory=dict)


def policy(name: str) -> Scenario:
    return Scenario(
        TWO,
        (
            ("ip link set far1 down", "state.runner.active_port=eth2"),
            ("ip link set far1 up", "state.runner.active_port=eth1"),
            ("ip link set team0 address 02:00:00:00:00:aa", "links.team0.address=02:00:00:00:00:aa"),
            ("ip link set eth1 address 02:00:00:00:00:bb", ""),
            ("ip link set eth2 address 02:00:00:00:00:cc", ""),
            ("ip link set far1 down", "state.runner.active_port=eth2"),
            ("port add eth3", "state.ports.eth3.link_watches.up=true"),
        ),
        config={"runner": {"name": "activebackup", "hwaddr_policy": name}},
    )


TWO: Final[dict[str, Any]] = {"eth1": {"prio": 10}, "eth2": {"prio": 5}}
DELETED: Final = ("ip link delete team0", "links.team0.address= state.setup.pid=")
DELAYED: Final = {"prio": 30, "link_watch": {"name": "ethtool", "delay_down": 9}}
ALONE: Final = "state.ports.eth1= state.ports.eth2= state.ports.eth3="

#: Of the others, the original's runners differ only in the kernel's mode: one long way for each.
LIFE: Final = Scenario(
    TWO,
    (
        ("ip link set team0 up", "links.team0.carrier=true"),
        ("port add eth3", "state.ports.eth3.link_watches.up=true"),
        ("ip link set far1 down", "state.ports.eth1.link_watches.up=false"),
        ("port remove eth2", "state.ports.eth2="),
        ("ip link set far3 down", "links.team0.carrier=false"),
        ("ip link set far1 up", "state.ports.eth1.link_watches.up=true"),
        ("ip link set eth2 master team0", "state.ports.eth2.link_watches.up=true"),
        ("ip link set eth1 nomaster", "state.ports.eth1="),
        ("ip link set team0 address 02:00:00:00:00:aa", "links.eth2.address=02:00:00:00:00:aa"),
        ("port config update eth2 '{\"prio\":-7}'", ""),
        DELETED,
    ),
)
#: Delays, which these runners show and do not heed, and a successor.
RESTART: Final = Scenario(
    {"eth1": {"link_watch": {"name": "ethtool", "delay_down": 3600000}}, "eth2": {}},
    (
        ("ip link set team0 up", "links.team0.carrier=true"),
        ("ip link set far2 down", "state.ports.eth2.link_watches.up=false"),
        ("ip link set far1 down", "links.team0.carrier=false state.ports.eth1.link_watches.up=true"),
        ("ip link set far1 up", "links.team0.carrier=true"),
        ("leave", ""),
        ("teamd -o", "state.ports.eth1.link_watches.up=true state.ports.eth2.link.up=false"),
        ("ip link set far2 up", "state.ports.eth2.link_watches.up=true"),
    ),
    words="-N",
)
BACKUP: Final = {
    "ports": Scenario(
        TWO,
        (
            ("ip link set team0 up", "links.team0.carrier=true"),
            ("port add eth3", "state.ports.eth3.link_watches.up=true"),
            ("port remove eth1", "state.runner.active_port=eth2"),
            ("port add eth1", "state.runner.active_port=eth1"),
            ("port remove eth1", "state.ports.eth1="),
            ("port remove eth2", "state.ports.eth2="),
            ("port remove eth3", ALONE),
            ("port add eth2", "state.runner.active_port=eth2"),
        ),
    ),
    "equals": Scenario(
        {"eth1": {}, "eth2": {}, "eth3": {}},
        (
            ("ip link set far1 down", "state.ports.eth1.link_watches.up=false"),
            ("ip link set far1 up", "state.ports.eth1.link_watches.up=true"),
        ),
    ),
    "cables": Scenario(
        TWO,
        (
            ("ip link set team0 up", "links.team0.carrier=true"),
            ("ip link set far1 down", "state.runner.active_port=eth2"),
            ("ip link set far2 down", "state.runner.active_port="),
            ("ip link set far2 up", "state.runner.active_port=eth2"),
            ("ip link set far1 up", "state.runner.active_port=eth1"),
        ),
    ),
    "sticky": Scenario(
        {"eth1": {"prio": 10}, "eth2": {"sticky": True}},
        (
            ("ip link set far1 down", "state.runner.active_port=eth2"),
            ("ip link set far1 up", "state.ports.eth1.link_watches.up=true"),
            ("ip link set far2 down", "state.runner.active_port=eth1"),
            ("ip link set far2 up", "state.ports.eth2.link_watches.up=true"),
            ("state item set runner.active_port eth2", "state.runner.active_port=eth2"),
            ("port add eth3", "state.ports.eth3.link_watches.up=true"),
        ),
    ),
    "delays": Scenario(
        {
            # Longer than the start takes: who is up first must not be chance.
            "eth1": {"link_watch": {"name": "ethtool", "delay_up": 800, "delay_down": 60}},
            "eth2": {"prio": 10, "link_watch": {"name": "ethtool", "delay_up": 3600000}},
            "eth3": {
                "prio": -10,
                "link_watch": [{"name": "ethtool"}, {"name": "ethtool", "delay_down": 3600000}],
            },
        },
        (
            ("ip link set team0 up", "links.team0.carrier=true"),
            ("ip link set far3 down", "state.ports.eth3.link.up=false"),
            ("ip link set far1 down", "state.runner.active_port=eth3"),
            ("ip link set far1 up", "state.runner.active_port=eth1"),
        ),
        until="state.runner.active_port=eth1",
    ),
    "same_all": policy("same_all"),
    "by_active": policy("by_active"),
    "only_active": policy("only_active"),
    "hwaddr": Scenario(
        TWO,
        (
            ("port remove eth1", "state.runner.active_port=eth2"),
            ("port add eth1", "state.runner.active_port=eth1"),
        ),
        # There is nothing to take over.
        words="-o",
        config={"hwaddr": "02:00:00:00:00:dd"},
    ),
    "update": Scenario(
        {**TWO, "eth9": {}},
        (
            ("port config update eth2 '{\"prio\":20}'", "state.runner.active_port=eth2"),
            ('port config update eth3 \'{"prio":30,"link_watch":{"name":"ethtool","delay_down":9}}\'', ""),
            ("port add eth3", "state.runner.active_port=eth3"),
            ("/usr/bin/teamnl -p eth1 team0 setoption priority 40", "state.runner.active_port=eth1"),
            ("ip link set eth2 name lan2", "state.ports.lan2.link_watches.up=true"),
            ("state item set runner.active_port lan2", "state.runner.active_port=lan2"),
            ("ip link delete eth3", "state.ports.eth3="),
        ),
    ),
    "others": Scenario(
        {"eth1": {"prio": 10}, "eth3": {"prio": 5}},
        (
            ("ip link set eth2 master team0", "state.ports.eth2.link_watches.up=true"),
            ("ip link set eth1 nomaster", "state.runner.active_port=eth3"),
            ("ip link set eth1 up", "links.eth1.up=true"),
            ("ip link set team0 mtu 1400", "links.eth2.mtu=1400"),
        ),
    ),
    "none": Scenario(
        TWO,
        (
            ("ip link set team0 up", "links.team0.up=true"),
            ("port add eth2", "state.runner.active_port=eth2"),
            ("port add eth3", "state.ports.eth3.link_watches.up=true"),
        ),
        words="-n",
    ),
    "restart": Scenario(
        {"eth1": {"prio": 10}, "eth2": {"sticky": True}},
        (
            ("ip link set team0 up", "links.team0.carrier=true"),
            ("ip link set far1 down", "state.runner.active_port=eth2"),
            ("ip link set far1 up", "state.ports.eth1.link_watches.up=true"),
            ("leave", ""),
            ("teamd -o", "state.ports.eth2.link_watches.up=true state.ports.eth1.link_watches.up=true"),
        ),
        words="-N",
    ),
}
SIMPLE: Final = ("broadcast", "roundrobin", "random")
SCENARIOS: Final = (
    {("life", runner): LIFE for runner in SIMPLE}
    | {("restart", runner): RESTART for runner in SIMPLE}
    | {(name, "activebackup"): scenario for name, scenario in BACKUP.items()}
)


@pytest.mark.parametrize(("name", "runner"), SCENARIOS)
def test_the_same(tmp_path: Path, name: str, runner: str) -> None:
    scenario = SCENARIOS[name, runner]
    config = {"device": "team0", "runner": {"name": runner}, "ports": scenario.ports, **scenario.config}
    steps = [(f"teamd {scenario.words}", scenario.until), *scenario.steps]
    if steps[-1] != DELETED:
        steps.append(("end", ""))
    with side("original", tmp_path) as original:
        theirs = [passed(original, step, config) for step in steps]
    with side("ours", tmp_path) as we:
        for step, expected in zip(steps, theirs, strict=True):
            passed_too(we, step, config, name, expected)


def do(one: Side, step: Step, config: dict[str, Any]) -> None:
    line, until = step
    one.turn()
    one.do(line, config)
    one.comes_to(until)


def passed(original: Side, step: Step, config: dict[str, Any]) -> Passed:
    """What the original has come to when nothing happens any more, and what it said."""
    do(original, step, config)
    return original.look(), original.log()


def passed_too(we: Side, step: Step, config: dict[str, Any], name: str, expected: Passed) -> None:
    """Ours comes to the same."""
    do(we, step, config)
    deadline = time.monotonic() + SOON
    while left := unexplained(name, step[0], expected, (we.look(), we.log())):
        if time.monotonic() > deadline:
            shown = "\n".join(f"{path}: {their} | {our}" for path, (their, our) in left.items())
            raise AssertionError(f"after {step[0]!r}, original | ours:\n{shown}\n\n{we.daemon.log}")
        time.sleep(PAUSE)


def test_every_difference_is_in_the_document() -> None:
    rows = [line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    assert [one.row for one in INTENDED if not any(row.startswith(one.row) for row in rows)] == []


def test_every_difference_was_met() -> None:
    """What no scenario shows explains nothing, or is none any more."""
    if missing := {"teamdctl", *(name for name, _ in SCENARIOS)} - gone_through:
        pytest.skip(f"needs all scenarios in one run, there was no {', '.join(sorted(missing))}")
    assert {one.row for one in INTENDED} - met == set()
