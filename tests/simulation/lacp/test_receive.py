"""The receive machine: R1 to R13 of docs/lacp-machines.md."""

from __future__ import annotations

import pytest

from pyteam.engine.lacp import MuxState, ReceiveState, Selected, Settings
from pyteam.frames.lacp import Info, State
from tests.simulation.lacp.world import FAST, IN_SYNC, WORKING, A, Alone, B, C, settings_of

NOBODY = Info(0, bytes(6), 0, 0, 0, State.TIMEOUT)


def test_r1_begins_with_nobody_and_unselected() -> None:
    alone = Alone()
    alone.system.add_port(0, 1, settings_of(A, 1))
    port = alone.port()
    assert alone.machine() is ReceiveState.PORT_DISABLED
    assert port.selected is Selected.UNSELECTED
    assert port.partner == NOBODY
    assert port.actor.state & State.DEFAULTED
    assert not port.actor.state & State.EXPIRED
    assert (port.state, port.why_not) == ("disabled", "its link is down")
    assert alone.take() == []


def test_r2_r13_a_partner_heard_elsewhere_is_forgotten_where_the_link_is_down() -> None:
    alone = Alone().plug(1, 2).join(1, port=5)
    alone.see(1, False)
    assert alone.port(1).partner.system == B, "only the link is down"
    alone.hear(ifindex=2, port=6)
    assert alone.port(1).partner.system == B, "another port of the partner"
    alone.hear(ifindex=2, port=5)
    assert alone.port(1).partner == NOBODY
    assert alone.machine(1) is ReceiveState.PORT_DISABLED
    assert alone.port(1).selected is Selected.UNSELECTED


def test_r13_not_from_a_port_that_is_up() -> None:
    alone = Alone().plug(1, 2).join(1, port=5)
    alone.hear(ifindex=2, port=5)
    assert alone.port(1).partner.system == B
    assert alone.port(1).distributing


def test_r3_without_a_link_the_partner_is_out_of_sync_and_not_told() -> None:
    alone = Alone().plug(1).join()
    assert alone.see(1, False) == []
    port = alone.port()
    assert alone.machine() is ReceiveState.PORT_DISABLED
    assert not port.partner.state & State.SYNC
    assert (port.collecting, port.distributing) == (False, False)
    assert alone.wait(200) == []


def test_r4_a_link_that_comes_is_expired_for_three_seconds() -> None:
    alone = Alone()
    alone.system.add_port(0, 1, settings_of(A, 1))
    first, *_ = alone.see(1, True)
    assert first.actor.state & State.EXPIRED
    port = alone.port()
    assert alone.machine() is ReceiveState.EXPIRED
    assert port.partner.state == State.TIMEOUT
    assert port.current_while == 3
    alone.wait(2.999)
    assert port.state == "expired"


def test_r5_three_seconds_of_silence_make_it_defaulted() -> None:
    alone = Alone().plug(1)
    alone.wait(3)
    port = alone.port()
    assert alone.machine() is ReceiveState.DEFAULTED
    assert port.partner == NOBODY
    assert port.actor.state & State.DEFAULTED
    assert not port.actor.state & State.EXPIRED
    assert port.why_not == "no LACPDU has come: the other end speaks no LACP, or is passive too"


@pytest.mark.parametrize("seconds", [0, 2.9, 3, 500])
def test_r6_a_lacpdu_makes_it_current(seconds: float) -> None:
    alone = Alone().plug(1)
    alone.wait(seconds)
    alone.hear()
    assert alone.machine() is ReceiveState.CURRENT


@pytest.mark.parametrize(("fast", "patience"), [(True, 3), (False, 90)])
@pytest.mark.parametrize("theirs", [0, FAST])
def test_r7_patience_is_ours_to_choose(fast: bool, patience: float, theirs: int) -> None:
    alone = Alone(Settings(fast_rate=fast)).plug(1)
    alone.hear(IN_SYNC | theirs)
    alone.wait(patience - 0.001)
    assert alone.port().state == "current"
    alone.wait(0.001)
    assert alone.port().state == "expired"
    alone.wait(3)
    assert alone.port().state == "defaulted"
    assert alone.said("Changed port state") == [
        'Changed port state: "disabled" -> "expired"',
        'Changed port state: "expired" -> "current"',
        'Changed port state: "current" -> "expired"',
        'Changed port state: "expired" -> "defaulted"',
    ]


def test_r7_each_lacpdu_starts_it_anew() -> None:
    alone = Alone(Settings(fast_rate=True)).plug(1)
    for _ in range(5):
        alone.hear()
        alone.wait(2.5)
        assert alone.port().state == "current"
    alone.wait(0.5)
    assert alone.port().state == "expired"


def test_r8_the_partner_is_recorded() -> None:
    alone = Alone().plug(1)
    alone.hear(WORKING | FAST, priority=0x1234, key=99, port_priority=3, port=77)
    port = alone.port()
    assert port.partner == Info(0x1234, B, 99, 3, 77, WORKING | FAST)
    assert not port.actor.state & State.DEFAULTED
    # And told back as it was.
    alone.wait(1)
    answer = alone.wait(1)[-1]
    assert answer.partner == port.partner


OURS = Info(0xFFFF, A, 0, 255, 1, State.ACTIVITY | State.AGGREGATION)
PASSIVE = IN_SYNC & ~State.ACTIVITY


@pytest.mark.parametrize(
    ("state", "view", "in_sync"),
    [
        (IN_SYNC, OURS, True),
        (IN_SYNC & ~State.SYNC, OURS, False),
        (IN_SYNC, OURS._replace(system_priority=1), False),
        (IN_SYNC, OURS._replace(system=C), False),
        (IN_SYNC, OURS._replace(key=1), False),
        (IN_SYNC, OURS._replace(port_priority=1), False),
        (IN_SYNC, OURS._replace(port=2), False),
        (IN_SYNC, OURS._replace(state=State.ACTIVITY), False),
        # It says itself that it does not hear us.
        (IN_SYNC | State.EXPIRED, OURS, False),
        (IN_SYNC | State.DEFAULTED, OURS, False),
        # Bits that are not part of who we are.
        (IN_SYNC, OURS._replace(state=OURS.state | State.SYNC | State.COLLECTING), True),
        # An individual link, whatever it thinks that we are.
        (IN_SYNC & ~State.AGGREGATION, OURS._replace(port=2), True),
        # Somebody has to keep asking: the partner, or we while it knows.
        (PASSIVE, OURS, True),
        (PASSIVE, OURS._replace(state=State.AGGREGATION), False),
    ],
)
def test_r9_in_sync_only_if_it_means_us(state: int, view: Info, in_sync: bool) -> None:
    alone = Alone().plug(1)
    alone.hear(state, view=view)
    assert bool(alone.port().partner.state & State.SYNC) is in_sync


def test_r9_both_passive_is_not_maintained() -> None:
    alone = Alone(Settings(active=False)).plug(1)
    alone.hear(PASSIVE, view=OURS._replace(state=State.ACTIVITY | State.AGGREGATION))
    assert not alone.port().partner.state & State.SYNC


CHANGES: list[dict[str, object]] = [
    {"port": 9},
    {"port_priority": 9},
    {"system": C},
    {"priority": 9},
    {"key": 9},
    {"state": WORKING & ~State.AGGREGATION},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_r10_another_partner_is_selected_anew(change: dict[str, object]) -> None:
    alone = Alone().plug(1).join()
    assert alone.port().distributing
    alone.hear(**{"state": WORKING, **change})  # type: ignore[arg-type]
    port = alone.port()
    assert not port.distributing
    assert alone.mux() is MuxState.WAITING
    alone.wait(2)
    alone.hear(**{"state": WORKING, **change})  # type: ignore[arg-type]
    assert port.distributing


@pytest.mark.parametrize("state", [WORKING & ~State.COLLECTING, WORKING | FAST])
def test_r10_other_bits_are_no_other_partner(state: int) -> None:
    alone = Alone().plug(1).join()
    alone.hear(state)
    assert alone.port().distributing


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, False),
        ({"port": 2}, True),
        ({"port_priority": 2}, True),
        ({"system": C}, True),
        ({"system_priority": 2}, True),
        ({"key": 2}, True),
        ({"state": WORKING & ~State.ACTIVITY}, True),
        ({"state": WORKING | FAST}, True),
        ({"state": WORKING & ~State.SYNC}, True),
        ({"state": WORKING & ~State.AGGREGATION}, True),
        ({"state": WORKING & ~State.COLLECTING & ~State.DISTRIBUTING}, False),
        ({"state": WORKING | State.DEFAULTED | State.EXPIRED}, False),
    ],
)
def test_r11_a_stale_view_of_us_is_corrected_at_once(change: dict[str, object], told: bool) -> None:
    alone = Alone().plug(1).join()
    alone.wait(20)
    answers = alone.hear(WORKING, view=alone.port().actor._replace(**change))  # type: ignore[arg-type]
    assert bool(answers) is told
    if told:
        assert answers[-1].actor == alone.port().actor


def test_r12_half_duplex_disables_lacp() -> None:
    alone = Alone().plug(1).join()
    assert alone.see(1, True, full_duplex=False) == []
    port = alone.port()
    assert alone.machine() is ReceiveState.LACP_DISABLED
    assert (port.state, port.why_not) == ("disabled", "its link is half duplex")
    assert not port.collecting
    # What comes does not revive it.
    alone.hear()
    assert port.state == "disabled"
    assert alone.wait(100) == []
    alone.see(1, True, full_duplex=None)
    assert alone.machine() is ReceiveState.EXPIRED, "unknown is taken for full"


def test_what_comes_before_the_news_of_the_link_waits_for_the_next() -> None:
    alone = Alone()
    alone.system.add_port(0, 1, settings_of(A, 1))
    alone.hear()
    assert alone.port().state == "disabled"
    assert alone.port().counters.lacpdus_received == 1
