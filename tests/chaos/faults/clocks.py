"""The wall clock of a host is set, and set right again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

ROLES = ("web", "worker", "maintenance", "beat")


class ClockLeaps(Fault):
    """A process is up to two hours ahead, or behind; others and the database are not."""

    resource, weight = "clock", 3
    holds = (1.0, 6.0)

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.role = rng.choice(ROLES)
        self.seconds = rng.choice([-1, 1]) * rng.choice([2.0, 40.0, 900.0, 7200.0])

    def inject(self, stage: Stage) -> None:
        self.slot, process = stage.victim(self.role, self.number)
        self.detail = f"{process.name} by {self.seconds:+.0f} s"
        stage.set_clock(self.slot, self.seconds)

    def heal(self, stage: Stage) -> None:
        stage.set_clock(self.slot, 0.0)
