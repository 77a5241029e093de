"""Several rounds of one number."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median, least, most."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        digits = 0 if abs(self.median) >= 100 else 1 if abs(self.median) >= 10 else 2
        shown = f"{self.median:,.{digits}f}"
        if self.low == self.high:
            return shown
        return f"{shown} ({self.low:,.{digits}f} - {self.high:,.{digits}f})"
