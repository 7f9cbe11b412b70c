"""A machine that is thrown away: this one's files under an overlay, its own network, its own systemd.

What is installed there is real, and gone when the machine is. What is under /usr/local, /opt and /root is
hidden from it, so that only what Debian's packages bring is found.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.netns.teams import Done

#: Seconds until a machine that hangs is switched off.
PATIENCE: Final = 90.0
#: Everything is mounted in a namespace of the holder's, and goes with it. $0 is an empty directory.
HOLDER: Final = """
mount -t tmpfs none "$0"
mkdir "$0/upper" "$0/work" "$0/root" "$0/shared"
mount -t overlay none -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root"
for name in tmp run root opt usr/local; do mount -t tmpfs none "$0/root/$name"; done
mkdir -p "$0/root/shared"
mount --bind "$0/shared" "$0/root/shared"
# systemd-nspawn leaves directories in /run.
mount -t tmpfs none /run
echo ready
exec cat
"""
#: The one thing that the machine does; then it is switched off.
UNIT: Final = """
[Unit]
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash /shared/script
StandardOutput=file:/shared/said
StandardError=file:/shared/said
"""


class Machine:
    """Made by `machine`; ``shared`` is a directory of it that is here as well."""

    def __init__(self, holder: int, directory: Path) -> None:
        self._holder = holder
        self._root = directory / "root"
        inside = Path(f"/proc/{holder}/root{directory}")
        self.shared = inside / "shared"
        #: What has been changed of the files that it began with.
        self.upper = inside / "upper"

    def run(self, *argv: str) -> Done:
        """A program of the machine's, while it is switched off."""
        proc = 'mount -t proc none "$0/proc"; mount --rbind /dev "$0/dev"; chroot "$0" "$@"'
        done = self._enter("unshare", "--mount", "sh", "-c", proc, str(self._root), *argv)
        return Done(done.returncode, done.stdout, done.stderr)

    def boot(self, steps: Mapping[str, str]) -> dict[str, str]:
        """Switch it on, do these steps (in shell) in order, and off: what each said, by its name."""
        script = [f"echo '== {name}'\n( {step}\n)" for name, step in steps.items()]
        (self.shared / "script").write_text("\n".join(["set -u", *script, "echo '== end'", ""]))
        (self.shared / "check.service").write_text(UNIT)
        self.run("cp", "/shared/check.service", "/etc/systemd/system/check.service")
        words = ("--register=no", "--keep-unit", "--private-network", "--capability=all", "--quiet")
        console = self._enter(
            *(
                "systemd-nspawn",
                *words,
                "--system-call-filter=bpf",
                f"--bind={self._root.parent}/shared:/shared",
            ),
            *(f"--directory={self._root}", "--machine=pyteam-test"),
            *("/lib/systemd/systemd", "--unit=check.service", "--log-target=console"),
        )
        said = self.shared / "said"
        assert said.exists(), console.stdout + console.stderr
        answers: dict[str, str] = {}
        name = ""
        for line in said.read_text().splitlines(keepends=True):
            if line.startswith("== "):
                name = line[3:].strip()
                answers[name] = ""
            else:
                answers[name] += line
        assert "end" in answers, console.stdout + said.read_text()
        return answers

    def _enter(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", f"--target={self._holder}", "--mount", *argv],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@contextmanager
def machine(directory: Path) -> Iterator[Machine]:
    """``directory`` is empty, and so it is afterwards. RuntimeError: there can be none here."""
    with subprocess.Popen(
        ["unshare", "--mount", "sh", "-ec", HOLDER, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as holder:
        try:
            assert holder.stdout
            assert holder.stderr
            if holder.stdout.readline() != b"ready\n":
                raise RuntimeError(holder.stderr.read().decode())
            yield Machine(holder.pid, directory)
        finally:
            holder.kill()
