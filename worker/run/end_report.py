"""What is said of a run when it has ended: its line in the log, and its metrics."""

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from shared.db.runs.claim import Claim
from shared.metrics import worker as metrics
from shared.protocol.run_states import Reason, RunState
from shared.tracing.run_spans import EndedRun
from worker import task_report
from worker.services import Services
from worker.turn import Turn

log = logging.getLogger(__name__)

_TOKENS: Final = (("input", "input_tokens"), ("output", "output_tokens"))


def note_claim(claim: Claim) -> None:
    """Count a run that this worker has claimed, and say whose log lines follow."""
    task_report.claimed(claim)
    if claim.lapsed:
        metrics.TAKEOVERS.inc()
    elif claim.since_first_claim <= 0:
        metrics.WAIT.labels(claim.profile).observe(claim.waited)


def note_end(services: Services, turn: Turn, state: RunState, reason: Reason | None) -> None:
    """Write the run's line, count it, and send its trace."""
    claim, now = turn.claim, time.time()
    seconds = claim.waited + time.monotonic() - turn.began
    first_token = _first_token(turn, now - seconds)
    services.tracer.run_ended(_traced(turn, state, reason, now - seconds, now))
    tokens = _tokens(turn.usage)
    if first_token is not None:
        metrics.FIRST_TOKEN.labels(claim.profile).observe(first_token)
    for kind, count in tokens.items():
        metrics.TOKEN_USAGE.labels(claim.profile, kind).observe(count)
    _note(claim, state, reason, seconds, first_token, tokens)


def note_end_unopened(claim: Claim, reason: Reason) -> None:
    """The same for a run that ended before its log was opened."""
    _note(claim, RunState.FAILED, reason, claim.waited, None, {})


def _note(
    claim: Claim,
    state: RunState,
    reason: Reason | None,
    seconds: float,
    first_token: float | None,
    tokens: Mapping[str, int],
) -> None:
    failure = str(reason or "") if state is RunState.FAILED else ""
    task_report.ended(state, str(reason or state))
    metrics.ENDED.labels(claim.profile, str(state), str(reason or "")).inc()
    metrics.DURATION.labels(claim.profile, failure).observe(seconds)
    log.log(
        logging.WARNING if state is RunState.FAILED else logging.INFO,
        "run.ended run_id=%s session_id=%s owner=%s profile=%s state=%s reason=%s waited=%.3f"
        " first_token=%s seconds=%.3f input_tokens=%s output_tokens=%s attempts=%s takeovers=%s",
        claim.run_id,
        claim.session_id or "-",
        claim.owner,
        claim.profile,
        state,
        reason or "-",
        claim.waited - claim.since_first_claim,
        "-" if first_token is None else f"{first_token:.3f}",
        seconds,
        tokens.get("input", "-"),
        tokens.get("output", "-"),
        claim.fence,
        claim.takeovers,
    )


def _traced(
    turn: Turn, state: RunState, reason: Reason | None, accepted_at: float, now: float
) -> EndedRun:
    claim = turn.claim
    known: dict[str, str | int | None] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.request.model": claim.model or claim.session_model,
        "holdfast.run_id": claim.run_id,
        "holdfast.session_id": claim.session_id,
        "holdfast.owner": claim.owner,
        "holdfast.profile": claim.profile,
        "holdfast.state": str(state),
        "holdfast.takeovers": claim.takeovers,
        "error.type": str(reason) if state is RunState.FAILED else None,
        **{f"gen_ai.usage.{kind}_tokens": count for kind, count in _tokens(turn.usage).items()},
    }
    return EndedRun(
        run_id=claim.run_id,
        accepted_at=accepted_at,
        claimed_at=accepted_at + claim.waited - claim.since_first_claim,
        ended_at=now,
        attributes={name: value for name, value in known.items() if value is not None},
        steps=turn.run_log.timeline.steps,
        error=str(reason) if state is RunState.FAILED else None,
    )


def _first_token(turn: Turn, accepted_at: float) -> float | None:
    """Seconds from acceptance to the first token; None without one. The clock of an earlier owner's
    machine may differ from this one's."""
    steps = turn.run_log.timeline.steps
    at = next((step["at"] for step in steps if step["step"] == "first_token"), None)
    return max(0.0, at - accepted_at) if at is not None else None


def _tokens(usage: Mapping[str, Any] | None) -> dict[str, int]:
    """Kind -> count, of those that the gateway counted."""
    found = {kind: (usage or {}).get(name) for kind, name in _TOKENS}
    return {
        kind: count
        for kind, count in found.items()
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0
    }
