"""The reaper: in each tick it finds the runs that nobody works on, and sends them on (R34).

Problem: processes die and messages get lost, so a run may stand still though its row says that it
is queued, live or ended. Idea: the rows are the truth, and each tick looks in them for
- ends that were not announced: they are announced here;
- due runs: as many messages are sent as there are fewer messages than due runs, never one for a
  certain run, since any message has a worker claim the next one (ADR 0024);
- due runs without a number, left by a process that died or is of the version before: they get one;
- answers of people whose task was lost: they are enqueued;
- lapsed leases, whose owner is dead or cut off: another worker is asked to take the run over.
Invariant: a tick changes nothing but "enqueued at", "announced at" and the numbers, and a task that
it sends is a hint, since `claim` decides. So ticks may be repeated and may overlap. No run is
handed over before one lease of unbroken contact with the database: after an outage all leases have
lapsed, and their owners need that time to renew them (R13). For the same time a lease is watched
that ends later than any is taken for: the database's clock was set back, and its owner will renew
it by the new time, unless it is dead.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import TypeVar

from sqlalchemy.orm import Session

from shared.db.runs.approvals import unsent_answers
from shared.db.runs.overdue import end_lease, lapsed_runs, leases_beyond, ping
from shared.db.runs.queue.claim_next import wake_paused
from shared.db.runs.queue.due import START, count_due, due_runs, number_missed
from shared.db.runs.terminal import unannounced
from shared.errors import DatabaseUnavailable, Unavailable
from shared.run_end import announce
from worker.services import Services

T = TypeVar("T")
log = logging.getLogger(__name__)

LAPSED_AFTER = 10.0  # seconds until a lapsed run is sent again: its message was lost
UNSENT_AFTER = 10.0  # seconds that an agent waits for an answer whose task was lost
LIMIT = 100  # rows of one transaction (R35)
MESSAGES = 100  # that one tick sends for due runs
LONG = 1000  # messages: as long as so many wait, nobody waits for one more
LONG_EVERY = 30.0  # seconds between two comparisons then, since counting takes longer
LOOKED_AT = 500  # queued runs without a number, in one tick
ROUNDS = 20  # transactions of one step in one tick


class Reaper:
    """Does the ticks of one process; it remembers how long the database has answered."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._contact_since: float | None = None
        self._compared_at = -LONG_EVERY
        self._numbered = START  # how far the look at runs without a number has come
        self._seen: dict[tuple[str, int, float], float] = {}  # strange lease -> when it was found

    def tick(self) -> None:
        """Announce ends, send what is missing for due runs and answers, hand over lapsed runs.
        Never raises: one step that fails stops neither the others nor the next tick (F33)."""
        self.check_contact()
        self._step("announce", self._announce)
        self._step("number", self._number_missed)
        self._step("enqueue", self._send_missing)
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

    def _number_missed(self) -> None:
        """Some in each tick, so that it stays short however many wait behind others."""
        after = self._numbered
        self._numbered = self._services.db.write(lambda tx: number_missed(tx, after, LOOKED_AT))

    def _send_missing(self) -> None:
        """Messages are counted first: a run that becomes due in between has its own."""
        db, max_runs = self._services.db, self._services.gateways.max_runs
        waiting = self._services.queue.waiting()
        if waiting is None:
            return  # none could be sent either
        if waiting >= LONG and monotonic() - self._compared_at < LONG_EVERY:
            return
        self._compared_at = monotonic()
        db.write(lambda tx: wake_paused(tx, LIMIT))
        most = waiting + MESSAGES
        missing = db.read(lambda tx: count_due(tx, max_runs, most)) - waiting
        if missing <= 0:
            return
        log.info("queue.topped_up messages=%s", missing)
        self._services.queue.run_turns(db.read(lambda tx: due_runs(tx, max_runs, missing)))

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
