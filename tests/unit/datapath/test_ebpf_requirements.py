"""What is missing is named, in one line, with the way out."""

from __future__ import annotations

import pytest

from pyteam.datapath.ebpf.requirements import missing

ALL = (1 << 41) - 1
LEAST = 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39


@pytest.mark.parametrize(
    ("release", "btf", "capabilities", "words"),
    [
        ("6.6.0", True, ALL, ()),
        ("6.18.44-fc-v657", True, ALL, ()),
        ("7.0-rc1", True, ALL, ()),
        ("6.5.13-generic", True, ALL, ("6.6", "6.5.13-generic", "--datapath kernel")),
        ("5.14.0-570.el9.x86_64", True, ALL, ("6.6", "modprobe team")),
        ("custom", True, ALL, ("6.6", "custom")),
        ("6.12.1", False, ALL, ("BTF", "CONFIG_DEBUG_INFO_BTF")),
        ("6.12.1", True, LEAST, ()),
        ("6.12.1", True, LEAST & ~(1 << 39), ("CAP_BPF", "root")),
        ("6.12.1", True, LEAST & ~(1 << 38) & ~(1 << 12), ("CAP_NET_ADMIN and CAP_PERFMON",)),
        # Older than the last two, and stands for them.
        ("6.12.1", True, 1 << 12 | 1 << 13 | 1 << 21, ()),
        ("6.12.1", True, 0, ("CAP_NET_ADMIN and CAP_NET_RAW and CAP_PERFMON and CAP_BPF",)),
    ],
)
def test_missing(release: str, btf: bool, capabilities: int, words: tuple[str, ...]) -> None:
    said = missing(release, btf=btf, capabilities=capabilities)
    assert bool(said) == bool(words)
    assert "\n" not in said
    assert [word for word in words if word not in said] == []


def test_without_receive_balancing_there_is_another_way_out() -> None:
    said = missing("6.1.0", btf=True, capabilities=ALL, who="rx_balancer")
    assert said.startswith("rx_balancer needs Linux 6.6")
    assert "leave it out" in said
    assert "modprobe" not in said
