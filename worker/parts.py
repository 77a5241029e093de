"""What every task of a worker process uses; built once per process by `worker.build`."""

import logging
from dataclasses import dataclass
from typing import Any

from shared.db.claims import Claim, note_attempt
from shared.db.database import Database
from shared.event_log import EventLog
from shared.queue import TaskQueue
from shared.settings import Settings
from worker.gateway.gateways import Gateways
from worker.leases import LeaseKeeper
from worker.publisher import Publisher
from worker.turn import Turn

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """The parts of a worker process. `turns` are the runs that it has in hand, by id."""

    settings: Settings
    name: str
    db: Database
    log: EventLog
    queue: TaskQueue
    gateways: Gateways
    publisher: Publisher
    leases: LeaseKeeper
    turns: dict[str, Turn]

    def note_attempt(self, claim: Claim, **columns: Any) -> None:
        """See shared.db.claims.note_attempt."""
        self.db.write(lambda session: note_attempt(session, claim, **columns))
