"""One tick of the reaper: has somebody see to what was left lying. Idempotent (R34)."""

import logging
import time

from shared.announcing import announce
from shared.db.approvals import forgotten_answers
from shared.db.endings import unannounced
from shared.db.sweeps import forgotten, lapsed
from shared.errors import Unavailable
from worker.parts import Parts

log = logging.getLogger(__name__)

FORGOTTEN = 30.0  # seconds that a queued run may wait before it is enqueued again
FORGOTTEN_ANSWER = 10.0  # seconds that an agent waits for an answer whose task was lost
LIMIT = 100  # rows of one tick (R35)


class Reaper:
    """Called by every tick of beat. It waits for one lease of unbroken contact with the database
    before it takes runs over, so a short outage is no takeover storm (R13)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._contact_since: float | None = None

    def tick(self) -> None:
        """Announce ends, enqueue forgotten runs and lapsed ones."""
        try:
            self._announce()
            self._enqueue_forgotten()
            self._send_forgotten_answers()
            self._take_over_lapsed()
        except Unavailable as error:
            self._contact_since = None
            log.warning("reaper.waiting error=%s", type(error).__name__)

    def _announce(self) -> None:
        for run_id in self._parts.db.read(lambda session: unannounced(session, LIMIT)):
            announce(self._parts.db, self._parts.log, run_id)
            log.info("run.announced_late run_id=%s", run_id)

    def _enqueue_forgotten(self) -> None:
        for run_id in self._parts.db.write(lambda session: forgotten(session, FORGOTTEN, LIMIT)):
            log.info("run.enqueued_again run_id=%s", run_id)
            self._parts.queue.run_turn(run_id)

    def _send_forgotten_answers(self) -> None:
        db = self._parts.db
        found = db.read(lambda s: forgotten_answers(s, FORGOTTEN_ANSWER, LIMIT))
        for run_id, approval_id in found:
            self._parts.queue.answer_approval(run_id, approval_id)

    def _take_over_lapsed(self) -> None:
        runs = self._parts.db.read(lambda session: lapsed(session, LIMIT))
        now = time.monotonic()
        if self._contact_since is None:
            self._contact_since = now
        if now - self._contact_since < self._parts.settings.lease.total_seconds():
            return
        for run_id in runs:
            log.warning("run.reclaimed run_id=%s", run_id)
            self._parts.queue.take_over(run_id)
