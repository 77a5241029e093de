"""What a fault is: something that is done to the stage and, after a while, taken back."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tests.chaos.stage import Stage


class Fault:
    """`inject`, `hold` seconds, `heal`. Two faults of one `resource` do not overlap."""

    resource: ClassVar[str] = "none"
    weight: ClassVar[int] = 2
    database: ClassVar[str] = ""  # the only kind of database that it is for
    holds: ClassVar[tuple[float, float]] = (0.0, 0.0)

    def __init__(self, rng: random.Random) -> None:
        """Draw whom it hits and for how long."""
        self.number = rng.randrange(1000)
        self.hold = rng.uniform(*self.holds)
        self.detail = ""

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self).__name__

    def inject(self, stage: Stage) -> None:
        """Do it."""
        raise NotImplementedError

    def heal(self, stage: Stage) -> None:
        """Take it back; returns when that is done."""
