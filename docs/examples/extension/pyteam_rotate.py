"""Runner ``rotate``: one port carries the traffic, each ``period`` the next one: no spare stays untried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pyteam.extend import (
    Choice,
    Integer,
    Link,
    OptionKey,
    OptionValue,
    Port,
    Runner,
    RunnerKeys,
    Setting,
    one_port,
)


@dataclass(frozen=True, slots=True)
class RotateKeys(RunnerKeys):
    name: Annotated[Literal["rotate"], Choice(meaning="One port at a time, in turn")] = "rotate"
    period: Annotated[int, Integer(minimum=1, unit="s", meaning="How long a port is the active one")] = 3600


class Rotate(Runner):
    name, mode, record, burst_count = "rotate", "activebackup", RotateKeys, 1
    due: float | None = None

    def deadline(self) -> float | None:
        return self.due

    def expire(self, now: float) -> bool:
        return self.due is not None and now >= self.due

    def decide(self, now: float, ports: Sequence[Port], team: Link | None) -> None:
        usable = sorted(port.ifindex for port in ports if port.up)
        if self.expire(now) or self.active not in usable:
            self.active = next((index for index in usable if index > self.active), min(usable, default=0))
            self.due = None
        if self.due is None:
            self.due = now + self.config.period

    def options(self, ports: Sequence[Port]) -> Mapping[OptionKey, OptionValue]:
        return one_port(self.active, ports, sorted(ports, key=lambda port: not port.up))

    def state(self, now: float, ports: Sequence[Port]) -> Mapping[str, Setting]:
        return {"active_port": next((port.name for port in ports if port.ifindex == self.active), "")}
