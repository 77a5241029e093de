"""Fetches a transcript that its gateway had not ready when the run ended (R24, P25).

It replaces only the messages of its own turn; doing it again changes nothing.
"""

import logging

from sqlalchemy.orm import Session

from shared.db.gateway_sessions import queue_deletion
from shared.db.runs.complete import UnsyncedTurn, replace_late, unsynced_turn
from shared.db.runs.gateway_orphans import Orphan
from shared.event_log.session_events import publish_session_event
from shared.protocol.run_states import RunState
from worker.gateway.models import GatewayTranscript
from worker.gateway.transcript_check import Source, transcript_source
from worker.gateway.transcripts import read_transcript
from worker.services import Services
from worker.transcript.collect_transcript import count_rows, usage_of
from worker.transcript.reconcile import ReconciledTurn, reconcile

log = logging.getLogger(__name__)

# The `finish_reason` of a message that was cut short, by the state in which the run ended.
_FINISH_REASONS = {RunState.ABORTED: "aborted", RunState.FAILED: "error"}


def fetch_late_transcript(services: Services, orphan: Orphan) -> bool:
    """Fetch the transcript and store it in the run's turn; False if it is not there yet.

    True as well if there is nothing to add it to, or no way to have it. Raises GatewayError,
    DatabaseUnavailable.
    """
    turn = services.db.read(lambda tx: unsynced_turn(tx, orphan.run_id))
    if turn is None:
        return True
    gateway = services.gateways.client(orphan.profile)
    profile = services.gateways.profile(orphan.profile)
    stored = read_transcript(gateway, profile, orphan.ephemeral_id)
    if stored is None and transcript_source(gateway, profile) is Source.NONE:
        return True  # it will never be there
    finish_reason = _FINISH_REASONS.get(turn.state, "stop")
    stopped = turn.state is not RunState.COMPLETED
    messages = reconcile(turn.rows, stored, orphan.ephemeral_id, finish_reason, stopped=stopped)
    if stored is None or not messages.synced:
        return False
    count_rows(messages, services.gateways.known_format(orphan.profile))
    if _store(services, orphan, messages, stored):
        _notify_sockets(services, orphan.run_id, turn)
        log.info("run.synced_late run_id=%s messages=%s", orphan.run_id, len(messages.rows))
    return True


def _store(
    services: Services, orphan: Orphan, messages: ReconciledTurn, stored: GatewayTranscript
) -> bool:
    """Replace the turn, and let the gateway's sessions go; False if it was replaced before."""

    def work(tx: Session) -> bool:
        replaced = replace_late(tx, orphan.run_id, messages.rows, usage_of(stored))
        for ephemeral_id in {orphan.ephemeral_id, *stored.session_ids}:
            queue_deletion(tx, orphan.profile, ephemeral_id, saved=True)
        return replaced

    return services.db.write(work)


def _notify_sockets(services: Services, run_id: str, turn: UnsyncedTurn) -> None:
    publish_session_event(
        services.event_log,
        "messages.updated",
        owner=turn.owner,
        session_id=turn.session_id,
        run_id=run_id,
    )
