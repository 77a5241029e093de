"""Gets a run to the gateway, once: intent first, then the request, then its id (R2, R3)."""

import logging
import random
import time

from sqlalchemy.orm import Session

from shared.db.runs.attempts import note_double_post, record_intent, repeats
from shared.db.runs.orphans import STOP, track_orphan
from shared.db.sessions.compressions import seconds_of
from shared.errors import (
    GatewayBusy,
    GatewayError,
    GatewayUnreachable,
    OwnershipLost,
    PostUncertain,
)
from shared.protocol.run_states import Reason
from worker.gateway.ephemeral_sessions import ephemeral_id
from worker.outcome import Outcome, failed
from worker.run.absence_proof import prove_absent
from worker.run.request_body import request_body
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

MIN_LEASE = 2 / 3  # of a lease, at most 10 s, must be left right before sending (R3)
RETRY_FIRST, RETRY_MOST = 1.0, 15.0  # seconds between tries at a gateway that has no capacity


class PutBack(Exception):
    """The gateway cannot take the run now: it returns to its place in the queue (R7).

    `told`: clients know that it is tried again.
    """

    def __init__(self, reason: Reason | str, delay: float, *, told: bool = False) -> None:
        super().__init__(reason)
        self.reason = str(reason)
        self.delay = delay
        self.told = told


def start(services: Services, turn: Turn) -> Outcome | None:
    """Post the run and remember its id in the turn; an Outcome if it ends here.

    Raises PutBack to try again later, LostRun when somebody else has the run.
    """
    turn.ephemeral_id = ephemeral_id("eph", services.settings.installation)
    body = request_body(services, turn, turn.ephemeral_id)
    if turn.stop_asked.is_set():
        return None
    pid = turn.gateway.pid()
    attempt = turn.ephemeral_id
    services.single(lambda tx: record_intent(tx, turn.claim, attempt, pid))
    _need_lease(services, turn)
    try:
        gateway_run_id = turn.gateway.start(turn.run_id, body)
    except GatewayUnreachable as error:
        services.note_attempt(turn.claim, attempt, never_sent=True)
        return _later(services, turn, error)
    except PostUncertain as error:
        return _prove_or_end(services, turn, error)
    except GatewayError as error:
        services.note_attempt(turn.claim, attempt, never_sent=True)
        return failed(Reason.GATEWAY_ERROR, str(error))
    _record(services, turn, gateway_run_id)
    turn.gateway_run_id = gateway_run_id
    status = {"status": "started", "attempt": turn.claim.takeovers + 1}
    turn.run_log.add("run.started", {**status, "gateway_run_id": gateway_run_id})
    return None


def _need_lease(services: Services, turn: Turn) -> None:
    """Wait for a fresh lease; a post that is made without one could be made twice."""
    needed = min(10.0, MIN_LEASE * services.settings.lease.total_seconds())
    deadline = time.monotonic() + services.settings.start_deadline.total_seconds()
    while turn.lease.remaining() < needed:
        turn.check()
        if time.monotonic() > deadline:
            raise OwnershipLost("The lease could not be renewed.")
        time.sleep(0.05)
    turn.check()


def _record(services: Services, turn: Turn, gateway_run_id: str) -> None:
    """Write the gateway's id down, and that its stream is about to be opened (R1). If somebody else
    has the run by now, this post was one too many: it is stopped at once (R3)."""
    try:
        services.note_attempt(
            turn.claim,
            str(turn.ephemeral_id),
            gateway_run_id=gateway_run_id,
            stream_opened=True,
        )
        turn.stream_noted = True
    except OwnershipLost:
        log.error("run.double_post run_id=%s fence=%s", turn.run_id, turn.claim.fence)
        _count_double_post(services, turn, gateway_run_id)
        _stop(turn, gateway_run_id)
        raise


def _count_double_post(services: Services, turn: Turn, gateway_run_id: str) -> None:
    """The chase goes on stopping it, then has its session deleted."""
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

    services.write(work)


def _stop(turn: Turn, gateway_run_id: str) -> None:
    try:
        turn.gateway.stop(gateway_run_id)
    except GatewayError as error:
        log.warning("stop.failed run_id=%s error=%s", turn.run_id, error)


def _later(services: Services, turn: Turn, error: GatewayUnreachable) -> Outcome:
    """Capacity is not failure (R7): wait, until the start deadline."""
    waited = turn.claim.since_first_claim + (time.monotonic() - turn.began)
    waited -= services.read(lambda tx: seconds_of(tx, turn.run_id))
    waited -= services.read(lambda tx: repeats(tx, turn.run_id))[1]
    if waited > services.settings.start_deadline.total_seconds():
        busy = isinstance(error, GatewayBusy)
        reason = Reason.START_DEADLINE if busy else Reason.GATEWAY_UNREACHABLE
        return failed(reason, str(error))
    delay = max(error.retry_after or RETRY_FIRST, min(waited / 4, RETRY_MOST))
    raise PutBack(error.code, delay * random.uniform(0.9, 1.3)) from error


def _prove_or_end(services: Services, turn: Turn, error: PostUncertain) -> Outcome:
    """Nobody knows whether the gateway has it. Proved that it has not, the run is posted again by
    its next claim, as another attempt; else the Outcome. Raises PutBack, LostRun."""
    log.warning("run.post_uncertain run_id=%s error=%s", turn.run_id, error)
    ended = prove_absent(services, turn)
    if ended is None:
        raise PutBack(Reason.POST_UNCERTAIN, 0.0, told=True)
    return ended
