"""Proves that a gateway never had a run whose POST was not answered: it may be posted again.

Problem: a POST without an answer may have arrived. Posted again, the agent would do everything
twice; not posted again, a person's message would be lost to a network fault.
Idea (R2): wait until the POST can be on its way no more (its timeout and a margin). Then ask the
gateway for the attempt's session, for its process id, and for the number of runs it works on. The
run is absent if the session is unknown, and the gateway is another process than the one that was
asked, or works on nothing. Both have to be seen twice with a pause, since gateways make sessions
late. Invariant: whatever is less than that proves nothing, and the run ends instead. Either way
the job for orphaned runs looks for the attempt, and counts it if it shows up all the same (R3).
"""

import logging
import random
import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from shared.db.clock import SLACK, read_clock
from shared.db.models import AttemptRow
from shared.db.runs.attempts import IDLE, RESTARTED, note_absent, repeats, unanswered
from shared.db.runs.gateway_orphans import UNCERTAIN_POST, track_attempt
from shared.errors import GatewayError, GatewayUnsupported
from shared.protocol.run_states import Reason
from worker.outcome import Outcome, aborted, failed
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

LOOK_EVERY = 2.0  # seconds between looks for the session, at most
MOST_REPEATS = 3  # of one run


def prove_absent(services: Services, turn: Turn) -> Outcome | None:
    """None if the gateway never had any attempt of the run: they are marked, and it may be posted
    again. Else how the run ends.

    Takes up to START_DEADLINE after the POST's timeout. Raises OwnershipLost, DatabaseUnavailable.
    """
    pending = services.patient_db.read(lambda tx: unanswered(tx, turn.run_id))
    proof = _search_proof(services, turn, pending)
    turn.check()
    if proof is not None and not turn.stop_requested:
        _mark_absent(services, turn, pending, proof)
        return None
    services.patient_db.write(lambda tx: _track_orphans(tx, pending))
    if turn.stop_requested:
        turn.announce_stop()
        return aborted(gateway_done=False)
    log.warning("run.post_unproved run_id=%s fence=%s", turn.run_id, turn.claim.fence)
    return failed(
        Reason.POST_UNCERTAIN,
        "It is not known whether the gateway took the run, so it was not sent again.",
        gateway_done=False,
    )


def _search_proof(services: Services, turn: Turn, pending: Sequence[AttemptRow]) -> str | None:
    """IDLE or RESTARTED once it was seen twice; None without proof, or if the run is to stop."""
    count, _ = services.patient_db.read(lambda tx: repeats(tx, turn.run_id))
    if count >= MOST_REPEATS:
        return None
    pause = services.settings.post_margin.total_seconds()
    wait = _seconds_to_wait(services, pending)
    delay = round(max(wait, 0.0) + pause, 3)
    turn.run_log.add("run.retrying", {"reason": str(Reason.POST_UNCERTAIN), "delay": delay})
    ripe = time.monotonic() + wait
    patience = services.settings.start_deadline.total_seconds() + pause
    try:
        return _look_twice(turn, pending, ripe, max(ripe, time.monotonic()) + patience, pause)
    except _CannotBeProved:
        return None


def _look_twice(
    turn: Turn, pending: Sequence[AttemptRow], ripe: float, deadline: float, pause: float
) -> str | None:
    """The proof that was seen twice in a row after `ripe` (monotonic time). Looks before that can
    only find that there is none. Raises _CannotBeProved, OwnershipLost."""
    before: str | None = None
    while not turn.stop_requested and time.monotonic() < deadline:
        turn.check()
        seen = _look(turn, pending)
        if time.monotonic() < ripe:
            _sleep(turn, min(LOOK_EVERY, ripe - time.monotonic() + 0.01))
            continue
        if seen is not None and before is not None:
            return seen
        before = seen
        _sleep(turn, pause)
    return None


class _CannotBeProved(Exception):
    """The gateway has the attempt's session, or has no endpoint that would show it."""


def _look(turn: Turn, pending: Sequence[AttemptRow]) -> str | None:
    """What speaks for the absence of all attempts at this moment, or None."""
    try:
        for attempt in pending:
            if turn.gateway.session(attempt.ephemeral_id) is not None:
                raise _CannotBeProved
        work = turn.gateway.work()
    except GatewayUnsupported as error:
        raise _CannotBeProved from error
    except GatewayError as error:
        log.info("proof.waiting run_id=%s error=%s", turn.run_id, error)
        return None
    if work.active == 0:
        return IDLE
    asked = [attempt.gateway_pid for attempt in pending]
    changed = work.pid is not None and all(pid not in (None, work.pid) for pid in asked)
    return RESTARTED if changed else None


def _seconds_to_wait(services: Services, pending: Sequence[AttemptRow]) -> float:
    """Until the last POST can be on its way no more; negative if that is over."""
    settings = services.settings
    patience = settings.post_timeout.total_seconds() + settings.post_margin.total_seconds()
    last = max((attempt.intent_at or 0.0) for attempt in pending)
    remaining = last + patience - services.patient_db.read(read_clock)
    return min(remaining, patience + SLACK)  # it cannot be longer, unless the clock was set back


def _sleep(turn: Turn, seconds: float) -> None:
    """Sleep, unless the run is to stop or has another owner."""
    until = time.monotonic() + seconds * random.uniform(1.0, 1.1)
    while (remaining := until - time.monotonic()) > 0:
        if turn.stop_requested or turn.lost:
            return
        turn.pause(min(remaining, 1.0))


def _mark_absent(services: Services, turn: Turn, pending: Sequence[AttemptRow], proof: str) -> None:
    """Write the proof down, so that the run may be posted again."""
    fences = [attempt.fence for attempt in pending]

    def work(tx: Session) -> None:
        note_absent(tx, turn.claim, fences, proof)
        _track_orphans(tx, pending)

    services.patient_db.write(work)
    for attempt in pending:
        log.warning(
            "run.post_repeated run_id=%s fence=%s ephemeral_id=%s proof=%s",
            turn.run_id,
            attempt.fence,
            attempt.ephemeral_id,
            proof,
        )


def _track_orphans(tx: Session, pending: Sequence[AttemptRow]) -> None:
    for attempt in pending:
        track_attempt(tx, attempt, UNCERTAIN_POST)
