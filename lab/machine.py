"""A virtual machine that boots the lab's kernel on this machine's own files and runs one command.

Owns how it is booted, what is carried into its memory and how its answers come back; must not know
what the command does. Nothing is installed in it: it sees the root directory of this machine,
read-only, and every change that it makes is lost.

Emulated, as there may be no KVM, a guest is some 14 times slower than its host, and an operation on a
file of the host takes it 10 ms. So what a job uses all the time is carried over once, in one archive,
and laid over the originals in the guest's memory: same paths, other storage.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
KERNEL: Final = ROOT / ".lab"
VNG: Final = Path(sysconfig.get_path("scripts"), "vng")
#: Environment variable of everything that runs in the guest: the directory shared with the host.
SHARED: Final = "PYTEAM_LAB"
#: Seconds that a machine may run.
LONGEST: Final = 3600
#: Seconds that a machine has to end when it is told to.
GRACE: Final = 5

#: Two emulated processors on two threads lose the race in which one patches the kernel's code under the
#: other: an "int3" oops in half of the boots. Two on one thread are no faster than one.
MACHINE: Final = ("--disable-kvm", "--force-9p", "--cpus=1", "--memory=2G", "--user=root")
#: Errors of the kernel reach its console: the one that is shown when a guest dies.
BOOT: Final = ("--verbose", "--append=quiet loglevel=4")
#: Hardening that costs an emulated processor a fifth of its time and changes no behaviour.
FAST: Final = ("--append=mitigations=off init_on_alloc=0 no5lvl",)
#: The clock of a busy guest counts its instructions, 1 ns each: whoever has a deadline in there keeps it,
#: however busy the host is. Takes longer by the host's clock.
COUNTING: Final = ("--qemu-opts=-icount shift=0,sleep=on",)

#: Directories of the project that jobs use.
CARRIED: Final = ("src", "tests", "lab", "bench", "pyproject.toml")
#: Distributions that jobs import, besides the project's own and what all of these require.
DISTRIBUTIONS: Final = ("pyteam", "pytest", "pytest-timeout", "pyroute2")
#: Programs that tests call again and again; the original's by path, since ours have the same names.
PROGRAMS: Final = (
    *("sh", "bash", "env", "cat", "sleep", "nsenter", "unshare"),
    *("ip", "ethtool", "ping", "tcpdump"),
)
PEERS: Final = (
    *("/usr/bin/teamd", "/usr/bin/teamdctl", "/usr/bin/teamnl"),
    *("/usr/sbin/NetworkManager", "/usr/bin/nmcli", "/usr/bin/dbus-daemon"),
)
#: Parts of the standard library that no job imports, and files that are no use.
LEFT: Final = re.compile(
    r"(^|/)(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|distutils|pydoc_data|config-[^/]*|"
    r"site-packages|dist-packages|(_tkinter|_curses|_curses_panel|_sqlite3|_dbm|_gdbm|nis|readline|_test)"
    r"[^/]*\.so|[^/]*\.opt-\d\.pyc)$"
)


class MachineError(Exception):
    """The machine did not start, or ended before its command did; the text has its last words."""


def missing() -> str:
    """Why no machine can be started here; empty when one can."""
    if not VNG.exists():
        return "needs vng (virtme-ng, from the project's extra `test`)"
    if not shutil.which("qemu-system-x86_64"):
        return "needs qemu-system-x86_64 (make lab-packages)"
    if absent := [name for name in PROGRAMS if not shutil.which(name)]:
        return f"needs {', '.join(absent)} (make setup)"
    return "" if _images() else "needs the kernel of the lab (make lab-packages)"


def _images() -> list[Path]:
    return sorted(KERNEL.glob("boot/vmlinuz-*"))


class Machine:
    """One boot and one command in it, from `with` to the end of its block.

    ``environment`` is added to the guest's own, which is empty but for PATH, HOME and `SHARED`.
    ``options`` go to vng; ``longest`` is the seconds that the machine may run. Raises `MachineError` when
    there is no kernel to boot.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] = MappingProxyType({}),
        options: Sequence[str] = FAST,
        longest: float = LONGEST,
    ) -> None:
        self._command = command
        self._environment = environment
        self._options = options
        self._longest = longest
        self._process: subprocess.Popen[bytes] | None = None
        #: A directory that both sides see and write.
        self.shared = Path()

    def __enter__(self) -> Self:
        if reason := missing():
            raise MachineError(reason)
        self.shared = Path(tempfile.mkdtemp(prefix="pyteam-lab-"))
        prepare(self.shared, self._command, self._environment)
        with (self.shared / "boot").open("wb") as boot:
            self._process = subprocess.Popen(
                command_line(self.shared, *BOOT, *self._options),
                stdin=subprocess.DEVNULL,
                stdout=boot,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=_environment(),
                # A group of its own: vng starts QEMU, and both have to end together.
                start_new_session=True,
            )
        self._deadline = time.monotonic() + self._longest
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self._process.poll() is None:
                    os.killpg(self._process.pid, number)
                    try:
                        self._process.wait(GRACE)
                    except subprocess.TimeoutExpired:
                        continue
        shutil.rmtree(self.shared)

    @property
    def running(self) -> bool:
        """Whether more may come. A machine that has run for too long is none that runs."""
        assert self._process is not None, "not started"
        return self._process.poll() is None and time.monotonic() < self._deadline

    def wait(self) -> int:
        """The exit code of the command. Raises `MachineError` when it never ended."""
        while self.running:
            time.sleep(0.1)
        try:
            return int((self.shared / "code").read_text())
        except FileNotFoundError:
            raise MachineError(f"the guest ended before its command did\n{self.last_words()}") from None

    def follow(self, write: Callable[[str], object]) -> int:
        """Hand on what the command prints while it runs; its exit code. Raises `MachineError`."""
        shown, more = 0, True
        while more:
            time.sleep(0.1)
            more = self.running
            text = self.console()[shown:]
            write(text)
            shown += len(text)
        return self.wait()

    def console(self) -> str:
        """What the command has printed so far."""
        path = self.shared / "console"
        return path.read_text(errors="replace") if path.exists() else ""

    def last_words(self) -> str:
        """The end of what the kernel and the command said."""
        boot = (self.shared / "boot").read_text(errors="replace")
        said = [*boot.splitlines()[-40:], "command:", *self.console().splitlines()[-40:]]
        return "\n".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line) for line in said)


def command_line(shared: Path, *options: str) -> list[str]:
    """How vng is called: the newest kernel there is, and lab/guest.sh as what runs in it."""
    guest = shlex.join([str(ROOT / "lab/guest.sh"), str(shared)])
    return [str(VNG), f"--run={_images()[-1]}", *MACHINE, f"--rwdir={shared}", *options, f"--exec={guest}"]


def _environment() -> dict[str, str]:
    # vng starts its other half by name.
    return {**os.environ, "PATH": f"{VNG.parent}:{os.environ['PATH']}"}


def prepare(shared: Path, command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Fill the shared directory with what lab/guest.sh asks for."""
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", SHARED: str(shared)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in {**variables, **environment}.items()]
    lines += [f"cd {shlex.quote(str(ROOT))}", shlex.join(command), "exit $?"]
    (shared / "job").write_text("\n".join(lines) + "\n")
    standard = Path(sysconfig.get_path("stdlib"))
    carried = [*(ROOT / name for name in CARRIED), *_binaries()]
    places = [standard, Path(sys.prefix), *carried]
    (shared / "fstab").write_text("".join(f"/run/lab{place} {place} none bind 0 0\n" for place in places))
    with tarfile.open(shared / "carried.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(standard, filter=lambda member: None if LEFT.search(member.name) else member)
        for path in carried:
            archive.add(path)
        for path in sorted({*_distributed(), *_interpreter()}):
            archive.add(path, recursive=False)


def _interpreter() -> Iterator[Path]:
    """What makes a directory a virtual environment."""
    yield Path(sys.prefix, "pyvenv.cfg")
    yield from Path(sys.prefix, "bin").glob("python*")


def _binaries() -> Iterator[Path]:
    """The interpreter, `PROGRAMS` and every library that they and its modules load."""
    programs = [Path(sys.executable).resolve()]
    programs += [Path(found).resolve() for name in (*PROGRAMS, *PEERS) if (found := shutil.which(name))]
    modules = (
        m for m in Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so") if not LEFT.search(m.name)
    )
    said = subprocess.run(
        ["ldd", *map(str, (*programs, *modules))], capture_output=True, text=True, check=False
    ).stdout
    libraries = {Path(found).resolve() for found in re.findall(r"(/\S+) \(0x", said)}
    yield from programs
    yield from sorted(libraries)


def _distributed(names: Iterable[str] = DISTRIBUTIONS) -> set[Path]:
    """The files of these distributions and of all that they require without extras."""
    found: set[Path] = set()
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # required on other systems only
        for file in distribution.files or ():
            path = Path(os.path.normpath(str(distribution.locate_file(file))))
            if path.exists():
                found.add(path)
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                waiting += re.findall(r"^[\w.-]+", requirement)
    return found


def shell() -> int:
    """A prompt in a machine, on this terminal; returns vng's exit code. Raises `MachineError`."""
    if reason := missing():
        raise MachineError(reason)
    command = [str(VNG), f"--run={_images()[-1]}", *MACHINE, *FAST]
    return subprocess.run(command, env=_environment(), cwd=ROOT, check=False).returncode
