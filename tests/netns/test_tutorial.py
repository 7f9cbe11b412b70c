"""docs/tutorial.md, from its first command to its last, on a machine of its own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from pyteam.engine.runners import RUNNERS
from tests.netns.teams import ENVIRONMENT, host

TUTORIAL = Path(__file__).parent.parent.parent / "docs/tutorial.md"
BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


#: The tutorial has namespaces of its own, inside those of the test.
END = "for name in near far; do ip netns pids $name | xargs -r kill -9; done"


@pytest.mark.needs("ping")
@pytest.mark.skipif(os.path.exists("/sys/module/team"), reason="the tutorial shows the eBPF datapath")
def test_the_tutorial_works(tmp_path: Path) -> None:
    environment = {"PATH": f"{Path(sys.executable).parent}:{ENVIRONMENT['PATH']}"}
    blocks = BLOCK.findall(TUTORIAL.read_text())
    assert len(blocks) > 10
    with host(tmp_path) as box:
        try:
            for needs, script in blocks:
                if not needs or needs in RUNNERS:
                    done = box.run("sh", "-ec", f"exec 2>&1\n{script}", env=environment, cwd=tmp_path)
                    assert done.code == 0, f"{script}\n{done.out}"
                    shows(done.out, re.findall(r"^# (.+)$", script, re.MULTILINE))
            assert box.sh("ip netns list") == ""
        finally:
            box.run("sh", "-c", END)


def shows(text: str, lines: list[str]) -> None:
    """They are there, in this order."""
    at = 0
    for line in lines:
        at = text.find(line, at)
        assert at >= 0, f"not there, or not in this order: {line}\n{text}"
        at += len(line)
