"""Finds out whether a gateway has a run whose POST was not answered, so that it may be sent again.

The proof that it has not (R2): the POST's timeout and a margin are over, the gateway does not know
the attempt's session, and it is another process than the one that was asked, or works on nothing;
all seen twice with a pause. Everything less is none: gateways make sessions late.
"""

import logging
import random
import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from shared.db.clock import read_clock
from shared.db.models import AttemptRow
from shared.db.runs.attempts import IDLE, RESTARTED, note_absent, repeats, unanswered
from shared.db.runs.orphans import UNCERTAIN_POST, track_orphan
from shared.errors import GatewayError, GatewayUnsupported
from shared.protocol.run_states import Reason
from worker.outcome import Outcome, aborted, failed
from worker.run.watchdog import say_stopping
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks for the session, at most
MOST_REPEATS = 3  # of one run


def prove_absent(services: Services, turn: Turn) -> Outcome | None:
    """None if the gateway never had any attempt of the run: they are marked, and it may be posted
    again. Else how the run ends, with a chase of what the gateway may have.

    Takes until START_DEADLINE after the POST's timeout. Raises LostRun.
    """
    pending = services.read(lambda tx: unanswered(tx, turn.run_id))
    proof = _proof(services, turn, pending)
    turn.check()
    if proof is not None and not turn.stop_asked.is_set():
        _mark(services, turn, pending, proof)
        return None
    _track_orphan(services, pending)
    if turn.stop_asked.is_set():
        say_stopping(turn)
        return aborted(gateway_done=False)
    log.warning("run.post_unproved run_id=%s fence=%s", turn.run_id, turn.claim.fence)
    return failed(
        Reason.POST_UNCERTAIN,
        "Nobody knows whether the gateway took the run, so it is not sent again.",
        gateway_done=False,
    )


def _proof(services: Services, turn: Turn, pending: Sequence[AttemptRow]) -> str | None:
    """One of the proofs of shared.db.runs.attempts, or None; also when a person stops the run."""
    count, _ = services.read(lambda tx: repeats(tx, turn.run_id))
    if count >= MOST_REPEATS:
        return None
    pause = services.settings.post_margin.total_seconds()
    wait = _seconds_to_wait(services, pending)
    delay = round(max(wait, 0.0) + pause, 3)
    turn.run_log.add("run.retrying", {"reason": str(Reason.POST_UNCERTAIN), "delay": delay})
    ripe = time.monotonic() + wait
    deadline = (
        max(ripe, time.monotonic()) + services.settings.start_deadline.total_seconds() + pause
    )
    before: str | None = None
    while not turn.stop_asked.is_set() and time.monotonic() < deadline:
        turn.check()
        try:
            seen = _look(turn, pending)
        except _Known:
            return None
        if time.monotonic() < ripe:
            _sleep(turn, min(LOOK, ripe - time.monotonic() + 0.01))
            continue
        if seen is not None and before is not None:
            return seen
        before = seen
        _sleep(turn, pause)
    return None


class _Known(Exception):
    """The gateway has the attempt's session, or can never tell."""


def _look(turn: Turn, pending: Sequence[AttemptRow]) -> str | None:
    """What speaks for the absence of all attempts at this moment, or None."""
    try:
        for attempt in pending:
            if turn.gateway.session(attempt.ephemeral_id) is not None:
                raise _Known
        work = turn.gateway.work()
    except GatewayUnsupported as error:
        raise _Known from error
    except GatewayError as error:
        log.info("proof.waiting run_id=%s error=%s", turn.run_id, error)
        return None
    if work.active == 0:
        return IDLE
    asked = [attempt.gateway_pid for attempt in pending]
    changed = work.pid is not None and all(pid not in (None, work.pid) for pid in asked)
    return RESTARTED if changed else None


def _seconds_to_wait(services: Services, pending: Sequence[AttemptRow]) -> float:
    """Until the last POST can be on its way no more."""
    settings = services.settings
    patience = settings.post_timeout.total_seconds() + settings.post_margin.total_seconds()
    last = max((attempt.intent_at or 0.0) for attempt in pending)
    return last + patience - services.read(read_clock)


def _sleep(turn: Turn, seconds: float) -> None:
    """Sleep, unless a person stops the run or it is lost."""
    until = time.monotonic() + seconds * random.uniform(1.0, 1.1)
    while (left := until - time.monotonic()) > 0:
        if turn.stop_asked.is_set() or turn.lost:
            return
        turn.changed.clear()
        turn.changed.wait(min(left, 1.0))


def _mark(services: Services, turn: Turn, pending: Sequence[AttemptRow], proof: str) -> None:
    """Write the proof down; the chase counts the attempt if it shows up all the same (R3)."""
    fences = [attempt.fence for attempt in pending]

    def work(tx: Session) -> None:
        note_absent(tx, turn.claim, fences, proof)
        for attempt in pending:
            _add_orphan(tx, attempt)

    services.write(work)
    for attempt in pending:
        log.warning(
            "run.post_repeated run_id=%s fence=%s ephemeral_id=%s proof=%s",
            turn.run_id,
            attempt.fence,
            attempt.ephemeral_id,
            proof,
        )


def _track_orphan(services: Services, pending: Sequence[AttemptRow]) -> None:
    def work(tx: Session) -> None:
        for attempt in pending:
            _add_orphan(tx, attempt)

    services.write(work)


def _add_orphan(tx: Session, attempt: AttemptRow) -> None:
    track_orphan(
        tx,
        run_id=attempt.run_id,
        profile=attempt.profile,
        kind=UNCERTAIN_POST,
        ephemeral_id=attempt.ephemeral_id,
        gateway_run_id=None,
    )
