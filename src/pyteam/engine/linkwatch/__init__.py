"""The link watches by name: the table in which a new one gets its row."""

from __future__ import annotations

from pyteam.config import LinkWatchConfig, extensions
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.linkwatch.arp_ping import ArpPing
from pyteam.engine.linkwatch.base import LinkWatch
from pyteam.engine.linkwatch.ethtool import Ethtool
from pyteam.engine.linkwatch.nsna_ping import NsnaPing
from pyteam.engine.linkwatch.tipc import Tipc

#: Third parties' are not here; they are in use once a configuration has named them.
LINK_WATCHES: dict[str, type[LinkWatch]] = {watch.name: watch for watch in (Ethtool, ArpPing, NsnaPing, Tipc)}


def watch_class(config: LinkWatchConfig) -> type[LinkWatch]:
    """Raises `UnsupportedError` for one that this version cannot run."""
    # Whoever read the configuration has loaded it: there is no looking for anything here.
    found = {**extensions.loaded(extensions.LINK_WATCHES), **LINK_WATCHES}.get(config.name)
    if found is None:
        known = ", ".join(LINK_WATCHES)
        raise UnsupportedError(f'link_watch "{config.name}" is not implemented yet; use one of {known}')
    if not (isinstance(found, type) and issubclass(found, LinkWatch)):
        raise UnsupportedError(f'link_watch "{config.name}": {found!r} is no pyteam.extend.LinkWatch')
    return found
