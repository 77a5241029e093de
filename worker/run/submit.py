"""Posts a run to its gateway, once (R2, R3, R7).

Problem: a POST cannot be taken back, its answer may be lost, and this process may be frozen at any
moment while another one takes the run over. Idea: write the intent down, then post, then write the
gateway's id down; a later owner reads from these rows what may have happened. The POST leaves only
with so much of the lease remaining that the run is not taken over while it is on its way.
Invariant: one owner posts at most once, and never without a row that says so before; only a
gateway that keeps the key of a POST is sent it again (`repeat_post`). An id that
can no longer be written down belongs to a run that was one too many, and it is stopped at once.
"""

import logging
import random
import time
from typing import Any

from sqlalchemy.orm import Session

from shared.db.runs.attempts import (
    note_attempt,
    note_double_post,
    record_intent,
    repeats,
    unanswered,
)
from shared.db.runs.gateway_orphans import STOP, track_orphan
from shared.db.sessions.compressions import seconds_of
from shared.db.sessions.history_rows import mark_refused
from shared.errors import (
    GatewayBusy,
    GatewayError,
    GatewayTooLarge,
    GatewayUnreachable,
    OwnershipLost,
    PostConflict,
    PostUncertain,
)
from shared.metrics import worker as metrics
from shared.protocol.run_states import Reason
from worker.gateway.ephemeral_sessions import ephemeral_id
from worker.gateway.stop_at_gateway import try_stop
from worker.outcome import Outcome, failed
from worker.run.repeat_post import post_again
from worker.run.request_body import request_body
from worker.run_queue import PutBack
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

MIN_LEASE = 2 / 3  # of a lease, at most 10 s, must remain right before sending (R3)
NOT_ANY_MORE = "The profile {!r} may not be used any more."
RETRY_FIRST, RETRY_MOST = 1.0, 15.0  # seconds between tries at a gateway that has no capacity


def submit(services: Services, turn: Turn) -> Outcome | None:
    """Post the run. None: the turn has the gateway's id of it, or a person stopped the run before
    it was posted. An Outcome: the gateway refused it for good, or for too long.

    Raises PutBack to try again later, PostUncertain if it is not known whether the gateway has it,
    OwnershipLost when the run has another owner, DatabaseUnavailable.
    """
    if not services.gateways.may_still_use(turn.claim.owner, turn.claim.profile):
        return failed(Reason.GATEWAY_ERROR, NOT_ANY_MORE.format(turn.claim.profile))
    attempt = ephemeral_id("eph", services.settings.installation)
    turn.ephemeral_id = attempt
    body = request_body(services, turn, attempt)
    if turn.stop_requested:
        return None
    pid = turn.gateway.pid()
    services.patient_db.single(lambda tx: record_intent(tx, turn.claim, attempt, pid))
    _wait_for_lease(services, turn)
    try:
        gateway_run_id = turn.gateway.post_run(turn.run_id, body)
    except GatewayUnreachable as error:
        _note(services, turn, never_sent=True)
        return _put_back_or_fail(services, turn, error)
    except PostUncertain:
        again = post_again(services, turn, body)
        if again is None:
            raise
        gateway_run_id = again
    except PostConflict as error:
        _note(services, turn, never_sent=True)
        return failed(Reason.POST_UNCERTAIN, str(error), gateway_done=False)
    except GatewayError as error:
        _note(services, turn, never_sent=True)
        if isinstance(error, GatewayTooLarge):
            services.patient_db.write(lambda tx: mark_refused(tx, turn.claim))
        return failed(Reason.GATEWAY_ERROR, str(error))
    _started(services, turn, gateway_run_id)
    return None


def submit_again(services: Services, turn: Turn) -> bool:
    """Whether the turn has the gateway's run of an earlier owner's POST that was not answered: the
    gateway keeps its key, so that the same request got the same run (R2).

    Raises OwnershipLost, DatabaseUnavailable.
    """
    pending = services.patient_db.read(lambda tx: unanswered(tx, turn.run_id))
    if len(pending) != 1 or turn.stop_requested or not _keeps_keys(turn):
        return False
    ephemeral = pending[0].ephemeral_id
    body = request_body(services, turn, ephemeral)
    gateway_run_id = post_again(services, turn, body)
    if gateway_run_id is None:
        return False
    turn.ephemeral_id = ephemeral
    _started(services, turn, gateway_run_id)
    return True


def _keeps_keys(turn: Turn) -> bool:
    try:
        return turn.gateway.capabilities().repeats
    except GatewayError:
        return False


def _started(services: Services, turn: Turn, gateway_run_id: str) -> None:
    _record_id(services, turn, gateway_run_id)
    status = {"status": "started", "attempt": turn.claim.takeovers + 1}
    turn.run_log.add("run.started", {**status, "gateway_run_id": gateway_run_id})


def _wait_for_lease(services: Services, turn: Turn) -> None:
    """Wait for a fresh lease; a POST that is made without one could be made twice."""
    needed = min(10.0, MIN_LEASE * services.settings.lease.total_seconds())
    deadline = time.monotonic() + services.settings.start_deadline.total_seconds()
    while turn.lease.remaining() < needed:
        turn.check()
        if time.monotonic() > deadline:
            raise OwnershipLost("The lease could not be renewed.")
        time.sleep(0.05)
    turn.check()


def _note(services: Services, turn: Turn, **columns: Any) -> None:
    attempt = str(turn.ephemeral_id)
    services.patient_db.single(lambda tx: note_attempt(tx, turn.claim, attempt, **columns))


def _record_id(services: Services, turn: Turn, gateway_run_id: str) -> None:
    """Write the gateway's id down, and that its stream is about to be opened (R1). If the run has
    another owner by now, this POST was one too many: it is stopped at once (R3)."""
    try:
        _note(services, turn, gateway_run_id=gateway_run_id, stream_opened=True)
    except OwnershipLost:
        log.error("run.double_post run_id=%s fence=%s", turn.run_id, turn.claim.fence)
        metrics.DOUBLE_POSTS.inc()
        _count_double_post(services, turn, gateway_run_id)
        try_stop(turn.gateway, gateway_run_id, turn.run_id)
        raise
    turn.gateway_run_id = gateway_run_id
    turn.stream_noted = True


def _count_double_post(services: Services, turn: Turn, gateway_run_id: str) -> None:
    """Count it, and have the job for orphaned runs stop it until it has ended."""
    ephemeral = str(turn.ephemeral_id)

    def work(tx: Session) -> None:
        note_double_post(tx, turn.run_id, ephemeral)
        track_orphan(
            tx,
            run_id=turn.run_id,
            profile=turn.claim.profile,
            kind=STOP,
            ephemeral_id=ephemeral,
            gateway_run_id=gateway_run_id,
        )

    services.patient_db.write(work)


def _put_back_or_fail(services: Services, turn: Turn, error: GatewayUnreachable) -> Outcome:
    """Capacity is not failure (R7): raise PutBack until START_DEADLINE is over. The time that
    summaries and proofs took does not count."""
    db = services.patient_db
    waited = turn.claim.since_first_claim + (time.monotonic() - turn.began)
    waited -= db.read(lambda tx: seconds_of(tx, turn.run_id))
    waited -= db.read(lambda tx: repeats(tx, turn.run_id))[1]
    if waited > services.settings.start_deadline.total_seconds():
        busy = isinstance(error, GatewayBusy)
        reason = Reason.START_DEADLINE if busy else Reason.GATEWAY_UNREACHABLE
        return failed(reason, str(error))
    delay = max(error.retry_after or RETRY_FIRST, min(waited / 4, RETRY_MOST))
    raise PutBack(error.code, delay * random.uniform(0.9, 1.3)) from error
