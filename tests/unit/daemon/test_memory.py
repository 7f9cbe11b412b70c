"""What one daemon leaves for the next: whole, for this device alone, and never a reason to fail."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from pyteam.daemon.memory import MemoryFile

SAVED = {"ports": {"eth1": [1, 2]}}


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "team0.memory"
    MemoryFile(path, 7).save(SAVED)
    assert MemoryFile(path, 7).load() == SAVED
    assert [file.name for file in tmp_path.iterdir()] == ["team0.memory"]
    MemoryFile(path, 7).forget()
    assert MemoryFile(path, 7).load() == {}


def test_a_runner_without_memory_leaves_no_file(tmp_path: Path) -> None:
    MemoryFile(tmp_path / "team0.memory", 7).save({})
    assert list(tmp_path.iterdir()) == []


def test_of_another_device_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "team0.memory"
    MemoryFile(path, 7).save(SAVED)
    assert MemoryFile(path, 8).load() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"ifindex": 7}'])
def test_a_spoilt_file_is_told_of_and_counts_for_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    path = tmp_path / "team0.memory"
    path.write_text(text)
    with caplog.at_level(logging.WARNING):
        assert MemoryFile(path, 7).load() == {}
    assert str(path) in caplog.text


def test_spoilt_content_counts_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "team0.memory"
    MemoryFile(path, 7).save(SAVED)
    for content in (None, 5, [1]):
        path.write_text(json.dumps({**json.loads(path.read_text()), "runner": content}))
        assert MemoryFile(path, 7).load() == {}


def test_where_nothing_can_be_written_the_team_works_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    MemoryFile(tmp_path / "gone" / "team0.memory", 7).save(SAVED)
    assert "No such file" in caplog.text
