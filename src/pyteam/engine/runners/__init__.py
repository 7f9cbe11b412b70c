"""The runners by name: the table in which a new one gets its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyteam.config import LacpRunner, RunnerConfig, extensions
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.runners.activebackup import ActiveBackup
from pyteam.engine.runners.base import Runner
from pyteam.engine.runners.basic import Broadcast, Random, RoundRobin
from pyteam.engine.runners.loadbalance import LoadBalance


def _lacp(config: LacpRunner) -> Runner:
    # A fifteenth of teamd's start, and most teams have no use for it.
    from pyteam.engine.runners.lacp import Lacp

    return Lacp(config)


#: Third parties' are not here; they are in use once a configuration has named them.
RUNNERS: dict[str, Callable[[Any], Runner]] = {
    **{runner.name: runner for runner in (Broadcast, RoundRobin, Random, ActiveBackup, LoadBalance)},
    "lacp": _lacp,
}


def make_runner(config: RunnerConfig) -> Runner:
    """Raises `UnsupportedError` for one that this version cannot run."""
    if config.name in RUNNERS:
        return RUNNERS[config.name](config)
    # Whoever read the configuration has loaded it: there is no looking for anything here.
    found = extensions.loaded(extensions.RUNNERS).get(config.name)
    if found is None:
        known = ", ".join(RUNNERS)
        raise UnsupportedError(f'runner "{config.name}" is not implemented yet; use one of {known}')
    if not (isinstance(found, type) and issubclass(found, Runner)):
        raise UnsupportedError(f'runner "{config.name}": {found!r} is no pyteam.extend.Runner')
    return found(config)
