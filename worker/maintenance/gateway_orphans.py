"""Checks orphaned runs: gateway runs that outlived ours (R2, R9, R24).

Problem: one of our runs may end, or be posted again, while a gateway still works on it, or while
nobody knows whether the gateway has it. Left alone it would cost money, and its session would stay
at the gateway. Idea: the transaction that lets go of such a run writes an orphan row, and this job
checks the rows that are due, with doubling pauses, by their kind:
- `stop`: ask the gateway to stop the run until it has ended;
- `uncertain_post`: look for the session of a POST of unknown outcome until its run is over there;
- `sync`: fetch the transcript of a run that has ended.
After GIVE_UP_AFTER the row is closed as `given_up`. Invariant: a row is closed in the transaction
that queues its gateway session for deletion, so no session is deleted while its run may be live,
and none is left behind. Each check may be repeated, also by several processes at once.
"""

import logging

from sqlalchemy.orm import Session

from shared.db.gateway_sessions import queue_deletion
from shared.db.runs.attempts import note_double_post, was_proved_absent
from shared.db.runs.gateway_orphans import (
    PAUSE_MOST,
    SYNC,
    Orphan,
    check_later,
    close_orphan,
    due_orphans,
)
from shared.errors import GatewayError, Unavailable, UnknownProfile
from worker.gateway.client import GatewayClient
from worker.gateway.models import GatewayMessage
from worker.gateway.stop_at_gateway import stop_at_gateway
from worker.maintenance.late_transcripts import fetch_late_transcript
from worker.services import Services

log = logging.getLogger(__name__)

LIMIT = 50  # orphans of one round
PAUSE_FIRST = 2.0  # seconds between checks, doubling
GIVE_UP_AFTER = 600.0  # seconds of pauses


def check_orphaned_runs(services: Services) -> None:
    """Check each orphan that is due, once. Does not raise Unavailable: the next round goes on."""
    try:
        for orphan in services.db.read(lambda tx: due_orphans(tx, LIMIT)):
            _check_one(services, orphan)
    except Unavailable as error:
        log.warning("orphan.waiting error=%s", type(error).__name__)


def _check_one(services: Services, orphan: Orphan) -> None:
    try:
        outcome = _outcome(services, services.gateways.client(orphan.profile), orphan)
    except UnknownProfile:
        outcome = "profile_gone"
    except GatewayError as error:
        log.info("orphan.failed run_id=%s error=%s", orphan.run_id, error)
        outcome = None
    except Unavailable:
        raise
    except Exception:  # the edge: the other orphans must be checked, and this one not for ever
        log.exception("orphan.broken run_id=%s", orphan.run_id)
        outcome = None
    if outcome is None and _waited(orphan) < GIVE_UP_AFTER:
        services.db.write(lambda tx: check_later(tx, orphan.id, _pause(orphan.tries)))
        return

    def close(tx: Session) -> None:
        close_orphan(tx, orphan.id, outcome or "given_up")
        queue_deletion(tx, orphan.profile, orphan.ephemeral_id, saved=False)

    services.db.write(close)
    log.info("orphan.done run_id=%s kind=%s outcome=%s", orphan.run_id, orphan.kind, outcome)


def _pause(tries: int) -> float:
    return min(PAUSE_FIRST * float(2**tries), PAUSE_MOST)


def _waited(orphan: Orphan) -> float:
    """Return the seconds of all pauses so far: about how long it has been checked."""
    return sum(_pause(tries) for tries in range(orphan.tries))


def _outcome(services: Services, gateway: GatewayClient, orphan: Orphan) -> str | None:
    """Do one check. Return how the orphan ended; None if it has to be checked again."""
    if orphan.kind == SYNC:
        return "synced" if fetch_late_transcript(services, orphan) else None
    if orphan.gateway_run_id is not None:
        return _stop(services, gateway, orphan, orphan.gateway_run_id)
    return _search(services, gateway, orphan)


def _stop(
    services: Services, gateway: GatewayClient, orphan: Orphan, gateway_run_id: str
) -> str | None:
    """Ask the gateway to stop the run, unless it has ended; then fetch what it left."""
    status = gateway.status(gateway_run_id)
    if status is not None and not status.terminal:
        stop_at_gateway(gateway, gateway_run_id, orphan.run_id)
        return None
    fetch_late_transcript(services, orphan)
    return "gone" if status is None else status.status


def _search(services: Services, gateway: GatewayClient, orphan: Orphan) -> str | None:
    """Look for the session of a POST of unknown outcome. Without a run id it cannot be stopped, so
    this only waits until its run is over."""
    session = gateway.session(orphan.ephemeral_id)
    if session is None:
        return None
    _count_if_repeated(services, orphan)
    transcript = gateway.transcript(orphan.ephemeral_id)
    answers = [m for m in (transcript.messages if transcript else []) if _is_answer(m)]
    return "found" if answers or session.get("ended_at") else None


def _count_if_repeated(services: Services, orphan: Orphan) -> None:
    """Count a double post: the gateway has an attempt that was proved absent, because its sender
    was frozen while it sent (R3)."""
    run_id, ephemeral_id = orphan.run_id, orphan.ephemeral_id
    if not services.db.read(lambda tx: was_proved_absent(tx, run_id, ephemeral_id)):
        return
    if services.db.write(lambda tx: note_double_post(tx, run_id, ephemeral_id)):
        log.error("run.double_post run_id=%s ephemeral_id=%s", run_id, ephemeral_id)


def _is_answer(message: GatewayMessage) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")
