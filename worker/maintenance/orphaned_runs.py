"""Looks after gateway runs that outlived ours: stops them, waits until they show up, and takes a
transcript that arrives late (R2, R9, R24)."""

import logging

from sqlalchemy.orm import Session

from shared.db.gateway_sessions import queue_deletion
from shared.db.models import OrphanRow
from shared.db.runs.attempts import note_double_post, was_proved_absent
from shared.db.runs.orphans import SYNC, check_later, close_orphan, due_orphans
from shared.errors import GatewayError, Unavailable, UnknownProfile
from worker.gateway.client import GatewayClient
from worker.gateway.stop_at_gateway import stop_at_gateway
from worker.maintenance.late_transcripts import sync_late
from worker.services import Services

log = logging.getLogger(__name__)

LIMIT = 50
FIRST, MOST = 2.0, 120.0  # seconds between looks, doubling
SEARCH = 600.0  # seconds for which a run that nobody saw arrive is searched


def check_orphaned_runs(services: Services) -> None:
    """One look at every chase that is due."""
    try:
        for row in services.db.read(lambda tx: due_orphans(tx, LIMIT)):
            _one(services, row)
    except Unavailable as error:
        log.warning("chase.waiting error=%s", type(error).__name__)


def _one(services: Services, row: OrphanRow) -> None:
    try:
        outcome = _look(services, services.gateways.client(row.profile), row)
    except UnknownProfile:
        outcome = "profile_gone"
    except GatewayError as error:
        log.info("chase.failed run_id=%s error=%s", row.run_id, error)
        outcome = None
    pause = min(FIRST * float(2**row.tries), MOST)
    if outcome is None and _waited(row) < SEARCH:
        services.db.write(lambda tx: check_later(tx, row.id, pause))
        return

    def settle(tx: Session) -> None:
        close_orphan(tx, row.id, outcome or "given_up")
        queue_deletion(tx, row.profile, row.ephemeral_id, saved=False)

    services.db.write(settle)
    log.info("chase.done run_id=%s kind=%s outcome=%s", row.run_id, row.kind, outcome)


def _waited(row: OrphanRow) -> float:
    """About how long this has been going on, from the pauses that were made."""
    return sum(min(FIRST * float(2**n), MOST) for n in range(row.tries))


def _look(services: Services, gateway: GatewayClient, row: OrphanRow) -> str | None:
    """How the chase ended; None: look again later."""
    if row.kind == SYNC:
        return "synced" if sync_late(services, row) else None
    if row.gateway_run_id is not None:
        status = gateway.status(row.gateway_run_id)
        if status is None or status.terminal:
            sync_late(services, row)
            return "gone" if status is None else status.status
        stop_at_gateway(gateway, row.gateway_run_id, row.run_id)
        return None
    tx = gateway.session(row.ephemeral_id)
    if tx is None:
        return None
    _count_if_repeated(services, row)
    transcript = gateway.transcript(row.ephemeral_id)
    answers = [m for m in (transcript.messages if transcript else []) if _is_answer(m)]
    return "found" if answers or tx.get("ended_at") else None


def _count_if_repeated(services: Services, row: OrphanRow) -> None:
    """The gateway has what was proved absent: its sender was frozen inside the send (R3)."""
    if not services.db.read(lambda s: was_proved_absent(s, row.run_id, row.ephemeral_id)):
        return
    if services.db.write(lambda s: note_double_post(s, row.run_id, row.ephemeral_id)):
        log.error("run.double_post run_id=%s ephemeral_id=%s", row.run_id, row.ephemeral_id)


def _is_answer(message: dict[str, object]) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")
