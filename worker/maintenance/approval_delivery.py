"""Sends a person's answer to the gateway whose agent asked, at most once (R10).

Gateways take answers in the order of their questions, without ids: an answer that is sent twice
could answer the next question. So the sending is reserved in the row before the POST, and an answer
whose POST failed is `uncertain` and not sent again.
"""

import logging

from shared.db.runs.approvals import (
    DONE,
    EXPIRED,
    UNCERTAIN,
    UnsentAnswer,
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
    """POST the answer, and notify the session if the gateway did not take it. Does nothing if that
    was begun before, so it may be called again. Raises DatabaseUnavailable."""
    answer = services.db.read(lambda tx: unsent_answer(tx, run_id, approval_id))
    if answer is None:
        return
    if not services.db.write(lambda tx: begin_sending(tx, run_id, approval_id)):
        return
    outcome = _send(services, run_id, answer)
    services.db.write(lambda tx: note_outcome(tx, run_id, approval_id, outcome))
    log.info("approval.%s run_id=%s approval_id=%s", outcome, run_id, approval_id)
    if outcome != DONE:
        _publish_expired(services, run_id, approval_id, answer)


def _send(services: Services, run_id: str, answer: UnsentAnswer) -> str:
    """POST once, to the gateway run of the latest attempt that has one; return the outcome."""
    earlier = services.db.read(lambda tx: attempts(tx, run_id))
    gateway_runs = [a.gateway_run_id for a in earlier if a.gateway_run_id is not None]
    if not gateway_runs:
        return EXPIRED
    try:
        taken = services.gateways.client(answer.profile).approve(gateway_runs[-1], answer.choice)
    except GatewayError as error:
        log.warning("approval.uncertain run_id=%s error=%s", run_id, error)
        return UNCERTAIN
    return DONE if taken else EXPIRED


def _publish_expired(
    services: Services, run_id: str, approval_id: int, answer: UnsentAnswer
) -> None:
    publish_session_event(
        services.event_log,
        "approval.expired",
        owner=answer.owner,
        session_id=answer.session_id,
        run_id=run_id,
        approval_id=approval_id,
    )
