"""The floors of the tests: what each needs, in which order they run, and what none may leave behind.

A test belongs to the floor whose directory it is in. A floor that cannot run here says why and
skips; where ``CI`` is set it fails, so that nothing goes untested unseen. This file knows nothing
of pyteam but where its BPF object is.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from lab import machine

TESTS: Final = Path(__file__).parent
BPF_OBJECT: Final = TESTS.parent / "src/pyteam/datapath/ebpf/team.bpf.o"
IN_CI: Final = bool(os.environ.get("CI"))
#: In the lab's guest, that is; starting another machine from there would be one too many.
IN_GUEST: Final = machine.SHARED in os.environ


def root() -> str:
    return "" if os.geteuid() == 0 else "needs root"


def kernel() -> str:
    release = os.uname().release
    major, minor = (int("".join(filter(str.isdigit, part))) for part in release.split(".")[:2])
    if (major, minor) < (6, 6):
        return f"needs Linux 6.6 or newer for tcx, this is {release}"
    return "" if Path("/sys/kernel/btf/vmlinux").exists() else "needs a kernel with BTF"


def loader() -> str:
    try:
        ctypes.CDLL("libbpf.so.1")
    except OSError:
        return "needs libbpf.so.1 (Debian: libbpf1)"
    return ""


def programs() -> str:
    return "" if BPF_OBJECT.exists() else "needs the BPF object (make setup)"


def iproute2() -> str:
    return "" if shutil.which("ip") else "needs ip (Debian: iproute2)"


def virtual_machine() -> str:
    return "" if IN_GUEST else machine.missing()


#: Cheapest first; a need answers with the reason why it is not met.
FLOORS: Final[dict[str, tuple[Callable[[], str], ...]]] = {
    "lint": (),
    "unit": (),
    "simulation": (),
    "bpf": (root, kernel, loader, programs),
    "netns": (root, kernel, loader, programs, iproute2),
    "lab": (root, programs, virtual_machine),
}


def floor_of(item: pytest.Item) -> str:
    """The floor of a test: its directory; the linters stand beside the floors."""
    top, *below = item.path.relative_to(TESTS).parts
    floor = top if below else "lint"
    if floor not in FLOORS:
        raise pytest.UsageError(f"{item.path}: {floor} is no floor of the tests ({', '.join(FLOORS)})")
    return floor


# First of all implementations: `-m` selects by the markers that are given here.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(floor_of(item))
    order = list(FLOORS)
    items.sort(key=lambda item: order.index(floor_of(item)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    reasons = [reason for need in FLOORS[floor_of(item)] if (reason := need())]
    for marker in item.iter_markers("needs"):
        reasons += [f"needs {command}" for command in marker.args if not shutil.which(command)]
    if reasons and IN_CI:
        pytest.fail("; ".join(reasons), pytrace=False)
    if reasons:
        pytest.skip("; ".join(reasons))


# What a test may make on the machine; each must be gone when the last test is over.


def names(directory: str) -> set[str]:
    try:
        return set(os.listdir(directory))
    except OSError:
        return set()


def pins() -> set[str]:
    return {str(path) for path in Path("/sys/fs/bpf").rglob("*")}


def daemons() -> set[str]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it has ended meanwhile
        if any(os.path.basename(argument) == b"teamd" for argument in arguments[:2]):
            found.add(f"{process.name} ({b' '.join(arguments).decode(errors='replace').strip()})")
    return found


TRACES: Final[dict[str, Callable[[], set[str]]]] = {
    "namespace": lambda: names("/run/netns"),
    # A switch of the bonding driver's lies among the devices.
    "device": lambda: names("/sys/class/net") - {"bonding_masters"},
    "BPF pin": pins,
    "run file": lambda: names("/var/run/teamd"),
    "daemon": daemons,
}


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails in CI; elsewhere only warns, since somebody else may work on the same machine."""
    before = {kind: trace() for kind, trace in TRACES.items()}
    yield
    left = [f"{kind} {name}" for kind, trace in TRACES.items() for name in sorted(trace() - before[kind])]
    if left and IN_CI:
        pytest.fail(f"left behind by tests: {', '.join(left)}", pytrace=False)
    if left:
        request.node.warn(pytest.PytestWarning(f"left behind by tests: {', '.join(left)}"))


# No test of the lab draws examples, and there the import alone takes seconds.
if not IN_GUEST:
    from hypothesis import settings

    # No deadline: a shared machine stalls, and no test asserts a speed.
    settings.register_profile("pyteam", deadline=None)
    settings.load_profile("pyteam")
