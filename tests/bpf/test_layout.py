"""The headers in bpf/ and their mirrors in Python are one layout: the compiler is the judge."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pyteam.datapath.ebpf import shared, splice
from pyteam.datapath.kernel import guard
from pyteam.datapath.rxbalance import shared as rx

BPF = Path(__file__).parents[2] / "bpf"
MIRRORS = {
    "team_target": shared.Target,
    "team_entry": shared.Entry,
    "team_table": shared.Table,
    "team_slot": shared.Slot,
    "team_hint": shared.Hint,
    "team_state": shared.State,
}


@pytest.mark.needs("clang")
def test_the_mirror_is_true(tmp_path: Path) -> None:
    claims = [
        f'_Static_assert(TEAM_ABI == {shared.ABI}, "ABI");',
        f'_Static_assert(TEAM_MAX_PORTS == {shared.MAX_PORTS}, "ports");',
        f'_Static_assert(TEAM_HINTS == {shared.HINTS}, "hints");',
        f'_Static_assert(TEAM_RECORD_SIZE == {shared.RECORD_SIZE}, "record");',
        f'_Static_assert(TEAM_ENTRIES == {shared.ENTRIES}, "entries");',
        f'_Static_assert(TEAM_HASH_PLACEHOLDER == {splice.PLACEHOLDER}, "placeholder");',
        f'_Static_assert(sizeof(struct team_sent) == {8 * shared.ENTRIES}, "sent");',
        f'_Static_assert(sizeof(struct team_counters) == {8 * len(shared.COUNTERS)}, "counters");',
    ]
    for at, name in enumerate(shared.COUNTERS):
        claims.append(f'_Static_assert(offsetof(struct team_counters, {name}) == {8 * at}, "{name}");')
    judge(tmp_path, "team.h", claims + layout(MIRRORS))


@pytest.mark.needs("clang")
def test_the_mirror_of_receive_balancing_is_true(tmp_path: Path) -> None:
    claims = [
        f'_Static_assert(RX_ABI == {rx.ABI}, "ABI");',
        f'_Static_assert(RX_MAX_PORTS == {rx.MAX_PORTS}, "ports");',
        f'_Static_assert(RX_SLOT_HINTS == {rx.HINTS}, "hints");',
        f'_Static_assert(RX_MAX_NEIGHBOURS == {rx.MAX_NEIGHBOURS}, "neighbours");',
        f'_Static_assert(RX_MAX_TOLD == {rx.MAX_TOLD}, "told");',
        f'_Static_assert(RX_MARK == {rx.MARK}, "mark");',
        f'_Static_assert(RX_TAGGED == {rx.TAGGED}, "tagged");',
        f'_Static_assert(sizeof(struct rx_neighbour) == {rx.NEIGHBOUR.size}, "neighbour");',
        f'_Static_assert(sizeof(struct rx_told_key) == {rx.TOLD.size}, "told key");',
        f'_Static_assert(RX_ROLE_HOST == {rx.ROLE_HOST} && RX_ROLE_ROUTER == {rx.ROLE_ROUTER}, "roles");',
    ]
    judge(tmp_path, "rx_balance.h", claims + layout({"rx_port": rx.Port, "rx_state": rx.State}))


@pytest.mark.needs("clang")
def test_the_mirror_of_the_guard_is_true(tmp_path: Path) -> None:
    claims = [
        f'_Static_assert(GUARD_ABI == {guard.ABI}, "ABI");',
        f'_Static_assert(GUARD_MAX_PORTS == {guard.MAX_PORTS}, "ports");',
    ]
    judge(tmp_path, "guard.h", claims + layout({"guard_order": guard.Order, "guard_state": guard.State}))


def layout(mirrors: Mapping[str, type[ctypes.Structure]]) -> list[str]:
    claims = []
    for struct, mirror in mirrors.items():
        claims.append(f'_Static_assert(sizeof(struct {struct}) == {ctypes.sizeof(mirror)}, "{struct}");')
        for name in (field[0] for field in mirror._fields_):
            offset = getattr(mirror, name).offset
            claims.append(
                f'_Static_assert(offsetof(struct {struct}, {name}) == {offset}, "{struct}.{name}");'
            )
    return claims


def judge(tmp_path: Path, header: str, claims: Sequence[str]) -> None:
    source = tmp_path / "layout.c"
    types = "typedef unsigned char __u8; typedef unsigned int __u32; typedef unsigned long long __u64;\n"
    types += "typedef int __s32;\n"
    included = f'#include <stddef.h>\n{types}#include "{BPF / header}"\n'
    source.write_text(included + "\n".join(claims) + "\n")
    done = subprocess.run(
        ["clang", "-target", "bpf", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
