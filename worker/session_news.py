"""Tells the session's tabs that a prompt's turn has started (P14). Hints: `resumed` has it all."""

import logging

from sqlalchemy.orm import Session

from shared.db.claims import Claim
from shared.db.conversation import prompt, waiting
from shared.errors import Unavailable
from shared.events import Payload, session_bell
from worker.parts import Parts

log = logging.getLogger(__name__)

SHOWN = 16_000  # characters


def tell_turn_started(parts: Parts, claim: Claim) -> None:
    """Ring `message.added` for the prompt, and `queue.updated` if it had waited."""
    if claim.session_id is None or claim.fence > 1:
        return
    try:
        for name, payload in parts.db.read(lambda session: _news(session, claim)):
            parts.log.ring(claim.keys.tag, session_bell(name, {"event": name, **payload}))
    except Unavailable as error:
        log.info("session.untold run_id=%s error=%s", claim.run_id, type(error).__name__)


def _news(session: Session, claim: Claim) -> list[tuple[str, Payload]]:
    assert claim.session_id is not None
    common: Payload = {"session_id": claim.session_id, "run_id": claim.run_id}
    news: list[tuple[str, Payload]] = []
    message = prompt(session, claim.run_id)
    if message is not None:
        news.append(("message.added", {**common, "message": _short(message)}))
    if claim.turn_no != 1:
        queue = waiting(session, claim.owner, claim.session_id)
        news.append(("queue.updated", {"session_id": claim.session_id, "queue": queue}))
    return news


def _short(message: Payload) -> Payload:
    """A prompt may be megabytes; as an event it is cut, and `resumed` has all of it."""
    if len(message["content"]) <= SHOWN:
        return message
    kept = {key: value for key, value in message.items() if key != "content_blocks"}
    return {**kept, "content": message["content"][:SHOWN], "truncated": True}
