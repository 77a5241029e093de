"""Ends a run: what it leaves goes into the database first, then clients are shown the end (R20).

Problem: a worker may die between any two steps of an end, Redis may be away, and a run must have
exactly one end that everybody sees alike. Idea: wait until the log has everything that was shown;
then write messages, usage, state and the last events with their seqs in one transaction; only then
announce those events, as they were written. If that fails by a defect, or by data that the database
refuses, the end is written from less: from what was streamed, then from nothing.
Invariant: after the transaction anybody may announce, and announcing twice changes nothing, so a
lost announcement is only late. Only a lost run and an absent database leave a run without an end.
"""

import logging
from typing import Any

from sqlalchemy.orm import Session

from shared.db.runs.attempts import attempts
from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close, close_bare
from shared.db.runs.gateway_orphans import STOP, SYNC, UNCERTAIN_POST, track_attempt, track_orphan
from shared.db.runs.terminal import Announcement
from shared.errors import OwnershipLost, Unavailable
from shared.protocol.events import RUN_COMPLETED, RUN_FAILED
from shared.protocol.run_states import Reason, RunState
from shared.protocol.streamed import parts_of
from shared.run_end import announce_end
from worker.outcome import Outcome, failed
from worker.run.end_report import note_end, note_end_unopened
from worker.run_queue import start_next
from worker.services import Services
from worker.transcript.collect_transcript import (
    CollectedTurn,
    collect_streamed,
    collect_transcript,
)
from worker.transcript.reconcile import ReconciledTurn
from worker.transcript.tail import pieces
from worker.turn import Turn

log = logging.getLogger(__name__)

Ended = tuple[str | None, Announcement]  # the session's next run, and what is to be announced

REDIS_AWAY = 10.0  # seconds until the end is written without waiting for the log any longer


def finish(services: Services, turn: Turn, outcome: Outcome) -> None:
    """Write the run's end, announce it, and have the session's next run start. A run whose end
    cannot be written as it is fails with reason `internal`. Raises OwnershipLost,
    DatabaseUnavailable."""
    try:
        ended = _end_in_full(services, turn, outcome)
    except (OwnershipLost, Unavailable):
        raise
    except Exception:  # the edge: whatever it is, it would fail again for each next owner
        log.exception("run.end_refused run_id=%s", turn.run_id)
        outcome = failed(
            Reason.INTERNAL,
            "Something went wrong on the server.",
            gateway_done=outcome.gateway_done,
        ).with_resync()
        ended = _end_with_less(services, turn, outcome)
    note_end(services, turn, outcome.state, outcome.reason)
    services.leases.release(turn.lease)
    _announce_and_start_next(services, ended)


def _end_in_full(services: Services, turn: Turn, outcome: Outcome) -> Ended:
    """With everything that the gateway left; a run that cost too many owners is ended without the
    gateway's transcript, which they may have died of (R18)."""
    outcome = _settle(turn, outcome)
    if outcome.reason is Reason.WORKER_LOST:
        return _write_end(services, turn, outcome, collect_streamed(services, turn, outcome))
    outcome = _show_unstreamed_output(turn, outcome)
    return _write_end(services, turn, outcome, collect_transcript(services, turn, outcome))


def _end_with_less(services: Services, turn: Turn, outcome: Outcome) -> Ended:
    """With what was streamed, which is ours; if that fails as well, with nothing."""
    try:
        return _write_end(services, turn, outcome, collect_streamed(services, turn, outcome))
    except (OwnershipLost, Unavailable):
        raise
    except Exception:  # the edge, as in `finish`
        log.exception("run.end_refused_again run_id=%s", turn.run_id)
    head = turn.run_log.head
    closing = _bare_closing(turn.claim, str(outcome.error), outcome.reason, head, resync=True)
    return _end_bare(services, turn.claim, closing)


def end_unopened(services: Services, claim: Claim, reason: Reason, error: str) -> None:
    """End a claimed run whose log was not opened, because it cannot be done at all. Raises
    OwnershipLost, DatabaseUnavailable."""
    closing = _bare_closing(claim, error, reason, claim.last_seq)
    ended = _end_bare(services, claim, closing)
    note_end_unopened(claim, reason)
    _announce_and_start_next(services, ended)


def _bare_closing(
    claim: Claim, error: str, reason: Reason | None, last_seq: int, **fields: object
) -> Closing:
    """A failure without messages; `fields` are further ones of its event."""
    return Closing(
        state=RunState.FAILED,
        event=RUN_FAILED,
        payload={"status": "failed", "error": error, "reason": str(reason), **fields},
        last_seq=max(last_seq, claim.last_seq),
        reason=reason,
    )


def _end_bare(services: Services, claim: Claim, closing: Closing) -> Ended:
    """The shortest closing transaction; whatever the gateway may have of the run is stopped."""

    def work(tx: Session) -> Ended:
        ended = close_bare(tx, claim, closing)
        for attempt in attempts(tx, claim.run_id):
            if attempt.proved_absent_at is None:
                track_attempt(tx, attempt, STOP if attempt.gateway_run_id else UNCERTAIN_POST)
        return ended

    return services.patient_db.write(work)


def _settle(turn: Turn, outcome: Outcome) -> Outcome:
    """Wait until the log has all events. The outcome; with `resync` if clients may have seen
    something else than what the log has."""
    if turn.stop_requested and outcome.state is RunState.ABORTED and turn.stop_announced:
        turn.run_log.add("abort.completed", {"synced": outcome.gateway_done})
    if not turn.run_log.wait_settled(REDIS_AWAY):
        turn.check()
        return outcome.with_resync()
    return outcome.with_resync() if turn.run_log.broke_off else outcome


def _show_unstreamed_output(turn: Turn, outcome: Outcome) -> Outcome:
    """An answer that came only with the end is shown as text before it, so that it is split like
    any other and no event grows with it. The outcome; with `resync` if Redis does not take it."""
    if not outcome.output or not outcome.output.strip():
        return outcome
    if turn.run_log.everything_added().produced_text:
        return outcome
    for piece in pieces(outcome.output):
        turn.run_log.add("message.delta", {"delta": piece})
    if turn.run_log.wait_settled(REDIS_AWAY):
        return outcome
    turn.check()
    return outcome.with_resync()


def _closing(services: Services, turn: Turn, outcome: Outcome, collected: CollectedTurn) -> Closing:
    messages = collected.messages
    answers = [row["content"] for row in messages.rows if row["role"] == "assistant"]
    last_seq = turn.run_log.close()
    return Closing(
        state=outcome.state,
        event=RUN_FAILED if outcome.state is RunState.FAILED else RUN_COMPLETED,
        payload=_payload(outcome, messages, services.settings.event_max_bytes),
        last_seq=last_seq,
        reason=outcome.reason,
        rows=messages.rows,
        usage=collected.usage or outcome.usage,
        output=outcome.output if outcome.output is not None else "".join(answers[-1:]),
        synced=messages.synced or turn.claim.session_id is None,
        delete_sessions=collected.continuations if outcome.gateway_done else (),
        delete_attempt_sessions=outcome.gateway_done,
        timeline=turn.run_log.timeline.to_state(),
        streamed=parts_of(collected.shown),
    )


def _payload(outcome: Outcome, messages: ReconciledTurn, max_bytes: int) -> dict[str, Any]:
    """The fields of `run.completed` or `run.failed`, without those that every event has."""
    payload: dict[str, Any] = {"status": str(outcome.state)}
    if outcome.state is RunState.FAILED:
        payload |= {"error": outcome.error or "The run failed.", "reason": str(outcome.reason)}
    else:
        payload["finish_reason"] = outcome.finish_reason
        if outcome.output is not None and len(outcome.output) <= max_bytes:
            payload["output"] = outcome.output
    if outcome.state is RunState.ABORTED and not outcome.gateway_done:
        payload["synced"] = False  # as in `abort.completed`, for those who come later
    if outcome.usage:
        payload["usage"] = outcome.usage
    if messages.parsed is not None and outcome.state is RunState.COMPLETED:
        payload["parsed_content"] = messages.parsed.content
        if messages.parsed.tool_calls:
            payload["parsed_tool_calls"] = messages.parsed.tool_calls
        if messages.parsed.reasoning:
            payload["parsed_reasoning"] = messages.parsed.reasoning
    if outcome.resync or messages.diverged:
        payload["resync"] = True
    return payload


def _write_end(services: Services, turn: Turn, outcome: Outcome, collected: CollectedTurn) -> Ended:
    """The closing transaction, as soon as the database answers; with it, a gateway run that goes
    on, or whose transcript is not complete, is handed to the job for orphaned runs."""
    closing = _closing(services, turn, outcome, collected)
    turn.usage = closing.usage

    def work(tx: Session) -> Ended:
        ended = close(tx, turn.claim, closing)
        if turn.gateway_run_id is not None and not (outcome.gateway_done and closing.synced):
            track_orphan(
                tx,
                run_id=turn.run_id,
                profile=turn.claim.profile,
                kind=SYNC if outcome.gateway_done else STOP,
                ephemeral_id=str(turn.ephemeral_id),
                gateway_run_id=turn.gateway_run_id,
            )
        return ended

    return services.patient_db.write(work)


def _announce_and_start_next(services: Services, ended: Ended) -> None:
    next_run_id, end = ended
    _announce(services, end)
    start_next(services, next_run_id)


def _announce(services: Services, end: Announcement) -> None:
    """Announce the end if that is possible now; else the reaper, or a `resume`, will."""
    try:
        announce_end(services.db, services.event_log, end)
    except Unavailable as error:
        log.warning("run.announce_later run_id=%s error=%s", end.keys.run_id, type(error).__name__)
