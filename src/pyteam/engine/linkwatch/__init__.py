"""The link watches by name: the table in which a new one gets its row."""

from __future__ import annotations

from pyteam.config import LinkWatchConfig
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.linkwatch.arp_ping import ArpPing
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.linkwatch.ethtool import Ethtool
from pyteam.engine.linkwatch.nsna_ping import NsnaPing
from pyteam.engine.linkwatch.tipc import Tipc

#: Third parties' are added by the daemon (entry points ``pyteam.link_watches``).
LINK_WATCHES: dict[str, type[LinkWatch]] = {watch.name: watch for watch in (Ethtool, ArpPing, NsnaPing, Tipc)}


def watch_class(config: LinkWatchConfig) -> type[LinkWatch]:
    """Raises `UnsupportedError` for one that this version cannot run."""
    if config.name not in LINK_WATCHES:
        known = ", ".join(LINK_WATCHES)
        raise UnsupportedError(f'link_watch "{config.name}" is not implemented yet; use one of {known}')
    return LINK_WATCHES[config.name]
