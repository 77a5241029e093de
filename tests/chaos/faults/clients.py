"""Browsers lose their network, or read too slowly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.faults.base import Fault

if TYPE_CHECKING:
    from tests.chaos.stage import Stage


class SocketsCut(Fault):
    """A third of all tabs lose their connection without a word."""

    resource, weight = "clients", 4

    def inject(self, stage: Stage) -> None:
        stage.crowd.cut(self.number)


class SlowReaders(Fault):
    """A third of all tabs stop reading."""

    resource, weight = "clients", 2
    holds = (1.0, 5.0)

    def inject(self, stage: Stage) -> None:
        stage.crowd.pause(self.number)

    def heal(self, stage: Stage) -> None:
        stage.crowd.go_on()
