"""The columns of docs/interoperability.md, by floor: who is at the other end, and our datapath."""

from __future__ import annotations

import os
from typing import Final

from tests.interop.bonding import Bonding
from tests.interop.openvswitch import OpenVswitch
from tests.interop.original import Original
from tests.interop.partner import Partner

#: Whether every cell is wanted, as for the document; else much of what both datapaths do alike is left out.
EVERY: Final = "PYTEAM_INTEROP" in os.environ

Column = tuple[type[Partner], str]

HOST: Final[tuple[Column, ...]] = ((OpenVswitch, "ebpf"),)
LAB: Final[tuple[Column, ...]] = tuple(
    (partner, datapath) for partner in (Bonding, Original) for datapath in ("kernel", "ebpf")
)


def title(column: Column) -> str:
    partner, datapath = column
    return f"{partner.title}, {datapath}"
