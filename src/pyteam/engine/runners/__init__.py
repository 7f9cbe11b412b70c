"""The runners by name: the table in which a new one gets its row."""

from __future__ import annotations

from pyteam.config import RunnerConfig
from pyteam.engine.errors import UnsupportedError
from pyteam.engine.runners.activebackup import ActiveBackup
from pyteam.engine.runners.base import Runner
from pyteam.engine.runners.basic import Broadcast, Random, RoundRobin
from pyteam.engine.runners.lacp import Lacp
from pyteam.engine.runners.loadbalance import LoadBalance

#: Third parties' are added by the daemon (entry points ``pyteam.runners``).
RUNNERS: dict[str, type[Runner]] = {
    runner.name: runner for runner in (Broadcast, RoundRobin, Random, ActiveBackup, LoadBalance, Lacp)
}


def make_runner(config: RunnerConfig) -> Runner:
    """Raises `UnsupportedError` for one that this version cannot run."""
    if config.name not in RUNNERS:
        known = ", ".join(RUNNERS)
        raise UnsupportedError(f'runner "{config.name}" is not implemented yet; use one of {known}')
    return RUNNERS[config.name](config)
