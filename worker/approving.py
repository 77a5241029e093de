"""Gives a gateway the answer to its question, once (R10)."""

import logging

from shared.db.approvals import note_outcome, unsent_answer
from shared.db.claims import attempts
from shared.db.models import RunRow
from shared.events import session_bell
from shared.redis_keys import feed_tag
from worker.parts import Parts

log = logging.getLogger(__name__)


def answer_approval(parts: Parts, run_id: str, approval_id: int) -> None:
    """POST the answer that a person gave; tell the session if it came too late.

    Raises GatewayError when the gateway could not be asked, Unavailable.
    """
    choice = parts.db.read(lambda session: unsent_answer(session, run_id, approval_id))
    run = parts.db.read(lambda session: session.get(RunRow, run_id))
    if choice is None or run is None:
        return
    earlier = parts.db.read(lambda session: attempts(session, run_id))
    named = [attempt for attempt in earlier if attempt.gateway_run_id is not None]
    heard = bool(named) and parts.gateways.client(run.profile).approve(
        str(named[-1].gateway_run_id), choice
    )
    outcome = "done" if heard else "expired"
    parts.db.write(lambda session: note_outcome(session, run_id, approval_id, outcome))
    log.info("approval.%s run_id=%s approval_id=%s", outcome, run_id, approval_id)
    if not heard:
        _tell_expired(parts, run, approval_id)


def _tell_expired(parts: Parts, run: RunRow, approval_id: int) -> None:
    payload = {"event": "approval.expired", "run_id": run.id, "approval_id": approval_id}
    if run.session_id is not None:
        payload["session_id"] = run.session_id
    tag = feed_tag(run.owner, run.session_id, run.id)
    parts.log.ring(tag, session_bell("approval.expired", payload))
