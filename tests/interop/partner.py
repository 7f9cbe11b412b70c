"""Who is at the other ends of the cables: what a trial asks of any implementation of LACP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from tests.interop.end import End

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
#: Of all partners in the lab.
TOO_SLOW: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(
        ("our_restart", "our_crash"), "not tried: an emulated start takes longer than three seconds"
    )
)


@dataclass(frozen=True)
class Wishes:
    """How it is to be configured. ``system``: the number in its system's MAC."""

    active: bool = True
    fast: bool = True
    system: int = 1

    @property
    def mac(self) -> str:
        return f"02:00:00:00:99:{self.system:02x}"


class Partner(ABC):
    """``device``: its aggregate. Made and closed by a trial; ``start`` after ``stop`` is a restart."""

    #: As the document calls it.
    title: ClassVar[str]
    #: By the name of a row's function: why it is not tried.
    cannot: ClassVar[Mapping[str, str]] = NOTHING

    def __init__(self, end: End, directory: Path, cables: Sequence[str], device: str = "agg0") -> None:
        self.end = end
        self.directory = directory
        self.cables = tuple(cables)
        self.device = device

    @abstractmethod
    def start(self, wishes: Wishes) -> None:
        """With its cables up and its address on the aggregate."""

    @abstractmethod
    def stop(self) -> None:
        """The aggregate is gone, the cables are there, and down or up."""

    @abstractmethod
    def in_use(self) -> set[str]:
        """The ports that it sends by."""

    def close(self) -> None:  # noqa: B027, most have nothing
        """What its namespace does not take with it."""
