"""The example of docs/extending.md, installed as its users would, in a real daemon."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns.teams import ENVIRONMENT, host

PACKAGE = Path(__file__).parent.parent.parent / "docs/examples/extension"
CONFIG = {
    "device": "team0",
    "runner": {"name": "rotate", "period": 1},
    "link_watch": {"name": "steady", "losses": 5},
    "ports": {"eth0": {}, "eth1": {}},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with the package in a directory of its own."""
    copy, target = tmp_path_factory.mktemp("package"), tmp_path_factory.mktemp("site")
    for file in ("pyproject.toml", "pyteam_rotate.py", "pyteam_steady.py"):
        (copy / file).write_bytes((PACKAGE / file).read_bytes())
    pip = [sys.executable, "-m", "pip", "-q", "install", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target), str(copy)]
    subprocess.run([*pip, *options], check=True, capture_output=True)
    return {**ENVIRONMENT, "PYTHONPATH": str(target)}


def test_it_is_known_to_every_part(installed: dict[str, str], tmp_path: Path) -> None:
    with host(tmp_path) as box:
        assert box.teamd("--help", env=installed).out.endswith(", rotate\n")
        text = json.dumps({**CONFIG, "runner": {"name": "rotate", "period": 0}})
        done = box.teamd("--check-config", "-c", text, env=installed)
        assert (done.code, done.err.splitlines()[0].partition(" Found")[0]) == (
            1,
            'command line: runner.period: "period" value is out of its limits.',
        )
        schema = json.loads(box.teamd("--schema", env=installed).out)
        names = [one["properties"]["name"]["enum"][0] for one in schema["properties"]["runner"]["anyOf"]]
        assert "rotate" in names


def test_it_runs(installed: dict[str, str], tmp_path: Path) -> None:
    with host(tmp_path, "eth0", "eth1") as box:
        daemon = box.start(config=CONFIG, env=installed).ready()
        daemon.says('Changed active port to "eth0".')
        daemon.says('Changed active port to "eth1".')
        box.becomes("ports.eth0.link_watches.list.link_watch_0.up", "true")
        box.cut("eth0")
        daemon.says("eth0: steady-link went down.")
        box.becomes("ports.eth0.link_watches.list.link_watch_0.losses", "1")
        box.becomes("runner.active_port", "eth1")
        assert daemon.end() == 0
        box.leaves_nothing()
