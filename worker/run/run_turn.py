"""One run from claim to end: the story. Its steps are in the modules that it names."""

import logging
import time

from shared.db.runs.claim import Claim, Refusal, Refused, claim
from shared.db.runs.concurrency_limit import permitted
from shared.db.runs.ownership import put_back
from shared.errors import OwnershipLost, Unavailable, UnknownProfile
from shared.protocol.run_states import Reason
from shared.run_end import announce
from worker.outcome import Outcome, aborted, failed
from worker.run.finish import end_unopened, finish
from worker.run.follow import follow
from worker.run.open_log import open_turn
from worker.run.session_events import notify_turn_started
from worker.run.submit import PutBack, start
from worker.run.takeover import reattach
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)


def run_turn(services: Services, run_id: str) -> None:
    """Do the run, if it may be done and nobody else does it. Safe to call twice, anywhere."""
    if services.duty.draining:
        services.queue.run_turn(run_id)  # for a worker that stays (R22)
        return
    asked_at = time.monotonic()
    claimed = take(services, run_id)
    if claimed is None:
        return
    try:
        turn = open_turn(services, claimed, asked_at)
    except UnknownProfile as error:
        end_unopened(services, claimed, Reason.GATEWAY_ERROR, str(error))
        return
    except (OwnershipLost, Unavailable) as error:
        log.warning("run.not_opened run_id=%s error=%s", run_id, type(error).__name__)
        return  # the lease lapses and the reaper has somebody try again
    ended = False
    try:
        notify_turn_started(services, claimed)
        ended = _do(services, turn)
    except OwnershipLost:
        log.warning("run.lost run_id=%s fence=%s", run_id, claimed.fence)
    finally:
        turn.run_log.lose()
        services.publisher.close(turn.run_log)
        services.leases.release(run_id)
        if services.turns.get(run_id) is turn:
            del services.turns[run_id]
        turn.let_go()
    if ended:
        wake_waiting(services, claimed.profile)


def wake_waiting(services: Services, profile: str) -> None:
    """Enqueue the runs that have a permit now (R7); what is missed here, the reaper finds."""
    most = services.gateways.max_runs(profile)
    if most == 0:
        return
    try:
        for run_id in services.db.read(lambda tx: permitted(tx, profile, most)):
            services.queue.run_turn(run_id)
    except Unavailable as error:
        log.warning("permits.not_told profile=%s error=%s", profile, type(error).__name__)


def take(services: Services, run_id: str) -> Claim | None:
    """The claim of the run; None if it is not to be had, and somebody else sees to it."""
    lease, limits = services.settings.lease.total_seconds(), services.gateways.max_runs
    for _ in range(3):
        answer = services.db.write(lambda tx: claim(tx, run_id, services.name, lease, limits))
        if isinstance(answer, Claim):
            log.info(
                "run.claimed run_id=%s fence=%s waited=%.3f", run_id, answer.fence, answer.waited
            )
            return answer
        if answer.why is not Refusal.UNANNOUNCED:
            log.info("run.not_claimed run_id=%s why=%s", run_id, answer.why)
            if answer.why is Refusal.NO_PERMIT:
                wake_waiting(services, answer.profile)
            return None
        _announce_all(services, answer)
    return None


def _announce_all(services: Services, refused: Refused) -> None:
    for predecessor in refused.predecessors:
        announce(services.db, services.event_log, predecessor)


def _do(services: Services, turn: Turn) -> bool:
    """Whether the run has ended; else it is back in the queue. Raises LostRun, Unavailable."""
    try:
        outcome = _outcome(services, turn)
    except PutBack as later:
        return not _put_back(services, turn, later)
    except (OwnershipLost, Unavailable):
        raise
    except Exception:  # the edge: a fault of ours must not leave the session working for ever
        log.exception("run.broken run_id=%s", turn.run_id)
        done = turn.gateway_run_id is None
        outcome = failed(Reason.INTERNAL, "Something went wrong on the server.", gateway_done=done)
    finish(services, turn, outcome)
    return True


def _outcome(services: Services, turn: Turn) -> Outcome:
    if turn.claim.lapsed:
        found = reattach(services, turn)
        if found is not None:
            return found
    if not turn.stop_asked.is_set():
        ended = start(services, turn)
        if ended is not None:
            return ended
    if turn.gateway_run_id is None:
        return aborted(gateway_done=True)
    return follow(services, turn, open_stream=True)


def _put_back(services: Services, turn: Turn, later: PutBack) -> bool:
    """Whether the run waits; it has ended if a person stopped it meanwhile."""
    if not later.told:
        turn.run_log.add("run.retrying", {"reason": later.reason, "delay": round(later.delay, 3)})
    turn.run_log.wait_settled(5.0)
    last_seq = turn.run_log.head
    waits = services.write(
        lambda tx: put_back(tx, turn.claim, last_seq=last_seq, delay=later.delay)
    )
    if not waits:
        finish(services, turn, aborted(gateway_done=True))
        return False
    services.leases.release(turn.run_id)
    log.info("run.put_back run_id=%s delay=%.1f reason=%s", turn.run_id, later.delay, later.reason)
    services.queue.run_turn(turn.run_id, delay=later.delay + 0.05)
    return True
