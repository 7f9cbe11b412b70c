"""bpf/team.h and its mirror in Python are one layout: the compiler is the judge."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest

from pyteam.datapath.ebpf import shared, splice

HEADER = Path(__file__).parents[2] / "bpf/team.h"
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
    for struct, mirror in MIRRORS.items():
        claims.append(f'_Static_assert(sizeof(struct {struct}) == {ctypes.sizeof(mirror)}, "{struct}");')
        for name in (field[0] for field in mirror._fields_):
            offset = getattr(mirror, name).offset
            claims.append(
                f'_Static_assert(offsetof(struct {struct}, {name}) == {offset}, "{struct}.{name}");'
            )
    source = tmp_path / "layout.c"
    types = "typedef unsigned char __u8; typedef unsigned int __u32; typedef unsigned long long __u64;\n"
    header = f'#include <stddef.h>\n{types}#include "{HEADER}"\n'
    source.write_text(header + "\n".join(claims) + "\n")
    done = subprocess.run(
        ["clang", "-target", "bpf", "-fsyntax-only", str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
