"""One run from claim to end: the story. Its steps are in the modules that it names."""

import logging
import time

from shared.db.runs.claim import Claim, Refusal, Refused, claim
from shared.db.runs.concurrency_limit import permitted
from shared.db.runs.ownership import put_back
from shared.errors import LostRun, Unavailable, UnknownProfile
from shared.protocol.run_states import Reason
from shared.run_end import announce
from worker.outcome import Outcome, aborted, failed
from worker.run.finish import end_unopened, finish
from worker.run.follow import follow
from worker.run.open_log import open_turn
from worker.run.session_events import tell_turn_started
from worker.run.submit import PutBack, start
from worker.run.takeover import reattach
from worker.services import Parts
from worker.turn import Turn

log = logging.getLogger(__name__)


def run_turn(parts: Parts, run_id: str) -> None:
    """Do the run, if it may be done and nobody else does it. Safe to call twice, anywhere."""
    if parts.duty.draining:
        parts.queue.run_turn(run_id)  # for a worker that stays (R22)
        return
    asked_at = time.monotonic()
    claimed = take(parts, run_id)
    if claimed is None:
        return
    try:
        turn = open_turn(parts, claimed, asked_at)
    except UnknownProfile as error:
        end_unopened(parts, claimed, Reason.GATEWAY_ERROR, str(error))
        return
    except (LostRun, Unavailable) as error:
        log.warning("run.not_opened run_id=%s error=%s", run_id, type(error).__name__)
        return  # the lease lapses and the reaper has somebody try again
    ended = False
    try:
        tell_turn_started(parts, claimed)
        ended = _do(parts, turn)
    except LostRun:
        log.warning("run.lost run_id=%s fence=%s", run_id, claimed.fence)
    finally:
        turn.log.lose()
        parts.publisher.close(turn.log)
        parts.leases.release(run_id)
        if parts.turns.get(run_id) is turn:
            del parts.turns[run_id]
        turn.let_go()
    if ended:
        wake_waiting(parts, claimed.profile)


def wake_waiting(parts: Parts, profile: str) -> None:
    """Enqueue the runs that have a permit now (R7); what is missed here, the reaper finds."""
    most = parts.gateways.max_runs(profile)
    if most == 0:
        return
    try:
        for run_id in parts.db.read(lambda session: permitted(session, profile, most)):
            parts.queue.run_turn(run_id)
    except Unavailable as error:
        log.warning("permits.not_told profile=%s error=%s", profile, type(error).__name__)


def take(parts: Parts, run_id: str) -> Claim | None:
    """The claim of the run; None if it is not to be had, and somebody else sees to it."""
    lease, limits = parts.settings.lease.total_seconds(), parts.gateways.max_runs
    for _ in range(3):
        answer = parts.db.write(lambda session: claim(session, run_id, parts.name, lease, limits))
        if isinstance(answer, Claim):
            log.info(
                "run.claimed run_id=%s fence=%s waited=%.3f", run_id, answer.fence, answer.waited
            )
            return answer
        if answer.why is not Refusal.UNANNOUNCED:
            log.info("run.not_claimed run_id=%s why=%s", run_id, answer.why)
            if answer.why is Refusal.NO_PERMIT:
                wake_waiting(parts, answer.profile)
            return None
        _announce_all(parts, answer)
    return None


def _announce_all(parts: Parts, refused: Refused) -> None:
    for predecessor in refused.predecessors:
        announce(parts.db, parts.log, predecessor)


def _do(parts: Parts, turn: Turn) -> bool:
    """Whether the run has ended; else it is back in the queue. Raises LostRun, Unavailable."""
    try:
        outcome = _outcome(parts, turn)
    except PutBack as later:
        return not _put_back(parts, turn, later)
    except (LostRun, Unavailable):
        raise
    except Exception:  # the edge: a fault of ours must not leave the session working for ever
        log.exception("run.broken run_id=%s", turn.run_id)
        done = turn.gateway_run_id is None
        outcome = failed(Reason.INTERNAL, "Something went wrong on the server.", gateway_done=done)
    finish(parts, turn, outcome)
    return True


def _outcome(parts: Parts, turn: Turn) -> Outcome:
    if turn.claim.lapsed:
        found = reattach(parts, turn)
        if found is not None:
            return found
    if not turn.stop_asked.is_set():
        ended = start(parts, turn)
        if ended is not None:
            return ended
    if turn.gateway_run_id is None:
        return aborted(gateway_done=True)
    return follow(parts, turn, open_stream=True)


def _put_back(parts: Parts, turn: Turn, later: PutBack) -> bool:
    """Whether the run waits; it has ended if a person stopped it meanwhile."""
    if not later.told:
        turn.log.add("run.retrying", {"reason": later.reason, "delay": round(later.delay, 3)})
    turn.log.wait_settled(5.0)
    last_seq = turn.log.head
    waits = parts.write(
        lambda session: put_back(session, turn.claim, last_seq=last_seq, delay=later.delay)
    )
    if not waits:
        finish(parts, turn, aborted(gateway_done=True))
        return False
    parts.leases.release(turn.run_id)
    log.info("run.put_back run_id=%s delay=%.1f reason=%s", turn.run_id, later.delay, later.reason)
    parts.queue.run_turn(turn.run_id, delay=later.delay + 0.05)
    return True
