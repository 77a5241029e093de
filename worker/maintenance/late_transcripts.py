"""Takes a transcript that its gateway had not ready when the run ended (R24, P25)."""

import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.gateway_sessions import queue_deletion
from shared.db.models import MessageRow, OrphanRow, RunRow
from shared.db.runs.complete import replace_late
from shared.event_log.session_events import publish_session_event
from shared.protocol.run_states import RunState
from worker.gateway.transcripts import read_transcript
from worker.services import Services
from worker.transcript.collect_transcript import count_rows, usage_of
from worker.transcript.reconcile import reconcile

log = logging.getLogger(__name__)

_REASONS = {RunState.ABORTED: "aborted", RunState.FAILED: "error"}


def sync_late(services: Services, row: OrphanRow) -> bool:
    """Fetch the transcript and put it in the turn's place; False if it is not there yet.

    Doing it again adds nothing. Raises GatewayError, DatabaseAway.
    """
    found = services.db.read(lambda tx: _turn(tx, row.run_id))
    if found is None:
        return True
    run, shown = found
    gateway = services.gateways.client(row.profile)
    stored = read_transcript(gateway, services.gateways.profile(row.profile), row.ephemeral_id)
    kept = reconcile(shown, stored, row.ephemeral_id, _REASONS.get(RunState(run.state), "stop"))
    if stored is None or not kept.synced:
        return False
    count_rows(kept)
    usage = usage_of(stored)

    def replace(tx: Session) -> bool:
        replaced = replace_late(tx, row.run_id, kept.rows, usage)
        for ephemeral_id in {row.ephemeral_id, *stored.session_ids}:
            queue_deletion(tx, row.profile, ephemeral_id, saved=True)
        return replaced

    if services.db.write(replace):
        _tell(services, run)
        log.info("run.synced_late run_id=%s messages=%s", run.id, len(kept.rows))
    return True


def _turn(tx: Session, run_id: str) -> tuple[RunRow, list[dict[str, object]]] | None:
    """The run and what it left; None if there is nothing to add to."""
    run = tx.get(RunRow, run_id)
    if run is None or run.gateway_synced or run.session_id is None:
        return None
    rows = tx.scalars(
        select(MessageRow)
        .where(MessageRow.run_id == run_id, MessageRow.idx > 0)
        .order_by(MessageRow.idx)
    )
    names = [column.key for column in MessageRow.__table__.columns]
    return run, [{name: getattr(row, name) for name in names} for row in rows]


def _tell(services: Services, run: RunRow) -> None:
    publish_session_event(
        services.event_log,
        "messages.updated",
        owner=run.owner,
        session_id=run.session_id,
        run_id=run.id,
    )
