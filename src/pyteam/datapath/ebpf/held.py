"""The BPF programs and maps that this process holds, by the kernel's ids.

To open one by its id takes CAP_SYS_ADMIN; what is held need not be opened. A process that dies can have its
descriptors kept by who started it, and its successor begins with them (`accept`): so neither needs that
capability. Must not know what the programs are for, nor who keeps them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Final, Literal

Kind = Literal["program", "map"]

#: What /proc calls their descriptors.
_KINDS: Final[dict[str, Kind]] = {"anon_inode:bpf-prog": "program", "anon_inode:bpf-map": "map"}
#: By descriptor: the name of what it stands for; and the other way round.
_names: dict[int, str] = {}
_fds: dict[str, list[int]] = {}
#: From a predecessor, until `dismiss`.
_inherited: list[int] = []
_watchers: list[Callable[[], object]] = []


def kind_of(fd: int) -> Kind | None:
    """None: it stands for something else."""
    try:
        return _KINDS.get(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:
        return None


def watch(callback: Callable[[], object]) -> None:
    """Call it after each change, from here on."""
    _watchers.append(callback)


def note(fd: int, kind: Kind, number: int) -> None:
    """This process holds it from here on, until `forget`."""
    forget(fd)
    _names[fd] = name = f"{kind}-{number}"
    _fds.setdefault(name, []).append(fd)
    _tell()


def forget(fd: int) -> None:
    """To be called before it is closed."""
    name = _names.pop(fd, None)
    if name is None:
        return
    _fds[name].remove(fd)
    if not _fds[name]:
        del _fds[name]
    _tell()


def _tell() -> None:
    for callback in _watchers:
        callback()


def find(kind: Kind, number: int) -> int:
    """A descriptor, which is not the caller's to close; 0: not held."""
    return next(iter(_fds.get(f"{kind}-{number}", ())), 0)


def everything() -> dict[str, int]:
    """A descriptor of each by its name, which tells them apart."""
    return {name: fds[0] for name, fds in _fds.items()}


def accept(objects: Iterable[tuple[int, Kind, int]]) -> None:
    """Descriptors that a predecessor had, with kind and id of each: they are ours now."""
    for fd, kind, number in objects:
        note(fd, kind, number)
        _inherited.append(fd)


def dismiss() -> None:
    """Whoever wanted something of a predecessor's has taken it."""
    for fd in _inherited:
        forget(fd)
        with contextlib.suppress(OSError):
            os.close(fd)
    _inherited.clear()
