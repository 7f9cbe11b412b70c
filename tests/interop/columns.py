"""The columns of docs/interoperability.md, by floor: who is at the other end, and our datapath."""

from __future__ import annotations

from typing import Final

from tests.interop.openvswitch import OpenVswitch
from tests.interop.partner import Partner

Column = tuple[type[Partner], str]

HOST: Final[tuple[Column, ...]] = ((OpenVswitch, "ebpf"),)


def title(column: Column) -> str:
    partner, datapath = column
    return f"{partner.title}, {datapath}"
