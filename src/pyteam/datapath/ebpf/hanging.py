"""Programs that hang somewhere already, found by name, and their maps. Must not know whose they are."""

from __future__ import annotations

from collections.abc import Container, Iterable

from pyteam.datapath.ebpf import libbpf


def find_program(ifindex: int, hook: int, names: Container[str]) -> int:
    """A descriptor of the first program on a hook that has one of the names; 0: none there has."""
    for program_id in libbpf.attached(ifindex, hook):
        fd = libbpf.program_by_id(program_id)
        if libbpf.program_name(fd) in names:
            return fd
        libbpf.close(fd)
    return 0


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
