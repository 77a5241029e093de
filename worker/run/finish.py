"""Ends a run: what it leaves in the database first, then the word to the clients (R20)."""

import logging
from typing import Any

from sqlalchemy.orm import Session

from shared.db.runs.claim import Claim
from shared.db.runs.complete import Closing, close
from shared.db.runs.orphans import STOP, SYNC, track_orphan
from shared.db.runs.terminal import Announcement
from shared.errors import Unavailable
from shared.protocol.run_states import Reason, RunState
from shared.run_end import announce_end
from worker.outcome import Outcome
from worker.run.collect_transcript import TurnResult, collect_transcript
from worker.services import Services
from worker.transcript.reconcile import ReconciledTurn
from worker.turn import Turn

log = logging.getLogger(__name__)

Written = tuple[str | None, Announcement]  # the next run, and what is to be told

REDIS_AWAY = 10.0  # seconds until the end is written without waiting for the log any longer


def finish(services: Services, turn: Turn, outcome: Outcome) -> None:
    """Write the run's end, tell it, and let the session's next message start. Raises LostRun."""
    if turn.stop_asked.is_set() and outcome.state is RunState.ABORTED and turn.stop_announced:
        turn.run_log.add("abort.completed", {"synced": outcome.gateway_done})
    if not turn.run_log.wait_settled(REDIS_AWAY):
        turn.check()
        outcome = outcome.with_resync()
    if turn.run_log.broke_off:
        outcome = outcome.with_resync()
    _show_unstreamed_output(turn, outcome)
    left = collect_transcript(services, turn, outcome)
    closing = _closing(services, turn, outcome, left)
    following, end = _close(services, turn, closing, outcome)
    log.info(
        "run.ended run_id=%s state=%s reason=%s", turn.run_id, outcome.state, outcome.reason or "-"
    )
    services.leases.release(turn.run_id)
    _tell(services, end)
    if following is not None:
        services.queue.run_turn(following)


def end_unopened(services: Services, claim: Claim, reason: Reason, error: str) -> None:
    """End a claimed run whose log was not opened, since it cannot be done at all."""
    closing = Closing(
        state=RunState.FAILED,
        event="run.failed",
        payload={"status": "failed", "error": error, "reason": str(reason)},
        last_seq=claim.last_seq,
        reason=reason,
    )
    following, end = services.db.write(lambda tx: close(tx, claim, closing))
    log.warning("run.ended run_id=%s state=failed reason=%s", claim.run_id, reason)
    _tell(services, end)
    if following is not None:
        services.queue.run_turn(following)


def _show_unstreamed_output(turn: Turn, outcome: Outcome) -> None:
    """An answer that came only with the end is shown as text before it, so that it is split like
    any other and no event grows with it."""
    if outcome.output and outcome.output.strip() and not turn.run_log.transcript.produced_text:
        size = 16_384
        for start in range(0, len(outcome.output), size):
            turn.run_log.add("message.delta", {"delta": outcome.output[start : start + size]})
        turn.run_log.wait_settled(REDIS_AWAY)
        turn.check()


def _closing(services: Services, turn: Turn, outcome: Outcome, left: TurnResult) -> Closing:
    kept = left.kept
    answers = [row["content"] for row in kept.rows if row["role"] == "assistant"]
    frozen = turn.run_log.freeze()  # only while Redis is away; it may have been written, or will be
    turn.run_log.abandon()
    return Closing(
        state=outcome.state,
        event="run.failed" if outcome.state is RunState.FAILED else "run.completed",
        payload=_payload(outcome, kept, services.settings.event_max_bytes),
        last_seq=turn.run_log.head + (len(frozen.entries) if frozen else 0),
        reason=outcome.reason,
        rows=kept.rows,
        usage=left.usage or outcome.usage,
        output=outcome.output if outcome.output is not None else "".join(answers[-1:]),
        synced=kept.synced or turn.claim.session_id is None,
        delete_sessions=left.continuations if outcome.gateway_done else (),
        delete_attempt_sessions=outcome.gateway_done,
    )


def _payload(outcome: Outcome, kept: ReconciledTurn, max_bytes: int) -> dict[str, Any]:
    payload: dict[str, Any] = {"status": str(outcome.state)}
    if outcome.state is RunState.FAILED:
        payload |= {"error": outcome.error or "The run failed.", "reason": str(outcome.reason)}
    else:
        payload["finish_reason"] = outcome.finish_reason
        if outcome.output is not None and len(outcome.output) <= max_bytes:
            payload["output"] = outcome.output
    if outcome.usage:
        payload["usage"] = outcome.usage
    if kept.parsed is not None and outcome.state is RunState.COMPLETED:
        payload["parsed_content"] = kept.parsed.content
        if kept.parsed.tool_calls:
            payload["parsed_tool_calls"] = kept.parsed.tool_calls
        if kept.parsed.reasoning:
            payload["parsed_reasoning"] = kept.parsed.reasoning
    if outcome.resync or kept.diverged:
        payload["resync"] = True
    return payload


def _close(services: Services, turn: Turn, closing: Closing, outcome: Outcome) -> Written:
    """The closing transaction, as soon as the database answers. Raises LostRun."""

    def work(tx: Session) -> Written:
        written = close(tx, turn.claim, closing)
        if turn.gateway_run_id is not None and not (outcome.gateway_done and closing.synced):
            track_orphan(
                tx,
                run_id=turn.run_id,
                profile=turn.claim.profile,
                kind=SYNC if outcome.gateway_done else STOP,
                ephemeral_id=str(turn.ephemeral_id),
                gateway_run_id=turn.gateway_run_id,
            )
        return written

    return services.write(work)


def _tell(services: Services, end: Announcement) -> None:
    try:
        announce_end(services.db, services.event_log, end)
    except Unavailable as error:
        log.warning("run.announce_later run_id=%s error=%s", end.keys.run_id, type(error).__name__)
