"""What others are told to make the bond. Each writer takes a bond and answers with named texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pyteam.config.bonding.bond import Bond
from pyteam.config.bonding.texts import Text
from pyteam.config.bonding.writers import iproute2, networkd, nmcli
from pyteam.config.report import Report

Writer = Callable[[Bond, Report], Sequence[Text]]

WRITERS: Final[Mapping[str, Writer]] = {
    "iproute2": iproute2.write,
    "networkd": networkd.write,
    "nmcli": nmcli.write,
}
