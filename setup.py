"""Compile the BPF object when pyteam is built; all else about the package is in pyproject.toml.

The object ends up in the wheel, so that no compiler is needed where pyteam runs. BPF bytecode knows
no processor, only a byte order, and CO-RE fits it to the running kernel: hence one wheel for all
machines of the builder's byte order, tagged ``any``.

``python setup.py build_bpf --build-lib src`` compiles into the source tree, which is what an
editable install uses.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build
from setuptools.errors import ExecError

SOURCES = Path("bpf")
#: By source: where the object is in the package.
OBJECTS = {
    "team.bpf.c": "pyteam/datapath/ebpf/team.bpf.o",
    "guard.bpf.c": "pyteam/datapath/kernel/guard.bpf.o",
    "rx_balance.bpf.c": "pyteam/datapath/rxbalance/rx_balance.bpf.o",
}
CFLAGS = ["-g", "-O2", "-Wall", "-Wextra", "-target", "bpf"]


class build_bpf(Command):
    description = "compile the BPF programs"
    user_options = [("build-lib=", "b", "directory that the package is in")]

    def initialize_options(self) -> None:
        self.build_lib: str | None = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def run(self) -> None:
        for source, target in self._targets().items():
            target.parent.mkdir(parents=True, exist_ok=True)
            call("clang", *CFLAGS, *includes(), "-c", str(SOURCES / source), "-o", str(target))
            # The loader reads .BTF and .BTF.ext; DWARF is five sixths of the file.
            call("llvm-strip", "-g", str(target))

    def get_source_files(self) -> list[str]:
        return sorted(str(path) for path in SOURCES.glob("*.[ch]"))

    def get_outputs(self) -> list[str]:
        return [str(target) for target in self._targets().values()]

    def get_output_mapping(self) -> dict[str, str]:
        return {}

    def _targets(self) -> dict[str, Path]:
        base = Path("src" if self.editable_mode else str(self.build_lib))
        return {source: base / target for source, target in OBJECTS.items()}


class build_with_bpf(build):
    sub_commands = [*build.sub_commands, ("build_bpf", None)]


def includes() -> list[str]:
    """Debian keeps ``asm/`` in a directory per architecture, where ``-target bpf`` does not look."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    return [f"-I/usr/include/{multiarch}"] if multiarch else []


def call(program: str, *arguments: str) -> None:
    if shutil.which(program) is None:
        raise ExecError(f"{program} not found: building pyteam needs it (Debian: clang llvm libbpf-dev)")
    status = subprocess.run([program, *arguments], check=False).returncode
    if status:
        raise ExecError(f"{program} failed with status {status}: {' '.join(arguments)}")


setup(cmdclass={"build": build_with_bpf, "build_bpf": build_bpf})
