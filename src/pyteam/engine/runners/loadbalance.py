"""Runner ``loadbalance``: every port that is up carries traffic, and a hash of the packet says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyteam.config import LoadBalanceRunner, TeamConfig
from pyteam.engine.desired import Actual
from pyteam.engine.port import Port
from pyteam.engine.runners.base import Runner
from pyteam.engine.snapshot import Setting
from pyteam.engine.spread import Spread
from pyteam.link import Link
from pyteam.options import OptionKey, OptionValue


class LoadBalance(Runner):
    """A port is enabled while its watches say that it is up."""

    name = mode = "loadbalance"

    def __init__(self, config: LoadBalanceRunner) -> None:
        super().__init__(config)
        self._spread = Spread(config.tx_hash, config.tx_balancer)
        if config.rx_balancer.name is not None:
            # Neighbours are told one port's MAC or another's.
            self.hwaddr_policy = "own"

    def objections(self, config: LoadBalanceRunner) -> Sequence[str]:
        if config.rx_balancer == self.config.rx_balancer:
            return ()
        # Its programs hang on the ports from the first moment, and ports have MACs of their own.
        return ("runner.rx_balancer: cannot change while the team runs.",)

    def reconfigure(self, now: float, config: LoadBalanceRunner) -> None:
        super().reconfigure(now, config)
        self._spread.configure(config.tx_hash, config.tx_balancer)

    def adopt(self, actual: Actual) -> None:
        self._spread.adopt(actual)

    def team_options(self, config: TeamConfig) -> dict[OptionKey, OptionValue]:
        spread = {OptionKey(name): value for name, value in self._spread.settings().items()}
        return super().team_options(config) | spread

    def see(self, now: float, key: OptionKey, value: OptionValue) -> bool:
        self._spread.see(now, key, value)
        return False

    def remarks(self) -> Sequence[str]:
        return self._spread.remarks()

    def deadline(self) -> float | None:
        return self._spread.deadline

    def expire(self, now: float) -> bool:
        return self._spread.expire(now)

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        self._spread.use({port.ifindex: port.config.weight for port in ports if port.up})

    def port_state(self, now: float, port: Port) -> Mapping[str, Setting]:
        return {"entries": self._spread.count(port.ifindex), "weight": port.config.weight}

    def options(self, ports: Sequence[Port]) -> Mapping[OptionKey, OptionValue]:
        # One that is still to be added will be enabled, and by then its watches have an opinion.
        enabled = {OptionKey("enabled", port.ifindex): port.up for port in ports if port.joined}
        return {**enabled, **self._spread.options()}
