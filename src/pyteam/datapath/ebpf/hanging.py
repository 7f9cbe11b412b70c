"""Programs that hang somewhere already, found by name, and their maps. Must not know whose they are."""

from __future__ import annotations

import errno
from collections.abc import Container, Iterable

from pyteam.datapath.ebpf import libbpf
from pyteam.datapath.interface import DatapathError


def find_program(ifindex: int, hook: int, names: Container[str]) -> int:
    """A descriptor of the first program on a hook that has one of the names; 0: none there has."""
    for program_id in libbpf.attached(ifindex, hook):
        fd = open_program(program_id)
        if fd and libbpf.program_name(fd) in names:
            return fd
        if fd:
            libbpf.close(fd)
    return 0


def open_program(program_id: int) -> int:
    """A descriptor; 0: we may not look at it, so it is taken for somebody else's."""
    try:
        return libbpf.program_by_id(program_id)
    except DatapathError as error:
        if error.errno not in (errno.EPERM, errno.ENOENT):
            raise
        return 0


def are_readable(ifindex: int, hook: int) -> bool:
    """Whether all programs on a hook can be looked at."""
    programs = [open_program(program_id) for program_id in libbpf.attached(ifindex, hook)]
    for fd in filter(None, programs):
        libbpf.close(fd)
    return all(programs)


def open_maps(programs: Iterable[int]) -> dict[str, int]:
    """Descriptors of the maps that these programs hold, by name; of two with one name the first."""
    maps: dict[str, int] = {}
    for program in programs:
        for map_id in libbpf.program_maps(program):
            fd = libbpf.map_by_id(map_id)
            name = libbpf.map_shape(fd)[0]
            if name in maps:
                libbpf.close(fd)
            else:
                maps[name] = fd
    return maps
