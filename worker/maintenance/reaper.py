"""One tick of the reaper: has somebody see to what was left lying. Idempotent (R34)."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy.orm import Session

from shared.db.runs.approvals import unsent_answers
from shared.db.runs.overdue import lapsed_runs, ping, unqueued_runs
from shared.db.runs.terminal import unannounced
from shared.errors import DatabaseUnavailable, Unavailable
from shared.run_end import announce
from worker.services import Services

T = TypeVar("T")
log = logging.getLogger(__name__)

UNQUEUED_AFTER = 30.0  # seconds that a queued run may wait before it is enqueued again
LAPSED_AFTER = 10.0  # the same for one whose lease has lapsed: its message was lost
UNSENT_AFTER = 10.0  # seconds that an agent waits for an answer whose task was lost
LIMIT = 100  # rows of one transaction (R35)
ROUNDS = 20  # transactions of one step in one tick


class Reaper:
    """Called by every tick. It waits for one lease of unbroken contact with the database before it
    takes runs over, so a short outage is no takeover storm (R13)."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._contact_since: float | None = None

    def tick(self) -> None:
        """Announce ends, enqueue forgotten runs and lapsed ones. Never raises: one step that fails
        stops neither the others nor the next tick (F33)."""
        self.keep_contact()
        self._step("announce", self._announce)
        self._step("enqueue", self._enqueue_unqueued)
        self._step("answers", self._send_unsent_answers)
        self._step("take_over", self._take_over_lapsed)

    def keep_contact(self) -> None:
        """Note whether the database is there. For a reaper that may have to begin at any time."""
        try:
            self._services.db.read(ping)
        except DatabaseUnavailable:
            self._lost_contact()
            return
        if self._contact_since is None:
            self._contact_since = time.monotonic()

    def _step(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseUnavailable:
            self._lost_contact()
        except Unavailable as error:  # Redis: that says nothing about owners and their leases
            log.warning("reaper.waiting step=%s error=%s", name, type(error).__name__)
        except Exception:  # the edge of the step
            log.exception("reaper.failed step=%s", name)

    def _lost_contact(self) -> None:
        self._contact_since = None
        log.warning("reaper.waiting error=DatabaseAway")

    def _announce(self) -> None:
        for run_id in self._services.db.read(lambda tx: unannounced(tx, LIMIT)):
            self._step(f"announce run_id={run_id}", lambda: self._announce_one(run_id))  # noqa: B023

    def _announce_one(self, run_id: str) -> None:
        announce(self._services.db, self._services.event_log, run_id)
        log.info("run.announced_late run_id=%s", run_id)

    def _enqueue_unqueued(self) -> None:
        for run_id in self._marked(lambda tx: unqueued_runs(tx, UNQUEUED_AFTER, LIMIT)):
            log.info("run.enqueued_again run_id=%s", run_id)
            self._services.queue.run_turn(run_id)

    def _send_unsent_answers(self) -> None:
        db = self._services.db
        found = db.read(lambda s: unsent_answers(s, UNSENT_AFTER, LIMIT))
        for run_id, approval_id in found:
            self._services.queue.answer_approval(run_id, approval_id)

    def _take_over_lapsed(self) -> None:
        since, lease = self._contact_since, self._services.settings.lease.total_seconds()
        if since is None or time.monotonic() - since < lease:
            return
        for run_id in self._marked(lambda tx: lapsed_runs(tx, LAPSED_AFTER, LIMIT)):
            log.warning("run.reclaimed run_id=%s", run_id)
            self._services.queue.take_over(run_id)

    def _marked(self, work: Callable[[Session], list[T]]) -> Iterable[T]:
        """All that there is, in transactions of `LIMIT` rows; `work` marks what it finds."""
        for _ in range(ROUNDS):
            found = self._services.db.write(work)
            yield from found
            if len(found) < LIMIT:
                return
