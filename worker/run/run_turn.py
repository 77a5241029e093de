"""The story of a run in a worker, from claim to end; each step is a module of its own.

    claim    worker/run_queue.py           which run is due, and may this worker have it?
    open     worker/run/open_log.py        the run's log and lease, in this process
    takeover worker/run/takeover.py        what did earlier owners have the gateway do?
    submit   worker/run/submit.py          post the run, once
    repeat   worker/run/repeat_post.py      the POST was not answered: send it again with its key
    prove    worker/run/uncertain_post.py   or: did the gateway get it?
    follow   worker/run/follow.py          read or poll the gateway until the run has ended
    finish   worker/run/finish.py          write the end, announce it, start the next run
    put back worker/run_queue.py           or: the gateway has no capacity, try again later

Problem: a run takes minutes to hours, and this process, the gateway, Redis or the database may go
away at any moment of it. Idea: every right and every step with an effect outside is a row that is
written before it happens, under the fence of this claim. Invariant: whatever ends this function
early leaves a run that another owner can go on with; nothing is done twice because of it.
"""

import logging
import time
from dataclasses import dataclass

from shared.db.runs.claim import Claim
from shared.errors import OwnershipLost, PostUncertain, Unavailable, UnknownProfile
from shared.protocol.run_states import Reason
from worker.outcome import Outcome, aborted, failed
from worker.run.end_report import note_claim
from worker.run.finish import end_unopened, finish
from worker.run.follow import follow
from worker.run.open_log import close_turn, open_turn
from worker.run.session_events import notify_turn_started
from worker.run.submit import submit, submit_again
from worker.run.takeover import MOST_TAKEOVERS, Takeover, take_over
from worker.run.uncertain_post import prove_absent
from worker.run_queue import PutBack, claim_due, claim_run, enqueue_permitted, put_back
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

TOO_MANY = "Too many servers died of this run."


@dataclass(frozen=True)
class RunReport:
    """What became of a message: the run that was claimed for it, and how it left this worker."""

    run_id: str
    session_id: str | None
    outcome: str  # the state in which it ended; or put_back, lost, not_opened

    def __str__(self) -> str:
        return f"{self.outcome}: {self.run_id}, session {self.session_id or '-'}"


def run_next(services: Services, named: str) -> RunReport | None:
    """Do the next run that is due, which need not be the one that the message names (ADR 0024);
    None if there is none. Otherwise as `run_turn`.
    """
    with services.starts.passing():
        if services.draining:
            services.queue.run_turn(named)  # for a worker that stays (R22)
            return None
        claimed_at = time.monotonic()
        claim = claim_due(services, named)
    return _do(services, claim, claimed_at) if claim is not None else None


def run_turn(services: Services, run_id: str) -> RunReport | None:
    """Do this run, if it may be done and no other worker does it. Safe to call twice, anywhere.

    Raises DatabaseUnavailable when the database was away for too long; the run's lease lapses then,
    and another owner goes on.
    """
    if services.draining:
        services.queue.run_turn(run_id)  # for a worker that stays (R22)
        return None
    claimed_at = time.monotonic()
    claim = claim_run(services, run_id)
    return _do(services, claim, claimed_at) if claim is not None else None


def _do(services: Services, claim: Claim, claimed_at: float) -> RunReport:
    turn = _open(services, claim, claimed_at)
    if turn is None:
        return _report(claim, "not_opened")
    ended = None
    try:
        ended = _run_to_end(services, turn)
    except OwnershipLost:
        log.warning("run.lost run_id=%s fence=%s", claim.run_id, claim.fence)
        return _report(claim, "lost")
    finally:
        close_turn(services, turn)
    if ended is None:
        return _report(claim, "put_back")
    enqueue_permitted(services, claim.profile)
    services.transcripts.check_used(claim.profile)
    return _report(claim, str(ended.state))


def _report(claim: Claim, outcome: str) -> RunReport:
    return RunReport(claim.run_id, claim.session_id, outcome)


def _open(services: Services, claim: Claim, claimed_at: float) -> Turn | None:
    """None if the run cannot be opened: it has ended then, or its lease lapses and the reaper has
    another worker try."""
    note_claim(claim)
    try:
        return open_turn(services, claim, claimed_at)
    except UnknownProfile as error:
        end_unopened(services, claim, Reason.GATEWAY_ERROR, str(error))
    except (OwnershipLost, Unavailable) as error:
        log.warning("run.not_opened run_id=%s error=%s", claim.run_id, type(error).__name__)
    except Exception:
        if claim.takeovers <= MOST_TAKEOVERS:
            raise  # another worker may be able to: the lease lapses
        log.exception("run.never_opened run_id=%s", claim.run_id)
        end_unopened(services, claim, Reason.WORKER_LOST, TOO_MANY)
    return None


def _run_to_end(services: Services, turn: Turn) -> Outcome | None:
    """How the run has ended; None if it is back in the queue."""
    try:
        notify_turn_started(services, turn.claim)
        outcome = _outcome(services, turn)
    except PutBack as later:
        if put_back(services, turn, later):
            return None
        outcome = aborted(gateway_done=True)  # a person stopped it meanwhile
    except (OwnershipLost, Unavailable):
        raise
    except Exception:  # the edge: a defect must not leave the session working for ever
        log.exception("run.broken run_id=%s", turn.run_id)
        done = turn.gateway_run_id is None
        outcome = failed(Reason.INTERNAL, "Something went wrong on the server.", gateway_done=done)
    finish(services, turn, outcome)
    return outcome


def _outcome(services: Services, turn: Turn) -> Outcome:
    """Have the gateway do the run, and follow it. Raises PutBack, OwnershipLost, Unavailable."""
    ended = None
    if turn.claim.lapsed:
        ended = _go_on(services, turn)
    if ended is None and turn.gateway_run_id is None and not turn.stop_requested:
        ended = _submit(services, turn)
    if ended is not None:
        return ended
    if turn.gateway_run_id is None:
        return aborted(gateway_done=True)  # a person stopped it before it was posted
    return follow(services, turn)


def _go_on(services: Services, turn: Turn) -> Outcome | None:
    """None if the turn has the gateway's run, or if the gateway certainly never had it."""
    found = take_over(services, turn)
    if found is Takeover.TOO_MANY:
        return failed(Reason.WORKER_LOST, TOO_MANY, gateway_done=False)
    if found is Takeover.UNANSWERED and not submit_again(services, turn):
        return prove_absent(services, turn)
    return None


def _submit(services: Services, turn: Turn) -> Outcome | None:
    """Post the run. Proved absent after an unanswered POST, it is posted again by its next claim,
    as another attempt. Raises PutBack."""
    try:
        return submit(services, turn)
    except PostUncertain as error:
        log.warning("run.post_uncertain run_id=%s error=%s", turn.run_id, error)
        ended = prove_absent(services, turn)
        if ended is None:
            raise PutBack(Reason.POST_UNCERTAIN, 0.0, announced=True) from error
        return ended
