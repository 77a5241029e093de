"""Finds out what earlier owners of a run had its gateway do (R3, R14, R18).

Problem: an owner died at an unknown moment. The gateway may be working on the run, may have ended
it, or may never have had it; posting it again could do it twice. Idea: each owner wrote an attempt
down before it posted, and the gateway's id after. The latest attempt with an id is the run to go
on with; an attempt without one is unanswered and needs a proof. Invariant: everything else that
the gateway may still be working on is handed to the job for orphaned runs in the same step, so
at most one run of the gateway goes on.
"""

import logging
from collections.abc import Sequence
from enum import Enum, auto

from sqlalchemy.orm import Session

from shared.db.models import AttemptRow
from shared.db.runs.attempts import attempts
from shared.db.runs.gateway_orphans import STOP, UNCERTAIN_POST, track_attempt
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

MOST_TAKEOVERS = 5  # R18


class Takeover(Enum):
    """What earlier owners had the gateway do."""

    NOT_POSTED = auto()  # the gateway never had the run
    UNANSWERED = auto()  # a POST of unknown outcome (R2)
    ATTACHED = auto()  # a run at the gateway: the turn has its id
    TOO_MANY = auto()  # the run is given up: it has cost too many owners


def take_over(services: Services, turn: Turn) -> Takeover:
    """Attach the turn to the gateway's run if there is one; whatever else the gateway may have of
    this run will be stopped. Raises DatabaseUnavailable."""
    earlier = services.patient_db.read(lambda tx: attempts(tx, turn.run_id))
    known = [attempt for attempt in earlier if attempt.gateway_run_id is not None]
    pending = [a for a in earlier if a.gateway_run_id is None and a.proved_absent_at is None]
    if known:
        _attach(turn, known[-1])
    too_many = turn.claim.takeovers > MOST_TAKEOVERS
    _track_orphans(services, known[:-1], STOP)
    if known or too_many:
        _track_orphans(services, pending, UNCERTAIN_POST)
    if too_many:
        return Takeover.TOO_MANY
    if known:
        log.info("run.reattaching run_id=%s fence=%s", turn.run_id, turn.claim.fence)
        return Takeover.ATTACHED
    return Takeover.UNANSWERED if pending else Takeover.NOT_POSTED


def _attach(turn: Turn, latest: AttemptRow) -> None:
    turn.ephemeral_id = latest.ephemeral_id
    turn.gateway_run_id = latest.gateway_run_id
    turn.stream_opened_before = latest.stream_opened


def _track_orphans(services: Services, rows: Sequence[AttemptRow], kind: str) -> None:
    def work(tx: Session) -> None:
        for attempt in rows:
            track_attempt(tx, attempt, kind)

    if rows:
        services.patient_db.write(work)
