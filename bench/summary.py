"""Repetitions boiled down to a median with its extremes, and to ratios. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of the repetitions of one measurement."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Raises `ValueError` when there is no value."""
        if not values:
            raise ValueError("no repetitions: nothing to summarise")
        return cls(median(values), min(values), max(values))

    def text(self, digits: int) -> str:
        if self.low == self.high:
            return f"{self.median:.{digits}f}"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Repetition by repetition: neighbours in time are compared, so that slow drift cancels out.

    A repetition in which the base is zero has no ratio. Raises `ValueError` on unequal lengths.
    """
    return [value / other for value, other in zip(values, base, strict=True) if other]
