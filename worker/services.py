"""What every task of a worker process uses; built once per process by `worker.app`."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from shared.db.database import Database, Work
from shared.errors import DatabaseUnavailable
from shared.event_log.store import EventLog
from shared.settings import Settings
from shared.task_queue import TaskQueue
from shared.tracing.tracer import NoTracer, Tracer
from worker.event_log.sharded_publisher import ShardedPublisher
from worker.gateway.client_pool import ClientPool
from worker.gateway.transcript_check import TranscriptCheck
from worker.lease.keeper import LeaseKeeper
from worker.lease.start_gate import StartGate
from worker.turn import Turn

T = TypeVar("T")
log = logging.getLogger(__name__)

PATIENCE = 600.0  # seconds
PAUSE = 0.5  # seconds between tries


class PatientDatabase:
    """The database for a run that is live at its gateway. It has the methods of `Database`, and
    each of them waits up to 600 seconds for a database that is away, since the gateway's text goes
    on meanwhile (R13). Raises DatabaseUnavailable after that."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def write(self, work: Work[T]) -> T:
        """See Database.write."""
        return _patiently(lambda: self._db.write(work))

    def read(self, work: Work[T]) -> T:
        """See Database.read."""
        return _patiently(lambda: self._db.read(work))

    def single(self, work: Work[T]) -> T:
        """See Database.single."""
        return _patiently(lambda: self._db.single(work))


@dataclass
class Services:
    """The objects of a worker process.

    `db` gives up after about five seconds, `patient_db` waits. `turns`: the runs in this process,
    by id. `draining`: the process takes no new runs; a plain flag, since a signal handler sets it
    and must not wait for a lock.
    """

    settings: Settings
    name: str
    db: Database
    event_log: EventLog
    queue: TaskQueue
    gateways: ClientPool
    publisher: ShardedPublisher
    leases: LeaseKeeper
    starts: StartGate
    turns: dict[str, Turn]
    transcripts: TranscriptCheck
    tracer: Tracer = field(default_factory=NoTracer)
    draining: bool = False

    @property
    def patient_db(self) -> PatientDatabase:
        """The same database for what a live run cannot do without."""
        return PatientDatabase(self.db)


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
