"""When a run did what, as far as its rows know: also long after its log is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import ApprovalRow, AttemptRow, CompressionRow, RunRow
from shared.db.operations.runs_of_all import RunFacts, read_facts
from shared.protocol.timeline import Step

MOST_ROWS = 100  # of approvals, and of compressions


@dataclass(frozen=True)
class StoredTimeline:
    """`steps`: those of the rows, in no order. `seen`: what a worker stored with the end
    (shared.protocol.timeline); None before it."""

    run: RunFacts
    steps: list[Step]
    attempts: Sequence[AttemptRow]
    compressions: Sequence[CompressionRow]
    seen: dict[str, Any] | None


def read_timeline(tx: Session, owner: str | None, run_id: str) -> StoredTimeline | None:
    """Return it; None if there is no such run, or it is not of `owner` (None: of anybody)."""
    run = read_facts(tx, owner, run_id)
    if run is None:
        return None
    attempts = tx.scalars(
        select(AttemptRow).where(AttemptRow.run_id == run_id).order_by(AttemptRow.fence)
    ).all()
    approvals = tx.scalars(
        select(ApprovalRow)
        .where(ApprovalRow.run_id == run_id)
        .order_by(ApprovalRow.approval_id)
        .limit(MOST_ROWS)
    ).all()
    compressions = tx.scalars(
        select(CompressionRow)
        .where(
            CompressionRow.owner == run.owner,
            CompressionRow.session_id == run.session_id,
            CompressionRow.run_id == run_id,
        )
        .order_by(CompressionRow.id)
        .limit(MOST_ROWS)
    ).all()
    stop_asked, seen = tx.execute(
        select(RunRow.stop_requested_at, RunRow.timeline).where(RunRow.id == run_id)
    ).one()
    steps = [*_of_run(run, stop_asked), *_of_attempts(attempts)]
    steps += _of_compressions(compressions) + _of_approvals(approvals)
    return StoredTimeline(run, steps, attempts, compressions, seen)


def _of_run(run: RunFacts, stop_asked: float | None) -> list[Step]:
    found: list[Step] = [{"at": run.created_at, "step": "queued"}]
    if run.claimed_at is not None:
        found.append({"at": run.claimed_at, "step": "claimed", "attempt": 1})
    if stop_asked is not None:
        found.append({"at": stop_asked, "step": "stop_requested"})
    if run.ended_at is not None:
        found.append({"at": run.ended_at, "step": "ended", "reason": run.reason})
    return found


def _of_attempts(attempts: Sequence[AttemptRow]) -> list[Step]:
    return [
        {"at": one.intent_at, "step": "posted", "attempt": one.fence}
        for one in attempts
        if one.intent_at is not None and not one.never_sent
    ]


def _of_compressions(rows: Sequence[CompressionRow]) -> list[Step]:
    found: list[Step] = []
    for row in rows:
        found.append({"at": row.started_at, "step": "compression_started"})
        if row.ended_at is not None:
            found.append({"at": row.ended_at, "step": "compression_ended", "reason": row.result})
    return found


def _of_approvals(rows: Sequence[ApprovalRow]) -> list[Step]:
    return [
        {
            "at": row.answered_at,
            "step": "approval_answered",
            "approval_id": row.approval_id,
            "choice": row.choice,
        }
        for row in rows
    ]
