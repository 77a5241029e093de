"""What happens to the server and to its connections while browsers watch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.chaos.faults import processes, redis_server
from tests.chaos.faults.base import Fault
from tests.page_chaos.watched_stage import WatchedStage

if TYPE_CHECKING:
    from tests.chaos.stage import Stage


class ConnectionsReset(Fault):
    """Every connection of the browsers is closed."""

    weight = 6

    def inject(self, stage: Stage) -> None:
        _watched(stage).proxy.cut()


class ConnectionsSilent(Fault):
    """Every connection stays and carries nothing more; then the person looks at the page again."""

    weight = 4
    holds = (0.5, 1.5)

    def inject(self, stage: Stage) -> None:
        _watched(stage).proxy.swallow()

    def heal(self, stage: Stage) -> None:
        _watched(stage).looks += 1


KINDS: list[type[Fault]] = [
    ConnectionsReset,
    ConnectionsSilent,
    processes.WebKilled,
    processes.WebTerminated,
    processes.WorkerKilled,
    processes.WorkerTerminated,
    redis_server.RedisTerminated,
    redis_server.RedisKilled,
    redis_server.PubsubCut,
    redis_server.ConnectionsCut,
]


def draw_faults(rng: random.Random) -> Iterator[tuple[float, Fault]]:
    """Without end: seconds of quiet, then a fault. Each kind comes before any comes again."""
    kinds = rng.sample(KINDS, len(KINDS))
    while True:
        for kind in kinds:
            yield rng.uniform(1.0, 6.0), kind(rng)
        kinds = rng.choices(KINDS, weights=[kind.weight for kind in KINDS], k=len(KINDS))


def _watched(stage: Stage) -> WatchedStage:
    assert isinstance(stage, WatchedStage)
    return stage
