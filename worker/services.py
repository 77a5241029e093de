"""What every task of a worker process uses; built once per process by `worker.app`."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.db.database import Database, Work
from shared.db.runs.attempts import note_attempt
from shared.db.runs.claim import Claim
from shared.errors import DatabaseUnavailable
from shared.event_log.store import EventLog
from shared.settings import Settings
from shared.task_queue import TaskQueue
from worker.event_log.sharded_publisher import ShardedPublisher
from worker.gateway.client_pool import ClientPool
from worker.lease.keeper import LeaseKeeper
from worker.turn import Turn

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE = 600.0  # seconds
PAUSE = 0.5  # seconds between tries


@dataclass
class Duty:
    """Whether the process takes new runs. A plain flag, since a signal handler sets it."""

    draining: bool = False


@dataclass(frozen=True)
class Services:
    """The parts of a worker process. `turns` are the runs that it has in hand, by id."""

    settings: Settings
    name: str
    db: Database
    event_log: EventLog
    queue: TaskQueue
    gateways: ClientPool
    publisher: ShardedPublisher
    leases: LeaseKeeper
    turns: dict[str, Turn]
    duty: Duty

    def note_attempt(self, claim: Claim, ephemeral_id: str, **columns: Any) -> None:
        """See shared.db.runs.attempts.note_attempt; waits for the database as `single` does."""
        self.single(lambda tx: note_attempt(tx, claim, ephemeral_id, **columns))

    def write(self, work: Work[T]) -> T:
        """`db.write` for a run that is going on: it waits while the database is away, since live
        text goes on meanwhile (R13). Raises DatabaseAway after `PATIENCE`."""
        return _patiently(lambda: self.db.write(work))

    def single(self, work: Work[T]) -> T:
        """The same for `db.single`."""
        return _patiently(lambda: self.db.single(work))

    def read(self, work: Work[T]) -> T:
        """The same for `db.read`."""
        return _patiently(lambda: self.db.read(work))


def _patiently(work: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except DatabaseUnavailable:
            if time.monotonic() > deadline:
                raise
            log.warning("database.waiting")
            time.sleep(PAUSE)
