"""Which BPF objects this process holds; any descriptor will do, as none is asked of the kernel."""

from __future__ import annotations

import os
from pathlib import Path

from pyteam.datapath.ebpf import held


def test_held_until_forgotten() -> None:
    changes: list[dict[str, int]] = []
    held.watch(lambda: changes.append(held.everything()))
    held.note(1001, "program", 7)
    held.note(1002, "map", 7)
    assert (held.find("program", 7), held.find("map", 7), held.find("map", 8)) == (1001, 1002, 0)
    held.forget(1001)
    held.forget(1001)
    assert held.find("program", 7) == 0
    held.forget(1002)
    assert changes[1:] == [{"program-7": 1001, "map-7": 1002}, {"map-7": 1002}, {}]


def test_one_of_two_descriptors_is_enough() -> None:
    held.note(1001, "map", 7)
    held.note(1002, "map", 7)
    held.forget(1002)
    assert held.find("map", 7) == 1001
    held.forget(1001)


def test_what_a_predecessor_had_is_there_until_it_is_dismissed(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    held.accept([(fd, "map", 7)])
    assert held.find("map", 7) == fd
    held.dismiss()
    assert held.find("map", 7) == 0
    assert not Path(f"/proc/self/fd/{fd}").exists()


def test_other_descriptors_are_told_apart(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert held.kind_of(fd) is None
    os.close(fd)
    assert held.kind_of(fd) is None
