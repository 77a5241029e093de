"""Going on with what an owner before left (R3, R14, R18): re-attach, never execute again.

`reattach` follows the gateway's run if there is one. Runs of other attempts that the gateway may
still be working on are stopped.
"""

import logging

from shared.db.chases import STOP, UNCERTAIN_POST, chase
from shared.db.claims import attempts
from shared.db.models import AttemptRow
from shared.runs import Reason
from worker.following import follow
from worker.outcome import Outcome, aborted, failed
from worker.parts import Parts
from worker.turn import Turn

log = logging.getLogger(__name__)

MOST_TAKEOVERS = 5  # R18


def reattach(parts: Parts, turn: Turn) -> Outcome | None:
    """How the run ended; None if the gateway never had it, so that it starts anew.

    Raises LostRun, DatabaseAway.
    """
    earlier = parts.read(lambda session: attempts(session, turn.run_id))
    if not earlier:
        return None if turn.claim.takeovers <= MOST_TAKEOVERS else _too_many()
    known = [attempt for attempt in earlier if attempt.gateway_run_id is not None]
    for attempt in known[:-1]:
        _chase(parts, attempt, STOP)
    if not known:
        return _uncertain(parts, turn, earlier[-1])
    turn.ephemeral_id = known[-1].ephemeral_id
    turn.gateway_run_id = known[-1].gateway_run_id
    if turn.claim.takeovers > MOST_TAKEOVERS:
        return _too_many()
    log.info("run.reattaching run_id=%s fence=%s", turn.run_id, turn.claim.fence)
    return follow(parts, turn, open_stream=not known[-1].stream_opened)


def _too_many() -> Outcome:
    return failed(Reason.WORKER_LOST, "Too many servers died of this run.", gateway_done=False)


def _uncertain(parts: Parts, turn: Turn, attempt: AttemptRow) -> Outcome:
    """Its owner died while it posted: nobody knows whether the gateway has it (R2)."""
    _chase(parts, attempt, UNCERTAIN_POST)
    if turn.stop_asked.is_set():
        return aborted(gateway_done=False)
    return failed(
        Reason.POST_UNCERTAIN,
        "The server died while it handed the run to the gateway, so it is not sent again.",
        gateway_done=False,
    )


def _chase(parts: Parts, attempt: AttemptRow, kind: str) -> None:
    parts.write(
        lambda session: chase(
            session,
            run_id=attempt.run_id,
            profile=attempt.profile,
            kind=kind,
            ephemeral_id=attempt.ephemeral_id,
            gateway_run_id=attempt.gateway_run_id,
        )
    )
