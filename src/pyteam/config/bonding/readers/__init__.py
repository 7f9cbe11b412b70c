"""What others call a bond, or a team, read. Each reader takes named texts and answers with one of the two.

All mistakes of all texts are reported at once; what is read over is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from pyteam.config.bonding.bond import Bond
from pyteam.config.bonding.readers import ifcfg, iplink, netplan, networkd, teamd
from pyteam.config.bonding.texts import Text
from pyteam.config.document import Document
from pyteam.config.report import Report


class Reader(NamedTuple):
    #: Texts, the name of the wanted bond (empty: the only one), report. Raises `ConfigError`.
    read: Callable[[Sequence[Text], str, Report], Bond | Document]
    #: Names of files that are read when a directory is given.
    files: tuple[str, ...]
    #: What it is, for the help.
    help: str


READERS: Final[Mapping[str, Reader]] = {
    "teamd": Reader(teamd.read, ("*.conf",), "teamd.conf"),
    "ifcfg": Reader(ifcfg.read, ("ifcfg-*",), "ifcfg files of a bond or a team"),
    "networkd": Reader(networkd.read, ("*.netdev", "*.network"), ".netdev and .network files"),
    "netplan": Reader(netplan.read, ("*.yaml", "*.yml"), "netplan's YAML"),
    "iproute2": Reader(iplink.read, ("*.json",), "what `ip -j -d link show` prints"),
}
