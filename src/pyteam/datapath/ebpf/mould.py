"""Loading the same programs again, for another team: what libbpf made of them once, with other maps.

libbpf reads the object and all types of the kernel each time, which takes several times as long as what the
kernel has to do with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pyteam.datapath.ebpf import bytecode, libbpf
from pyteam.datapath.ebpf.bytecode import LOAD_IMMEDIATE, PSEUDO_MAP, PSEUDO_MAP_VALUE, Code
from pyteam.datapath.ebpf.libbpf import MapModel
from pyteam.datapath.ebpf.splice import btf, function_info


@dataclass(frozen=True, slots=True)
class Mould:
    """Holds nothing of the kernel's. Maps are by the names that libbpf has for them."""

    #: By name: instructions, in which maps have the descriptors of ``descriptors``.
    programs: Mapping[str, Code]
    descriptors: Mapping[int, str]
    models: Mapping[str, MapModel]

    @classmethod
    def of(cls, loaded: libbpf.Object) -> Self:
        return cls(
            {name: bytecode.decode(loaded.instructions(name)) for name in loaded.programs},
            {fd: name for name, fd in loaded.maps.items()},
            {name: libbpf.map_model(fd) for name, fd in loaded.maps.items()},
        )

    def make_maps(self) -> dict[str, int]:
        """New and empty ones: their descriptors, by name."""
        made: dict[str, int] = {}
        try:
            for name, model in self.models.items():
                made[name] = libbpf.create_map(model)
        except BaseException:
            for fd in made.values():
                libbpf.close(fd)
            raise
        return made

    def code(self, program: str, maps: Mapping[str, int]) -> Code:
        """The program for these maps."""
        return [
            instruction._replace(immediate=maps[self.descriptors[instruction.immediate]])
            if instruction.code == LOAD_IMMEDIATE and instruction.source in (PSEUDO_MAP, PSEUDO_MAP_VALUE)
            else instruction
            for instruction in self.programs[program]
        ]


def load(name: str, code: Code) -> int:
    """A program for tcx hooks; its descriptor."""
    return libbpf.load_program(name, bytecode.encode(code), btf(), function_info(code))
