"""How a run leaves the queue and comes back to it: claim, put back, start the next one.

Problem: messages of the queue are hints. They may be lost, doubled or late, and the database alone
knows who may have a run. Idea: a message only makes a worker ask; `claim` grants or refuses under
the session's lock. Whatever ends or frees something here enqueues the run that may start now.
Invariant: a run that may start is either enqueued by who made it startable, or found by the reaper;
so nothing here raises for a message that could not be sent.
"""

import logging

from shared.db.runs import ownership
from shared.db.runs.claim import Claim, Refusal, Refused, claim
from shared.db.runs.concurrency_limit import permitted
from shared.errors import Unavailable
from shared.protocol.run_states import Reason
from shared.run_end import announce
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

CLAIM_TRIES = 3  # an earlier end of the session may have to be announced in between
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


def claim_run(services: Services, run_id: str) -> Claim | None:
    """The claim of the run; None if it may not be had now, and another message will come."""
    lease, max_runs = services.settings.lease.total_seconds(), services.gateways.max_runs
    for _ in range(CLAIM_TRIES):
        answer = services.db.write(lambda tx: claim(tx, run_id, services.name, lease, max_runs))
        if isinstance(answer, Claim):
            log.info(
                "run.claimed run_id=%s fence=%s waited=%.3f", run_id, answer.fence, answer.waited
            )
            return answer
        if answer.why is not Refusal.UNANNOUNCED:
            _note_refusal(services, run_id, answer)
            return None
        for predecessor in answer.predecessors:
            announce(services.db, services.event_log, predecessor)
    return None


def _note_refusal(services: Services, run_id: str, refused: Refused) -> None:
    log.info("run.not_claimed run_id=%s why=%s", run_id, refused.why)
    if refused.why is Refusal.NO_PERMIT:
        enqueue_permitted(services, refused.profile)  # the oldest that waits may be another one


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
        services.leases.release(turn.run_id)
        log.info(
            "run.put_back run_id=%s delay=%.1f reason=%s", turn.run_id, later.delay, later.reason
        )
        services.queue.run_turn(turn.run_id, delay=later.delay + CLOCK_MARGIN)
    return waits


def start_next(services: Services, run_id: str | None) -> None:
    """Enqueue the session's next run, if there is one."""
    if run_id is not None:
        services.queue.run_turn(run_id)


def enqueue_permitted(services: Services, profile: str) -> None:
    """Enqueue the runs of the profile that the limit of live runs allows now (R7)."""
    most = services.gateways.max_runs(profile)
    if most == 0:
        return
    try:
        for run_id in services.db.read(lambda tx: permitted(tx, profile, most)):
            services.queue.run_turn(run_id)
    except Unavailable as error:
        log.warning("permits.not_enqueued profile=%s error=%s", profile, type(error).__name__)
