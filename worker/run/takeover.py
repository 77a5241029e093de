"""Going on with what an owner before left (R3, R14, R18): re-attach, repeat only after proof.

`reattach` follows the gateway's run if there is one. Runs of other attempts that the gateway may
still be working on are stopped.
"""

import logging

from shared.db.models import AttemptRow
from shared.db.runs.attempts import attempts
from shared.db.runs.orphans import STOP, UNCERTAIN_POST, track_orphan
from shared.protocol.run_states import Reason
from worker.outcome import Outcome, failed
from worker.run.absence_proof import prove_absent
from worker.run.follow import follow
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

MOST_TAKEOVERS = 5  # R18


def reattach(services: Services, turn: Turn) -> Outcome | None:
    """How the run ended; None if the gateway never had it, so that it starts anew.

    Raises LostRun, DatabaseAway.
    """
    earlier = services.read(lambda tx: attempts(tx, turn.run_id))
    known = [attempt for attempt in earlier if attempt.gateway_run_id is not None]
    pending = [a for a in earlier if a.gateway_run_id is None and a.proved_absent_at is None]
    for attempt in known[:-1]:
        _track_orphan(services, attempt, STOP)
    if known:
        turn.ephemeral_id = known[-1].ephemeral_id
        turn.gateway_run_id = known[-1].gateway_run_id
    too_many = turn.claim.takeovers > MOST_TAKEOVERS
    if known or too_many:
        for attempt in pending:
            _track_orphan(services, attempt, UNCERTAIN_POST)
    if too_many:
        return _too_many()
    if not known:
        # Its owner died while it posted, or before: nobody knows whether the gateway has it (R2).
        return prove_absent(services, turn) if pending else None
    log.info("run.reattaching run_id=%s fence=%s", turn.run_id, turn.claim.fence)
    return follow(services, turn, open_stream=not known[-1].stream_opened)


def _too_many() -> Outcome:
    return failed(Reason.WORKER_LOST, "Too many servers died of this run.", gateway_done=False)


def _track_orphan(services: Services, attempt: AttemptRow, kind: str) -> None:
    services.write(
        lambda tx: track_orphan(
            tx,
            run_id=attempt.run_id,
            profile=attempt.profile,
            kind=kind,
            ephemeral_id=attempt.ephemeral_id,
            gateway_run_id=attempt.gateway_run_id,
        )
    )
