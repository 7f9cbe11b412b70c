"""What is shipped: a wheel carries the BPF object and works where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "bpf", "src")
OBJECTS = tuple(
    f"pyteam/datapath/{name}.bpf.o" for name in ("ebpf/team", "kernel/guard", "rxbalance/rx_balance")
)

ELF_MAGIC = b"\x7fELF"
EM_BPF = 247  # linux/elf-em.h


def run(*command: str | Path, path: str = os.environ["PATH"], cwd: Path = ROOT, status: int = 0) -> str:
    """Both outputs of a command that is to end with ``status``."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def build(
    hook: str, source: Path, target: Path, path: str = os.environ["PATH"], status: int = 0
) -> tuple[Path, str]:
    """Call a hook of the build backend, as pip does, but without downloading an environment for it."""
    code = f"import sys; from setuptools import build_meta; build_meta.{hook}(sys.argv[1])"
    target.mkdir()
    output = run(sys.executable, "-c", code, target, cwd=source, path=path, status=status)
    return next(target.iterdir(), target), output


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the package is built from, with nothing built in it."""
    copy = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("*.o", "*.egg-info", "__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built, _ = build("build_wheel", source, tmp_path_factory.mktemp("wheel") / "dist")
    return built


@pytest.mark.needs("clang", "llvm-strip")
@pytest.mark.parametrize("name", OBJECTS)
def test_wheel_is_for_any_machine_and_carries_the_objects(wheel: Path, name: str) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(name)
    assert data.startswith(ELF_MAGIC)
    assert int.from_bytes(data[18:20], sys.byteorder) == EM_BPF
    assert b".BTF.ext" in data
    assert b".debug_info" not in data


@pytest.mark.needs("clang", "llvm-strip")
def test_wheel_runs_without_a_compiler(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin/python"
    run(sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", "--no-index", wheel)
    # Dependencies as they are here: a plain path, from which no editable pyteam is picked up.
    site = next((home / "lib").glob("python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("platlib"))

    code = "from importlib.resources import files; print(files('pyteam') / 'datapath/ebpf/team.bpf.o')"
    carried = Path(run(python, "-c", code, path="", cwd=tmp_path).strip())
    assert carried.is_file()
    assert carried.is_relative_to(site)
    for script in ("teamd", "teamdctl"):
        assert script in run(home / "bin" / script, "--help", path="", cwd=tmp_path)


@pytest.mark.needs("clang", "llvm-strip")
def test_source_distribution_can_be_built(source: Path, tmp_path: Path) -> None:
    archive, _ = build("build_sdist", source, tmp_path / "sdist")
    run("tar", "-xf", archive, cwd=tmp_path)
    unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
    assert not list(unpacked.rglob("*.o"))
    built, _ = build("build_wheel", unpacked, tmp_path / "wheel")
    with zipfile.ZipFile(built) as wheel:
        assert set(OBJECTS) <= set(wheel.namelist())


def test_build_without_a_compiler_names_it(source: Path, tmp_path: Path) -> None:
    _, output = build("build_wheel", source, tmp_path / "dist", path="", status=1)
    assert output.splitlines()[-1] == (
        "error: clang not found: building pyteam needs it (Debian: clang llvm libbpf-dev)"
    )
