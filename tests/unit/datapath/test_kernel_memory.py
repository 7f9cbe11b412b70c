"""What is remembered of a team beside the kernel: for its device alone, and never at any price."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from pyteam.datapath.kernel.memory import Memory, PortMemory

PORT = PortMemory("02:00:00:00:00:01", {"rx_packets": 3})


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    made = Memory.of("team0", tmp_path, 7)
    made.released = False
    made.carrier_is_set = True
    made.failover_order = bytes([9, 0, 0, 0])
    made.ports[9] = PORT
    made.save()
    return made


def test_a_new_device_has_nobody_who_died(tmp_path: Path) -> None:
    blank = Memory.of("team0", tmp_path, 7)
    assert (blank.released, blank.carrier_is_set, blank.ports) == (True, False, {})
    assert list(tmp_path.iterdir()) == []


def test_a_successor_knows_it(memory: Memory, tmp_path: Path) -> None:
    assert Memory.of("team0", tmp_path, 7) == memory
    assert [path.name for path in tmp_path.iterdir()] == ["team0.kernel"]


def test_of_another_device_nothing_is_known(memory: Memory, tmp_path: Path) -> None:
    assert Memory.of("team0", tmp_path, 8).released
    assert Memory.of("team1", tmp_path, 7).released
    replace(memory, where="an earlier boot/1").save()
    assert Memory.of("team0", tmp_path, 7).ports == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"ifindex": 7, "ports": {"x": {}}}'])
def test_what_cannot_be_read_is_told_and_passed_over(
    memory: Memory, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    memory.path.write_text(text)
    assert Memory.of("team0", tmp_path, 7).ports == {}
    assert "cannot read what was remembered" in caplog.text


def test_a_file_of_another_version_is_passed_over(memory: Memory, tmp_path: Path) -> None:
    memory.path.write_text(json.dumps({**json.loads(memory.path.read_text()), "more": 1}))
    assert Memory.of("team0", tmp_path, 7).released


def test_a_file_from_before_the_guard_is_good(memory: Memory, tmp_path: Path) -> None:
    document = json.loads(memory.path.read_text())
    del document["failover_order"]
    memory.path.write_text(json.dumps(document))
    assert Memory.of("team0", tmp_path, 7) == replace(memory, failover_order=b"")


def test_where_nothing_can_be_written_the_team_works_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blank = Memory.of("team0", tmp_path / "missing", 7)
    with caplog.at_level(logging.WARNING):
        blank.save()
    assert "cannot remember" in caplog.text
    blank.forget()


def test_forgetting(memory: Memory, tmp_path: Path) -> None:
    memory.forget()
    assert list(tmp_path.iterdir()) == []
