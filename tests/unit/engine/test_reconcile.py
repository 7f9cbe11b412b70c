"""The order of commands in the cases that hurt when it is wrong, and what is passed over."""

from __future__ import annotations

import struct
from dataclasses import replace

from pyteam.engine.desired import (
    Actual,
    AddPort,
    Desired,
    RemovePort,
    SetAddress,
    SetCarrier,
    SetOption,
)
from pyteam.engine.reconcile import commands
from pyteam.options import NO_MODE, OptionKey, OptionValue

TEAM, A, B, C = 1, 10, 11, 12
MODE, ACTIVE, ORDER = OptionKey("mode"), OptionKey("activeport"), OptionKey("failover_order")
MAC, OTHER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def enabled(port: int) -> OptionKey:
    return OptionKey("enabled", port)


def order(*ports: int) -> bytes:
    return struct.pack(f"={len(ports)}I", *ports)


BACKUP = Actual(
    TEAM,
    frozenset({A, B}),
    {MODE: "activebackup", ACTIVE: A, ORDER: order(A, B), enabled(A): True, enabled(B): False},
    {TEAM: MAC, A: MAC, B: OTHER_MAC},
)


def test_a_new_team_is_built_from_the_ground_up() -> None:
    actual = Actual(
        TEAM, options={MODE: NO_MODE, OptionKey("notify_peers_count"): 0}, addresses={TEAM: OTHER_MAC}
    )
    desired = Desired(
        frozenset({A, B}),
        {
            MODE: "activebackup",
            ACTIVE: A,
            ORDER: order(A, B),
            enabled(A): True,
            enabled(B): False,
            OptionKey("priority", B): 3,
            OptionKey("notify_peers_count"): 1,
        },
        {TEAM: MAC, B: MAC},
    )
    assert commands(actual, desired) == [
        SetOption(MODE, "activebackup"),
        SetOption(OptionKey("notify_peers_count"), 1),
        SetAddress(TEAM, MAC),
        AddPort(A),
        AddPort(B),
        SetOption(OptionKey("priority", B), 3),
        SetOption(ORDER, order(A, B)),
        SetOption(ACTIVE, A),
        SetAddress(B, MAC),
        SetOption(enabled(B), False),
    ]


def test_a_switch_makes_before_it_breaks() -> None:
    desired = Desired(
        BACKUP.members,
        {MODE: "activebackup", ACTIVE: B, ORDER: order(B, A), enabled(A): False, enabled(B): True},
        {TEAM: OTHER_MAC, A: OTHER_MAC, B: MAC},
    )
    assert commands(BACKUP, desired) == [
        SetAddress(B, MAC),
        SetOption(enabled(B), True),
        SetOption(ORDER, order(B, A)),
        SetOption(ACTIVE, B),
        SetAddress(TEAM, OTHER_MAC),
        SetAddress(A, OTHER_MAC),
        SetOption(enabled(A), False),
    ]


def test_a_lost_active_port_is_left_before_anything_else() -> None:
    up, down = (SetOption(OptionKey("user_linkup", port), value) for port, value in ((B, True), (A, False)))
    actual = replace(BACKUP, options={**BACKUP.options, up.key: True, down.key: True})
    desired = Desired(
        BACKUP.members,
        {ACTIVE: B, ORDER: order(B, A), enabled(A): False, enabled(B): True, down.key: False, up.key: True},
        {B: MAC},
    )
    assert commands(actual, desired) == [
        SetAddress(B, MAC),
        SetOption(ORDER, order(B, A)),
        SetOption(ACTIVE, B),
        SetOption(enabled(B), True),
        SetOption(enabled(A), False),
        down,
    ]


def test_the_active_port_leaves_last() -> None:
    desired = Desired(frozenset({B, C}), {ACTIVE: B, ORDER: order(B, C), enabled(B): True, enabled(C): False})
    assert commands(BACKUP, desired) == [
        AddPort(C),
        SetOption(enabled(B), True),
        SetOption(ORDER, order(B, C)),
        SetOption(ACTIVE, B),
        SetOption(enabled(C), False),
        RemovePort(A),
    ]


def test_what_the_datapath_does_not_have_is_passed_over() -> None:
    desired = Desired(
        BACKUP.members,
        {OptionKey("queue_id", A): 2, OptionKey("mcast_rejoin_count"): 1, enabled(C): True},
        {C: MAC},
    )
    assert commands(BACKUP, desired) == []


def test_another_mode_is_set_while_there_are_no_ports() -> None:
    desired = Desired(BACKUP.members, {MODE: "roundrobin", enabled(A): True, enabled(B): True})
    assert commands(BACKUP, desired) == [
        RemovePort(A),
        RemovePort(B),
        SetOption(MODE, "roundrobin"),
        AddPort(A),
        AddPort(B),
    ]


def test_a_carrier_that_nobody_wishes_is_left_to_the_datapath() -> None:
    assert commands(BACKUP, Desired(BACKUP.members)) == []
    assert commands(BACKUP, Desired(BACKUP.members, carrier=False)) == [SetCarrier(False)]
    said = Actual(TEAM, BACKUP.members, carrier=True, carrier_is_set=True)
    assert commands(said, Desired(BACKUP.members, carrier=True)) == []


def test_the_carrier_rises_before_a_port_goes_and_falls_after() -> None:
    alone = Desired(frozenset({A}), {enabled(A): True}, carrier=True)
    assert commands(BACKUP, alone) == [SetCarrier(True), RemovePort(B)]
    actual = Actual(TEAM, frozenset({A}), {enabled(A): True}, carrier=True, carrier_is_set=True)
    assert commands(actual, Desired(frozenset({A}), {enabled(A): False}, carrier=False)) == [
        SetOption(enabled(A), False),
        SetCarrier(False),
    ]


def test_one_verdict_rises_before_another_falls() -> None:
    def state(a: bool, b: bool, rules_a: bool, rules_b: bool) -> dict[OptionKey, OptionValue]:
        verdicts = {"user_linkup": (a, b), "user_linkup_enabled": (rules_a, rules_b)}
        return {
            OptionKey(name, port): value
            for name, both in verdicts.items()
            for port, value in zip((A, B), both, strict=True)
        }

    actual = Actual(TEAM, frozenset({A, B}), state(True, False, False, True))
    desired = Desired(frozenset({A, B}), state(False, True, True, False))
    assert commands(actual, desired) == [
        SetOption(OptionKey("user_linkup", B), True),
        SetOption(OptionKey("user_linkup_enabled", B), False),
        SetOption(OptionKey("user_linkup", A), False),
        SetOption(OptionKey("user_linkup_enabled", A), True),
    ]
