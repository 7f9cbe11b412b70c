"""Put pyteam where an installed program's files belong, take it away again, or make a Debian package of it.

    python -m package install|remove --destdir DIR --prefix DIR [--python PROGRAM] WHEEL
    python -m package deb --output DIR WHEEL

All files come from the wheel and from the table below.
"""

from __future__ import annotations

import argparse
import configparser
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pyteam

ROOT: Final = Path(__file__).parent.parent


class Row(NamedTuple):
    """Files of the tree by pattern, and where they go: a directory, or, with ``name``, a file there."""

    pattern: str
    #: Below the prefix; with a leading slash it is not.
    directory: str
    name: str = ""


_TABLE: Final = (
    Row("systemd/*.service", "lib/systemd/system"),
    Row("systemd/*.link", "lib/systemd/network"),
    Row("systemd/teamd.sysusers", "lib/sysusers.d", "teamd.conf"),
    Row("dbus/*.conf", "share/dbus-1/system.d"),
    Row("systemd/teamd.dbus", "share/dbus-1/system.d", "org.libteam.teamd-user.conf"),
    Row("build/*.1", "share/man/man1"),
    Row("build/*.5", "share/man/man5"),
    Row("build/*.8", "share/man/man8"),
    Row("build/*.schema.json", "share/pyteam"),
    Row("completion/_pyteam", "share/zsh/site-functions"),
    Row("README.md", "share/doc/pyteam"),
    Row("CHANGELOG.md", "share/doc/pyteam"),
    Row("LICENSE", "share/doc/pyteam", "copyright"),
    Row("docs/*.md", "share/doc/pyteam/docs"),
    Row("docs/examples/*.conf", "share/doc/pyteam/examples"),
)
#: A completion is loaded by the name of the program.
_COMPLETIONS: Final = (
    ("completion/pyteam.bash", "share/bash-completion/completions", ""),
    ("completion/pyteam.fish", "share/fish/vendor_completions.d", ".fish"),
)
#: Made empty, for the user.
_DIRECTORIES: Final = ("/etc/teamd",)
#: dbus-daemon reads no directory below /usr/local.
_ELSEWHERE: Final = {"/usr/local/share/dbus-1/system.d": "/etc/dbus-1/system.d"}
#: Isolated: neither the caller's directory nor his variables say what code runs as root.
_SCRIPT: Final = """\
#!{python} -I
import sys

from {module} import {function}

sys.exit({function}())
"""


class File(NamedTuple):
    """One file of the installed tree; ``path`` is absolute, as the installed system has it."""

    path: str
    content: bytes
    mode: int = 0o644


def files(wheel: Path, prefix: str, python: str, library: str) -> Iterator[File]:
    """Everything that is installed. ``library``: where ``python`` looks for packages."""
    programs: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            content = archive.read(info)
            if not info.is_dir():
                yield File(f"{library}/{info.filename}", content)
            if info.filename.endswith("/entry_points.txt"):
                parser = configparser.ConfigParser()
                parser.read_string(content.decode())
                for name, target in parser["console_scripts"].items():
                    module, function = target.split(":")
                    text = _SCRIPT.format(python=python, module=module, function=function)
                    programs.append(name)
                    yield File(f"{prefix}/bin/{name}", text.encode(), 0o755)
    for row in _TABLE:
        for path in sorted(ROOT.glob(row.pattern)):
            directory = f"{prefix}/{row.directory}"
            directory = _ELSEWHERE.get(directory, directory)
            content = path.read_bytes().replace(b"/usr/bin/teamd", f"{prefix}/bin/teamd".encode())
            yield File(f"{directory}/{row.name or path.name}", content)
    for pattern, directory, suffix in _COMPLETIONS:
        for path in ROOT.glob(pattern):
            for name in programs:
                yield File(f"{prefix}/{directory}/{name}{suffix}", path.read_bytes())


def install(destdir: Path, everything: Iterator[File]) -> None:
    """Write them; each directory that is made is everybody's to read."""
    for file in everything:
        target = destdir / file.path.lstrip("/")
        _make(target.parent)
        # Beside the old one, which may be running, and then in its place.
        draft = target.with_name(f".{target.name}.new")
        draft.write_bytes(file.content)
        draft.chmod(file.mode)
        draft.replace(target)
    for directory in _DIRECTORIES:
        _make(destdir / directory.lstrip("/"))


def _make(directory: Path) -> None:
    for path in reversed([directory, *directory.parents]):
        if not path.exists():
            path.mkdir(mode=0o755)
            path.chmod(0o755)


def remove(destdir: Path, everything: Iterator[File]) -> None:
    """The files, what Python has compiled of them, and each directory that is empty then."""
    for file in everything:
        target = destdir / file.path.lstrip("/")
        target.unlink(missing_ok=True)
        if target.suffix == ".py":
            shutil.rmtree(target.parent / "__pycache__", ignore_errors=True)
        _prune(target.parent, destdir)
    for directory in _DIRECTORIES:
        _prune(destdir / directory.lstrip("/"), destdir)


def _prune(directory: Path, destdir: Path) -> None:
    """What is empty, and pyteam's by its name."""
    while any("pyteam" in part or part == "teamd" for part in directory.relative_to(destdir).parts):
        try:
            directory.rmdir()
        except OSError:
            return
        directory = directory.parent


def library_of(python: str, prefix: str) -> str:
    """Where an interpreter looks for packages below a prefix. Raises SystemExit: nowhere there."""
    code = "import site, sys; print(*(p for p in site.getsitepackages() if p.startswith(sys.argv[1])))"
    done = subprocess.run(
        [python, "-I", "-c", code, f"{prefix}/lib"], capture_output=True, text=True, check=True
    )
    if not done.stdout.strip():
        raise SystemExit(
            f"{python} does not look for packages below {prefix}/lib: take /usr or /usr/local, or pip"
        )
    return done.stdout.split()[0]


def deb(output: Path, wheel: Path) -> Path:
    """A package for every architecture of this machine's byte order; the path of it."""
    debian = Path(__file__).parent / "debian"
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch, "pyteam")
        tree.mkdir(mode=0o755)
        install(tree, files(wheel, "/usr", "/usr/bin/python3", "/usr/lib/python3/dist-packages"))
        for page in (tree / "usr/share/man").glob("man*/*"):
            (page.parent / f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), 9, mtime=0))
            page.unlink()
        # Debian's zsh looks there for what comes with packages.
        for completion in (tree / "usr/share/zsh").glob("site-functions"):
            completion.rename(completion.with_name("vendor-completions"))
        size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024 + 1
        control = tree / "DEBIAN"
        control.mkdir(mode=0o755)
        for path in debian.iterdir():
            text = path.read_text()
            if path.name == "control":
                text = text.format(version=pyteam.__version__, size=size)
            (control / path.name).write_text(text)
            (control / path.name).chmod(0o644 if path.name == "control" else 0o755)
        output.mkdir(parents=True, exist_ok=True)
        target = output / f"pyteam_{pyteam.__version__}_all.deb"
        # No file is younger than the wheel: the same wheel makes the same package.
        environment = {**os.environ, "SOURCE_DATE_EPOCH": str(int(wheel.stat().st_mtime))}
        command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(target)]
        subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m package")
    parser.add_argument("command", choices=("install", "remove", "deb"))
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--destdir", type=Path, default=Path("/"))
    parser.add_argument("--prefix", default="/usr/local")
    parser.add_argument("--python", default="/usr/bin/python3")
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    asked = parser.parse_args()
    os.umask(0o022)
    if asked.command == "deb":
        print(deb(asked.output, asked.wheel))
        return 0
    prefix = "/" + asked.prefix.strip("/")
    library = library_of(asked.python, prefix)
    everything = files(asked.wheel, prefix, asked.python, library)
    if asked.command == "install":
        install(asked.destdir, everything)
        # Whom the daemon runs as may not write there.
        compiled = [f"-s{asked.destdir}", f"{asked.destdir}{library}/pyteam"]
        subprocess.run([asked.python, "-I", "-m", "compileall", "-q", *compiled], check=True)
    else:
        remove(asked.destdir, everything)
    return 0


if __name__ == "__main__":
    sys.exit(main())
