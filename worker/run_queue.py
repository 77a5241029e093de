"""How a run leaves the queue and comes back to it: claim, put back, start the next one.

Problem: messages of the queue are hints. They may be lost, doubled or late, and the database alone
knows who may have which run. Idea: a message says that one more run is due, not which (ADR 0024);
the worker claims the next one that is. Whatever makes a run due sends a message.
Invariant: each due run has a number in the database, which the reaper compares with the messages;
so nothing here raises for a message that could not be sent.
"""

import logging
import time

from shared.db.runs import ownership
from shared.db.runs.claim import Claim, Refusal, Refused, claim
from shared.db.runs.queue.claim_next import claim_next
from shared.db.runs.queue.due import has_due
from shared.db.runs.queue.fair_order import make_next_due
from shared.errors import Unavailable
from shared.metrics import worker as metrics
from shared.protocol.run_states import Reason
from shared.run_end import announce
from worker import task_report
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

CLAIM_TRIES = 3  # an earlier end of the session may have to be announced in between
NEXT_TRIES = 10  # runs that could not be had, before the message is given up
BUSY_PAUSE = 0.02  # seconds for which a session is left to who has it
SETTLE_SECONDS = 5.0  # for the log, before a run goes back
CLOCK_MARGIN = 0.05  # seconds; the message must not be there before the row allows the claim


class PutBack(Exception):
    """The gateway cannot take the run now: it returns to its position in the queue (R7).

    `delay`: seconds. `announced`: clients know already that it is tried again.
    """

    def __init__(self, reason: Reason | str, delay: float, *, announced: bool = False) -> None:
        super().__init__(reason)
        self.reason = str(reason)
        self.delay = delay
        self.announced = announced


def claim_due(services: Services, named: str) -> Claim | None:
    """The claim of the next run that is due; None if none may start now.

    `named`: the run that the message names. It is asked for only if no other one is due: a process
    of the version before may have sent it, whose runs have no number yet.
    """
    lease, max_runs = services.settings.lease.total_seconds(), services.gateways.max_runs
    passed_over: set[str] = set()
    for _ in range(NEXT_TRIES):
        answer = services.db.write(
            lambda tx: claim_next(tx, services.name, lease, max_runs, passed_over)
        )
        if answer is None and passed_over:
            passed_over.clear()
            time.sleep(BUSY_PAUSE)
        elif answer is None:
            return claim_run(services, named)
        elif isinstance(answer, Claim):
            return _noted(answer)
        elif answer.why is Refusal.UNANNOUNCED:
            _announce_before(services, answer)
        elif answer.why is Refusal.BUSY:
            passed_over.add(answer.run_id)
    return None


def _announce_before(services: Services, refused: Refused) -> None:
    """Announce the ends before a run that was taken for due; it is due then. If they cannot be
    announced now, the reaper announces them, and this worker takes another run."""
    try:
        for predecessor in refused.predecessors:
            announce(services.db, services.event_log, predecessor)
        if refused.session_id is not None:
            owner, session_id = refused.owner, refused.session_id
            services.db.write(lambda tx: make_next_due(tx, owner, session_id))
    except Unavailable as error:
        log.warning(
            "run.announce_later run_id=%s error=%s", refused.predecessors, type(error).__name__
        )


def claim_run(services: Services, run_id: str) -> Claim | None:
    """The claim of this run; None if it may not be had now."""
    lease, max_runs = services.settings.lease.total_seconds(), services.gateways.max_runs
    for _ in range(CLAIM_TRIES):
        answer = services.db.write(lambda tx: claim(tx, run_id, services.name, lease, max_runs))
        if isinstance(answer, Claim):
            return _noted(answer)
        if answer.why is not Refusal.UNANNOUNCED:
            log.debug("run.not_claimed run_id=%s why=%s", run_id, answer.why)
            return None
        _announce_before(services, answer)
    return None


def _noted(granted: Claim) -> Claim:
    log.info(
        "run.claimed run_id=%s fence=%s waited=%.3f", granted.run_id, granted.fence, granted.waited
    )
    return granted


def put_back(services: Services, turn: Turn, later: PutBack) -> bool:
    """Return the run to its position in the queue and have it tried again after the delay. False
    if a person stopped it meanwhile: the caller ends it then. Raises OwnershipLost."""
    if not later.announced:
        turn.run_log.add("run.retrying", {"reason": later.reason, "delay": round(later.delay, 3)})
    turn.run_log.wait_settled(SETTLE_SECONDS)
    last_seq = turn.run_log.head
    waits = services.patient_db.write(
        lambda tx: ownership.put_back(tx, turn.claim, last_seq=last_seq, delay=later.delay)
    )
    if waits:
        metrics.PUT_BACK.labels(later.reason).inc()
        task_report.put_back(later.reason)
        services.leases.release(turn.lease)
        log.info(
            "run.put_back run_id=%s delay=%.1f reason=%s", turn.run_id, later.delay, later.reason
        )
        services.queue.run_turn(turn.run_id, delay=later.delay + CLOCK_MARGIN)
    return waits


def start_next(services: Services, run_id: str | None) -> None:
    """Have a worker look for the session's next run, if there is one; it is due."""
    if run_id is not None:
        services.queue.run_turn(run_id)


def enqueue_permitted(services: Services, profile: str) -> None:
    """Have a worker look for a run of the profile, if one waited for the permit that is free now
    (R7)."""
    if services.gateways.max_runs(profile) == 0:
        return  # its runs wait for nothing but slots: each has a message
    try:
        run_id = services.db.read(lambda tx: has_due(tx, profile))
    except Unavailable as error:
        log.warning("permits.not_enqueued profile=%s error=%s", profile, type(error).__name__)
        return
    if run_id is not None:
        services.queue.run_turn(run_id)
