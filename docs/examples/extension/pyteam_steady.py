"""Link watch ``steady``: up while the carrier is, but not where it was lost too often of late."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pyteam.extend import Choice, Integer, LinkWatch, Setting


@dataclass(frozen=True, slots=True)
class SteadyKeys:
    name: Annotated[Literal["steady"], Choice(meaning="How the link of a port is judged")] = "steady"
    losses: Annotated[int, Integer(minimum=1, meaning="Losses of carrier that are tolerated")] = 3
    window: Annotated[int, Integer(minimum=1, unit="ms", meaning="Time in which they are counted")] = 60_000


class Steady(LinkWatch):
    name, record = "steady", SteadyKeys

    def __init__(self, config: Any, up: bool = False) -> None:
        super().__init__(config, up)
        self.usable = False
        self.lost: list[float] = []

    @property
    def deadline(self) -> float | None:
        return self.lost[0] + self.config.window / 1000 if self.lost else None

    def see(self, now: float, usable: bool) -> bool:
        if self.usable and not usable:
            self.lost.append(now)
        self.usable = usable
        return self.expire(now, usable)

    def expire(self, now: float, usable: bool) -> bool:
        self.lost = [then for then in self.lost if now < then + self.config.window / 1000]
        return self.judge(usable and len(self.lost) <= self.config.losses)

    def settings(self) -> Mapping[str, Setting]:
        return {"losses": len(self.lost), "tolerated": self.config.losses, "window": self.config.window}
