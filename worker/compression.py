"""Replaces a session's older turns by a summary, when they have outgrown the model (DESIGN 8).

A failed summary never fails the run: it goes on with all that there is (P24).
"""

import logging
import time
from collections.abc import Sequence

from sqlalchemy.orm import Session

from shared import compression_plan as planning
from shared import runtime, tokens
from shared.compression_plan import Plan, Row, Snapshot
from shared.db import compressions, snapshots
from shared.db.compressions import Result
from shared.errors import LostRun
from shared.summary_prompts import SUMMARY_PREFIX
from worker.ephemeral import ephemeral_id
from worker.parts import Parts
from worker.summarizing import NoSummary, Order, Stopped, summarize
from worker.turn import Turn

log = logging.getLogger(__name__)


def compress(
    parts: Parts, turn: Turn, plan: Plan, rows: Sequence[Row], replaces: int | None
) -> Snapshot | None:
    """The session's new snapshot, stored; None if there is none, and the old one stands.

    `rows` as given to `decide`; `replaces`: the version of the stored snapshot, if there is one.
    Raises LostRun, DatabaseAway.
    """
    began = time.monotonic()
    turn.log.add("compression.started", planning.started_event(plan))
    order = _order(parts, turn, plan)
    result, snapshot, error = Result.COMPRESSED, None, None
    try:
        snapshot = _useful(plan, rows, summarize(parts, turn, order))
        _store(parts, turn, plan, snapshot, replaces)
    except NoSummary as failure:
        result, snapshot, error = Result.FAILED, None, str(failure)
    except Stopped:
        result, error = Result.STOPPED, "The run was stopped."
    except LostRun:
        _end(parts, order, plan, None, Result.LOST, began, "The run went to another worker.")
        raise
    _end(parts, order, plan, snapshot, result, began, error)
    log.info(
        "compression.ended run_id=%s result=%s before=%s seconds=%.1f",
        turn.run_id,
        result,
        plan.usage.total,
        time.monotonic() - began,
    )
    summary = snapshot.summary if snapshot else None
    turn.log.add("compression.completed", planning.completed_event(plan, summary, error))
    return snapshot


def _order(parts: Parts, turn: Turn, plan: Plan) -> Order:
    """Written down before anybody is asked."""
    claim = turn.claim
    prompt = runtime.offload(planning.summary_prompt, plan)
    name = ephemeral_id("compress", parts.settings.installation)
    begun = parts.db.write(lambda session: compressions.begin(session, claim, plan, name))
    return Order(claim.run_id, claim.profile, name, begun.id, begun.orphans, prompt, claim.model)


def _useful(plan: Plan, rows: Sequence[Row], summary: str) -> Snapshot:
    """The snapshot, if it makes the session smaller. Raises NoSummary."""

    def work() -> Snapshot:
        if planning.after_tokens(plan, summary) >= plan.usage.total:
            raise NoSummary("The summary is not shorter than what it replaces.")
        return planning.next_snapshot(plan, summary, rows)

    return runtime.offload(work)


def _store(parts: Parts, turn: Turn, plan: Plan, snapshot: Snapshot, replaces: int | None) -> None:
    """Raises NoSummary if the stored snapshot is another one by now."""
    sent = runtime.offload(tokens.count, SUMMARY_PREFIX + snapshot.summary)
    covered = plan.covered + len(plan.head)

    def work(session: Session) -> bool:
        return snapshots.store(
            session, turn.claim, snapshot, replaces=replaces, tokens=sent, covered=covered
        )

    if not parts.db.write(work):
        raise NoSummary("The conversation was changed while it was summarized.")


def _end(
    parts: Parts,
    order: Order,
    plan: Plan,
    snapshot: Snapshot | None,
    result: Result,
    began: float,
    error: str | None,
) -> None:
    told = planning.completed_event(plan, snapshot.summary if snapshot else None)
    parts.db.write(
        lambda session: compressions.end(
            session,
            order.compression_id,
            result,
            duration=time.monotonic() - began,
            after_tokens=told["afterTokens"],
            after_messages=told["resultMessages"],
            error=error,
        )
    )
