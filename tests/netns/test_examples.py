"""Every example of docs/examples that can run here, started once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyteam.config import Document
from pyteam.control.items import find, leaves
from pyteam.engine.runners import RUNNERS
from tests.netns.teams import host

EXAMPLES = sorted((Path(__file__).parent.parent.parent / "docs/examples").glob("*.conf"))
#: Needs TIPC in the kernel.
ELSEWHERE = "activebackup-tipc"


def runs_here(path: Path) -> bool:
    return path.stem != ELSEWHERE and Document.parse(path.read_text()).team.runner.name in RUNNERS


@pytest.mark.parametrize("path", [path for path in EXAMPLES if runs_here(path)], ids=lambda path: path.stem)
def test_an_example_starts_and_ends(path: Path, tmp_path: Path) -> None:
    with host(tmp_path, "eth1", "eth2") as box:
        before = box.looks("eth1", "eth2")
        checked = box.teamd("--check-config", "-f", str(path))
        assert checked == (0, "", "")
        daemon = box.start("-f", str(path)).ready()
        assert sorted(box.ports()) == ["eth1", "eth2"]
        assert [path for path, _ in leaves(box.state()) if find(path) is None] == []
        assert daemon.end() == 0
        box.leaves_nothing()
        assert box.looks("eth1", "eth2") == before
