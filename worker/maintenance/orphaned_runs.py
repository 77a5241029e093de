"""Looks after gateway runs that outlived ours: stops them, waits until they show up, and takes a
transcript that arrives late (R2, R9, R24)."""

import logging

from sqlalchemy.orm import Session

from shared.db.gateway_sessions import forget
from shared.db.models import ChaseRow
from shared.db.runs.attempts import note_double_post, was_proved_absent
from shared.db.runs.orphans import SYNC, again, done, due
from shared.errors import GatewayError, Unavailable, UnknownProfile
from worker.gateway.client import GatewayClient
from worker.maintenance.late_transcripts import sync_late
from worker.services import Parts

log = logging.getLogger(__name__)

LIMIT = 50
FIRST, MOST = 2.0, 120.0  # seconds between looks, doubling
SEARCH = 600.0  # seconds for which a run that nobody saw arrive is searched


def chase_all(parts: Parts) -> None:
    """One look at every chase that is due."""
    try:
        for row in parts.db.read(lambda session: due(session, LIMIT)):
            _one(parts, row)
    except Unavailable as error:
        log.warning("chase.waiting error=%s", type(error).__name__)


def _one(parts: Parts, row: ChaseRow) -> None:
    try:
        outcome = _look(parts, parts.gateways.client(row.profile), row)
    except UnknownProfile:
        outcome = "profile_gone"
    except GatewayError as error:
        log.info("chase.failed run_id=%s error=%s", row.run_id, error)
        outcome = None
    pause = min(FIRST * float(2**row.tries), MOST)
    if outcome is None and _waited(row) < SEARCH:
        parts.db.write(lambda session: again(session, row.id, pause))
        return

    def settle(session: Session) -> None:
        done(session, row.id, outcome or "given_up")
        forget(session, row.profile, row.ephemeral_id, saved=False)

    parts.db.write(settle)
    log.info("chase.done run_id=%s kind=%s outcome=%s", row.run_id, row.kind, outcome)


def _waited(row: ChaseRow) -> float:
    """About how long this has been going on, from the pauses that were made."""
    return sum(min(FIRST * float(2**n), MOST) for n in range(row.tries))


def _look(parts: Parts, gateway: GatewayClient, row: ChaseRow) -> str | None:
    """How the chase ended; None: look again later."""
    if row.kind == SYNC:
        return "synced" if sync_late(parts, row) else None
    if row.gateway_run_id is not None:
        status = gateway.status(row.gateway_run_id)
        if status is None or status.terminal:
            sync_late(parts, row)
            return "gone" if status is None else status.status
        gateway.stop(row.gateway_run_id)
        return None
    session = gateway.session(row.ephemeral_id)
    if session is None:
        return None
    _count_if_repeated(parts, row)
    transcript = gateway.transcript(row.ephemeral_id)
    answers = [m for m in (transcript.messages if transcript else []) if _is_answer(m)]
    return "found" if answers or session.get("ended_at") else None


def _count_if_repeated(parts: Parts, row: ChaseRow) -> None:
    """The gateway has what was proved absent: its sender was frozen inside the send (R3)."""
    if not parts.db.read(lambda s: was_proved_absent(s, row.run_id, row.ephemeral_id)):
        return
    if parts.db.write(lambda s: note_double_post(s, row.run_id, row.ephemeral_id)):
        log.error("run.double_post run_id=%s ephemeral_id=%s", row.run_id, row.ephemeral_id)


def _is_answer(message: dict[str, object]) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")
