"""The reaper: in each tick it finds the runs that nobody works on, and sends them on (R34).

Problem: processes die and messages get lost, so a run may stand still though its row says that it
is queued, live or ended. Idea: the rows are the truth, and each tick looks in them for
- ends that were not announced: they are announced here;
- unqueued runs, which are first in line and whose Celery message was lost: they are enqueued,
  unless the queue still has their messages, since it is only long then;
- answers of people whose task was lost: they are enqueued;
- lapsed leases, whose owner is dead or cut off: another worker is asked to take the run over.
Invariant: a tick changes nothing but "enqueued at" and "announced at", and a task that it sends is
a hint, since `claim` decides. So ticks may be repeated and may overlap. No run is handed over
before one lease of unbroken contact with the database: after an outage all leases have lapsed, and
their owners need that time to renew them (R13). For the same time a lease is watched that ends
later than any is taken for: the database's clock was set back, and its owner will renew it by the
new time, unless it is dead.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TypeVar

from sqlalchemy.orm import Session

from shared.db.runs.approvals import unsent_answers
from shared.db.runs.overdue import (
    count_unqueued,
    end_lease,
    lapsed_runs,
    leases_beyond,
    ping,
    unqueued_runs,
)
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
MESSAGES = 500  # that one tick sends again for unqueued runs
ROUNDS = 20  # transactions of one step in one tick


class Reaper:
    """Does the ticks of one process; it remembers how long the database has answered."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._contact_since: float | None = None
        self._seen: dict[tuple[str, int, float], float] = {}  # strange lease -> when it was found

    def tick(self) -> None:
        """Announce ends, enqueue unqueued runs and answers, hand over lapsed runs. Never raises:
        one step that fails stops neither the others nor the next tick (F33)."""
        self.check_contact()
        self._step("announce", self._announce)
        self._step("enqueue", self._enqueue_unqueued)
        self._step("answers", self._send_unsent_answers)
        self._step("take_over", self._take_over_lapsed)

    def check_contact(self) -> None:
        """Note whether the database answers. A standby calls it without a tick, so that it can hand
        over lapsed runs in its first one."""
        try:
            self._services.db.read(ping)
        except DatabaseUnavailable:
            self._lose_contact()
            return
        if self._contact_since is None:
            self._contact_since = monotonic()

    def _step(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except DatabaseUnavailable:
            self._lose_contact()
        except Unavailable as error:  # Redis: that says nothing about owners and their leases
            log.warning("reaper.waiting step=%s error=%s", name, type(error).__name__)
        except Exception:  # the edge of the step
            log.exception("reaper.failed step=%s", name)

    def _lose_contact(self) -> None:
        self._contact_since = None
        log.warning("reaper.waiting error=DatabaseUnavailable")

    def _announce(self) -> None:
        """Each end is a step of its own: one that cannot be announced does not block the others."""
        for run_id in self._services.db.read(lambda tx: unannounced(tx, LIMIT)):
            self._step(f"announce run_id={run_id}", partial(self._announce_one, run_id))

    def _announce_one(self, run_id: str) -> None:
        announce(self._services.db, self._services.event_log, run_id)
        log.info("run.announced_late run_id=%s", run_id)

    def _enqueue_unqueued(self) -> None:
        """Send a message for each run that cannot have one in the queue: a second one makes a long
        queue longer, and nothing faster."""
        waiting = self._services.queue.waiting()
        if waiting is None:
            return  # none could be sent either
        have_one, left = waiting.run_ids, MESSAGES
        if have_one is None:
            db, most = self._services.db, waiting.count + MESSAGES
            due = db.read(lambda tx: count_unqueued(tx, UNQUEUED_AFTER, most))
            have_one, left = frozenset(), due - waiting.count
        for run_id in self._unqueued(left + len(have_one)):
            if run_id in have_one:
                continue
            if left <= 0:
                return
            left -= 1
            log.info("run.enqueued_again run_id=%s", run_id)
            self._services.queue.run_turn(run_id)

    def _unqueued(self, most: int) -> Iterable[str]:
        """Yield unqueued runs, marked as enqueued now, in transactions of LIMIT rows."""
        while most > 0:
            size = min(most, LIMIT)
            work = partial(unqueued_runs, seconds=UNQUEUED_AFTER, limit=size)
            found: list[str] = self._services.db.write(work)
            yield from found
            if len(found) < size:
                return
            most -= size

    def _send_unsent_answers(self) -> None:
        db = self._services.db
        found = db.read(lambda tx: unsent_answers(tx, UNSENT_AFTER, LIMIT))
        for run_id, approval_id in found:
            self._services.queue.answer_approval(run_id, approval_id)

    def _take_over_lapsed(self) -> None:
        since, lease = self._contact_since, self._services.settings.lease.total_seconds()
        if since is None or monotonic() - since < lease:
            return
        self._end_strange_leases(lease)
        for run_id in self._in_batches(lambda tx: lapsed_runs(tx, LAPSED_AFTER, LIMIT)):
            log.warning("run.reclaimed run_id=%s", run_id)
            self._services.queue.take_over(run_id)

    def _end_strange_leases(self, lease: float) -> None:
        """End leases that reach too far, if they are still the same after one lease."""
        db, now = self._services.db, monotonic()
        found = db.read(lambda tx: leases_beyond(tx, 2 * lease, LIMIT))
        self._seen = {strange: self._seen.get(strange, now) for strange in found}
        for strange, seen in self._seen.items():
            if now - seen > lease and db.write(partial(_ended, strange)):
                log.warning("lease.of_the_future run_id=%s", strange[0])

    def _in_batches(self, work: Callable[[Session], list[T]]) -> Iterable[T]:
        """Yield all that `work` finds, in transactions of LIMIT rows; it marks what it returns, so
        that the next transaction finds the rest."""
        for _ in range(ROUNDS):
            found = self._services.db.write(work)
            yield from found
            if len(found) < LIMIT:
                return


def _ended(strange: tuple[str, int, float], tx: Session) -> bool:
    return end_lease(tx, *strange)
