"""The linters as tests: style (ruff), types (mypy --strict), direction of imports (import-linter), C.

What they check is configured in pyproject.toml.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
CODE = ("src", "tests", "bench", "demo", "docs", "lab", "manual", "package")
TYPED = [name for name in CODE if any((ROOT / name).rglob("*.py"))]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "--quiet", "--output-format=concise"], id="ruff-check"),
        pytest.param(["ruff", "format", "--quiet", "--diff"], id="ruff-format"),
        pytest.param(["mypy", "--no-error-summary", *TYPED], id="mypy"),
        pytest.param(["lint-imports", "--no-cache"], id="import-linter"),
    ],
)
def test_linter_is_silent(command: list[str]) -> None:
    done = subprocess.run([SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


@pytest.mark.needs("clang", "llvm-strip")
def test_compiler_is_silent(tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "build_bpf", "--build-lib", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode or done.stdout or done.stderr:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
