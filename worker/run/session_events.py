"""Tells the session's tabs that a prompt's turn has started (P14). Hints: `resumed` has it all."""

import logging
import threading

from shared.db.runs.claim import Claim
from shared.db.sessions.read import waiting
from shared.errors import Unavailable
from shared.protocol.events import Payload, session_notification
from worker.services import Services

log = logging.getLogger(__name__)

SHOWN = 16_000  # characters


def notify_turn_started(services: Services, claim: Claim) -> None:
    """Ring `message.added` for the prompt, and `queue.updated` a moment later: the run does not
    wait for the queue to be read."""
    if claim.session_id is None or claim.prompt is None:
        return
    common: Payload = {"session_id": claim.session_id, "run_id": claim.run_id}
    _ring(services, claim, "message.added", {**common, "message": _short(claim.prompt)})
    if claim.turn_no != 1:  # the first one has not waited
        threading.Thread(
            target=_tell_queue, args=(services, claim), name="news", daemon=True
        ).start()


def _tell_queue(services: Services, claim: Claim) -> None:
    owner, session_id = claim.owner, str(claim.session_id)
    try:
        queue = services.db.read(lambda tx: waiting(tx, owner, session_id))
    except Unavailable as error:
        log.info("session.untold run_id=%s error=%s", claim.run_id, type(error).__name__)
        return
    _ring(services, claim, "queue.updated", {"session_id": session_id, "queue": queue})


def _ring(services: Services, claim: Claim, name: str, payload: Payload) -> None:
    try:
        services.event_log.notify(
            claim.keys.tag, session_notification(name, {"event": name, **payload})
        )
    except Unavailable as error:
        log.info("session.untold run_id=%s error=%s", claim.run_id, type(error).__name__)


def _short(message: Payload) -> Payload:
    """A prompt may be megabytes; as an event it is cut, and `resumed` has all of it."""
    if len(message["content"]) <= SHOWN:
        return message
    kept = {key: value for key, value in message.items() if key != "content_blocks"}
    return {**kept, "content": message["content"][:SHOWN], "truncated": True}
