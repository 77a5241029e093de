"""Tells who waits for a free slot where they are in the queue, again when that changes.

A session that is busy says so at once (`run.queued`). A run that is first in line in its session
starts within milliseconds, or waits because all slots are taken: nobody knows which when it is
accepted. So the process that accepted it, and each that has shown its session since, looks again
every two seconds, and tells those that still wait. It is a hint: the row decides.
"""

import logging
import threading
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.constants import constant
from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs.queue.places import Place, places
from shared.db.sessions.message_json import Message
from shared.db.sessions.read import waiting
from shared.errors import Unavailable
from shared.event_log.session_events import publish_session_event
from shared.event_log.store import EventLog
from shared.protocol.run_states import RunState
from shared.service import Service, periodic

log = logging.getLogger(__name__)

EVERY: Final = 2.0  # seconds
KEPT: Final = 5000  # runs; whoever came first is forgotten first
LOOKED_AT: Final = 500  # runs in one round
TOLD: Final = 100  # sessions in one round
BATCH: Final = 10  # of them, read again right before: a run may have started since the look


@dataclass
class _Waiting:
    owner: str
    session_id: str
    is_new: bool  # nobody was told yet that it waits
    place: Place | None = None  # as it was told last


class WaitingPlaces:
    """The runs that this process accepted, as long as they wait for a slot."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log
        self._waiting: dict[str, _Waiting] = {}
        self._lock = threading.Lock()
        self.service: Service = periodic("waiting-places", self.tick, EVERY)

    def note(self, owner: str, session_id: str, run_id: str) -> None:
        """The run was accepted and may start."""
        self._add(run_id, _Waiting(owner, session_id, is_new=True))

    def note_shown(self, owner: str, session_id: str, run_id: str) -> None:
        """Somebody was shown the session, whose run waits; where it is they do not know."""
        known = self._waiting.get(run_id)
        self._add(run_id, _Waiting(owner, session_id, is_new=known is not None and known.is_new))

    def _add(self, run_id: str, one: _Waiting) -> None:
        with self._lock:
            self._waiting[run_id] = one
            if len(self._waiting) > KEPT:
                del self._waiting[next(iter(self._waiting))]

    def tick(self) -> None:
        """Forget those that have started, and tell the others what has changed for them."""
        looked_at = self._next()
        if not looked_at:
            return
        try:
            found, queued = self._db.read(lambda tx: (places(tx), _queued(tx, looked_at)))
            self._forget(set(looked_at) - queued)
            self._tell([run_id for run_id in looked_at if run_id in queued], found)
        except Unavailable as error:
            log.info("places.untold error=%s", type(error).__name__)

    def _next(self) -> list[str]:
        """Some of the runs; they go to the end, so that the others are looked at next."""
        with self._lock:
            some = list(self._waiting)[:LOOKED_AT]
            for run_id in some:
                self._waiting[run_id] = self._waiting.pop(run_id)
        return some

    def _forget(self, started: set[str]) -> None:
        with self._lock:
            for run_id in started:
                self._waiting.pop(run_id, None)

    def _tell(self, run_ids: list[str], found: dict[str, Place]) -> None:
        moved = {
            run_id: one
            for run_id in run_ids
            if (one := self._waiting.get(run_id)) is not None
            and run_id in found
            and found[run_id] != one.place
        }
        some = list(moved.items())[:TOLD]
        for first in range(0, len(some), BATCH):
            self._notify(some[first : first + BATCH], found)

    def _notify(self, some: list[tuple[str, _Waiting]], found: dict[str, Place]) -> None:
        """Notify those that still wait; a run that has started would seem to wait again."""

        def read(tx: Session) -> list[list[Message]]:
            return [waiting(tx, one.owner, one.session_id) for _, one in some]

        for (run_id, one), queue in zip(some, self._db.read(read), strict=True):
            if all(item["run_id"] != run_id for item in queue):
                continue
            place = found[run_id]
            here = {"owner": one.owner, "session_id": one.session_id}
            if one.is_new:
                publish_session_event(
                    self._event_log,
                    "run.queued",
                    **here,
                    run_id=run_id,
                    queue_length=len(queue),
                    **place.fields(),
                )
            shown = [item | (place.fields() if item["run_id"] == run_id else {}) for item in queue]
            publish_session_event(self._event_log, "queue.updated", **here, queue=shown)
            one.place, one.is_new = place, False


def _queued(tx: Session, run_ids: list[str]) -> set[str]:
    still = (RunRow.id.in_(run_ids), RunRow.state == constant(RunState.QUEUED))
    return set(tx.scalars(select(RunRow.id).where(*still)))
