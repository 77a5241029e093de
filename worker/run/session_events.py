"""Shows a session's open tabs that a prompt's turn has started (P14)."""

import logging
import threading

from shared.db.runs.claim import Claim
from shared.db.sessions.message_json import shortened
from shared.db.sessions.read import waiting
from shared.errors import Unavailable
from shared.event_log.session_events import publish_session_event
from worker.services import Services

log = logging.getLogger(__name__)


def notify_turn_started(services: Services, claim: Claim) -> None:
    """Publish `message.added` with the prompt, and `queue.updated` from a thread of its own: the
    run does not wait for the queue to be read. Never raises, since `resumed` has it all."""
    if claim.session_id is None or claim.prompt is None:
        return
    publish_session_event(
        services.event_log,
        "message.added",
        owner=claim.owner,
        session_id=claim.session_id,
        run_id=claim.run_id,
        message=shortened(claim.prompt),
    )
    if claim.turn_no != 1:  # the first one has not waited
        threading.Thread(
            target=_notify_queue, args=(services, claim), name="queue-updated", daemon=True
        ).start()


def _notify_queue(services: Services, claim: Claim) -> None:
    owner, session_id = claim.owner, str(claim.session_id)
    try:
        queue = services.db.read(lambda tx: waiting(tx, owner, session_id))
    except Unavailable as error:
        log.info("session_event.unpublished event=queue.updated error=%s", type(error).__name__)
        return
    publish_session_event(
        services.event_log, "queue.updated", owner=owner, session_id=session_id, queue=queue
    )
