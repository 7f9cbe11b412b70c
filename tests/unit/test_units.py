"""The units: what systemd says of them, without one that runs."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = ["teamd@.service", "teamd.service"]
#: Of 10, where 0 is the safest: PrivateNetwork and the like cannot be.
MOST_EXPOSED = 2.5


@pytest.fixture
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit of this tree, as an instance, with programs that are there."""
    name = str(request.param)
    copy = tmp_path / name.replace("@", "@team0")
    copy.write_text((SYSTEMD / name).read_text().replace("/usr/bin/teamd", "/bin/true"))
    return copy


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_nothing_to_complain_of(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_little_is_exposed(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert level, said
    assert float(level[1]) <= MOST_EXPOSED, said


def test_the_two_differ_in_what_they_run_and_how_much_of_it() -> None:
    one, many = (set((SYSTEMD / name).read_text().splitlines()) for name in UNITS)
    differing = {line.split("=")[0] for line in one ^ many if not line.startswith("#")}
    assert differing == {
        "Description",
        "ExecStart",
        "FileDescriptorStoreMax",
        "LimitNOFILE",
        "TimeoutStartSec",
        "TimeoutStopSec",
    }


def test_the_mac_of_a_team_is_left_alone() -> None:
    link = configparser.ConfigParser()
    link.read(SYSTEMD / "70-pyteam.link")
    # udev takes the first file that matches, by name; the default is 99-default.link.
    assert (link["Match"]["Driver"], link["Link"]["MACAddressPolicy"]) == ("team", "none")
