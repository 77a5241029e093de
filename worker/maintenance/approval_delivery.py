"""Gives a gateway the answer to its question, once (R10)."""

import logging

from shared.db.models import RunRow
from shared.db.runs.approvals import (
    DONE,
    EXPIRED,
    UNCERTAIN,
    begin_sending,
    note_outcome,
    unsent_answer,
)
from shared.db.runs.attempts import attempts
from shared.errors import GatewayError
from shared.event_log.session_events import publish_session_event
from worker.services import Services

log = logging.getLogger(__name__)


def answer_approval(services: Services, run_id: str, approval_id: int) -> None:
    """POST a person's answer; tell the session if it came too late. Raises Unavailable."""
    choice = services.db.read(lambda tx: unsent_answer(tx, run_id, approval_id))
    run = services.db.read(lambda tx: tx.get(RunRow, run_id))
    if choice is None or run is None:
        return
    if not services.db.write(lambda tx: begin_sending(tx, run_id, approval_id)):
        return
    outcome = _send(services, run, choice)
    services.db.write(lambda tx: note_outcome(tx, run_id, approval_id, outcome))
    log.info("approval.%s run_id=%s approval_id=%s", outcome, run_id, approval_id)
    if outcome != DONE:
        _tell_expired(services, run, approval_id)


def _send(services: Services, run: RunRow, choice: str) -> str:
    """POST once. Sent again it could answer the question after this one: gateways ask for no id."""
    earlier = services.db.read(lambda tx: attempts(tx, run.id))
    named = [attempt for attempt in earlier if attempt.gateway_run_id is not None]
    if not named:
        return EXPIRED
    try:
        heard = services.gateways.client(run.profile).approve(str(named[-1].gateway_run_id), choice)
    except GatewayError as error:
        log.warning("approval.uncertain run_id=%s error=%s", run.id, error)
        return UNCERTAIN
    return DONE if heard else EXPIRED


def _tell_expired(services: Services, run: RunRow, approval_id: int) -> None:
    publish_session_event(
        services.event_log,
        "approval.expired",
        owner=run.owner,
        session_id=run.session_id,
        run_id=run.id,
        approval_id=approval_id,
    )
