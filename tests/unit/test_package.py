"""What make install and make deb put where, with which modes; and that nothing stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pyteam
from package.__main__ import ROOT, deb, files, install, library_of, remove

#: A sample of each kind, below /usr/local.
EXPECTED = {
    "bin/teamd": 0o755,
    "bin/teamdctl": 0o755,
    "bin/teamnl": 0o755,
    "lib/systemd/system/teamd@.service": 0o644,
    "lib/systemd/system/teamd.service": 0o644,
    "lib/systemd/network/70-pyteam.link": 0o644,
    "lib/sysusers.d/teamd.conf": 0o644,
    "share/doc/pyteam/copyright": 0o644,
    # dbus-daemon reads no directory below /usr/local.
    "../../etc/dbus-1/system.d/org.libteam.teamd-user.conf": 0o644,
    "share/doc/pyteam/docs/teamd.md": 0o644,
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    code = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    scratch = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "bpf", "src"):
        (scratch / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-c", code, target], cwd=scratch, check=True, capture_output=True)
    return next(target.iterdir())


def found(directory: Path) -> dict[str, int]:
    """Every path below, and its mode."""
    return {str(path.relative_to(directory)): path.stat().st_mode & 0o7777 for path in directory.rglob("*")}


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local"])
def test_the_systems_python_finds_it(prefix: str) -> None:
    assert library_of("/usr/bin/python3", prefix).startswith(f"{prefix}/lib/python3")


def test_nobody_would_find_it_there() -> None:
    with pytest.raises(SystemExit, match="does not look for packages below /opt/pyteam/lib"):
        library_of(sys.executable, "/opt/pyteam")


def test_installed_and_taken_away_again(wheel: Path, tmp_path: Path) -> None:
    library = "/usr/local/lib/python3.11/dist-packages"
    # What was there before is there afterwards.
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "usr/local/bin/other").touch()
    install(tmp_path, files(wheel, "/usr/local", sys.executable, library))
    modes = found(tmp_path)
    paths = {name: os.path.normpath(f"usr/local/{name}") for name in EXPECTED}
    assert {name: modes.get(path) for name, path in paths.items()} == EXPECTED
    assert f"{library.lstrip('/')}/pyteam/datapath/ebpf/team.bpf.o" in modes
    assert not [name for name, mode in modes.items() if mode & 0o022]
    assert (
        "ExecStart=/usr/local/bin/teamd -o"
        in (tmp_path / "usr/local/lib/systemd/system/teamd@.service").read_text()
    )
    remove(tmp_path, files(wheel, "/usr/local", sys.executable, library))
    left = [name for name in found(tmp_path) if not (tmp_path / name).is_dir()]
    assert left == ["usr/local/bin/other"]
    assert not [name for name in found(tmp_path) if "pyteam" in name or "teamd" in name]


@pytest.mark.needs("dpkg-deb")
def test_a_debian_package(wheel: Path, tmp_path: Path) -> None:
    made = deb(tmp_path, wheel)
    assert made.name == f"pyteam_{pyteam.__version__}_all.deb"
    fields = subprocess.run(["dpkg-deb", "-f", made], capture_output=True, text=True, check=True).stdout
    assert "Depends: python3 (>= 3.11), libbpf1, procps\n" in fields
    for relation in ("Provides", "Conflicts", "Replaces"):
        assert f"{relation}: libteam-utils\n" in fields
    listed = subprocess.run(["dpkg-deb", "-c", made], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        mode, owner, *_ = line.split()
        assert owner == "root/root", line
        assert mode in ("drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x"), line
        assert not line.endswith((".pyc", "__pycache__/")), line
    assert deb(tmp_path / "again", wheel).read_bytes() == made.read_bytes()
