"""One row per compression: what set it off, what it did, how it ended (FAILURES 26, 27)."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import MAX_DOUBLINGS, LastCompression, Plan
from shared.db.clock import DbNow, read_clock
from shared.db.gateway_sessions import queue_deletion, delete_soon
from shared.db.models import CompressionRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned


class Result(StrEnum):
    """How a compression ended. The last two say nothing about the next one."""

    COMPRESSED = "compressed"
    FAILED = "failed"
    STOPPED = "stopped"  # a person stopped the run
    LOST = "lost"  # its worker died, or lost the run


@dataclass(frozen=True)
class Begun:
    """`orphans`: gateway runs of summaries that nobody waits for any more."""

    id: int
    orphans: list[str]


def begin(tx: Session, claim: Claim, plan: Plan, ephemeral_id: str) -> Begun:
    """Write the compression down before the gateway is asked; raises LostRun.

    Its gateway session is queued for deletion right away, a day from now, so that it is deleted
    also if this worker dies (P23); `delete_soon` it when the gateway is done with it.
    """
    owned(tx, claim)
    orphans = _close_lost(tx, claim)
    row = CompressionRow(
        owner=claim.owner,
        session_id=claim.session_id,
        run_id=claim.run_id,
        fence=claim.fence,
        profile=claim.profile,
        kind=str(plan.action),
        trigger_tokens=plan.usage.total,
        threshold=plan.threshold,
        before_messages=len(plan.rest) + (plan.snapshot is not None),
        first_turn=int(plan.head[0]["turn_no"]),
        last_turn=plan.reach,
        ephemeral_id=ephemeral_id,
        started_at=read_clock(tx),
    )
    tx.add(row)
    tx.flush()
    queue_deletion(tx, claim.profile, ephemeral_id, saved=False)
    return Begun(row.id, orphans)


def _close_lost(tx: Session, claim: Claim) -> list[str]:
    """End what earlier owners left open; a session has one live run, so nobody is at it."""
    ended = tx.execute(
        update(CompressionRow)
        .where(
            CompressionRow.owner == claim.owner,
            CompressionRow.session_id == claim.session_id,
            CompressionRow.result.is_(None),
        )
        .values(result=str(Result.LOST), ended_at=DbNow())
        .returning(CompressionRow.gateway_run_id, CompressionRow.ephemeral_id)
    ).all()
    delete_soon(tx, claim.profile, [row.ephemeral_id for row in ended])
    return [row.gateway_run_id for row in ended if row.gateway_run_id]


def posted(tx: Session, compression_id: int, gateway_run_id: str) -> None:
    """Remember the gateway's run, so that whoever takes over can stop it."""
    tx.execute(
        update(CompressionRow)
        .where(CompressionRow.id == compression_id)
        .values(gateway_run_id=gateway_run_id)
    )


def end(
    tx: Session,
    compression_id: int,
    result: Result,
    *,
    duration: float,
    after_tokens: int | None = None,
    after_messages: int | None = None,
    error: str | None = None,
) -> None:
    """How it went; the first who says so is right."""
    tx.execute(
        update(CompressionRow)
        .where(CompressionRow.id == compression_id, CompressionRow.result.is_(None))
        .values(
            result=str(result),
            ended_at=DbNow(),
            duration=duration,
            after_tokens=after_tokens,
            after_messages=after_messages,
            error=error,
        )
    )


_LATEST = (
    select(CompressionRow.result, CompressionRow.ended_at, CompressionRow.after_tokens)
    .where(
        CompressionRow.owner == bindparam("owner"),
        CompressionRow.session_id == bindparam("session_id"),
        CompressionRow.result.in_([Result.COMPRESSED, Result.FAILED]),
    )
    .order_by(CompressionRow.id.desc())
    .limit(MAX_DOUBLINGS + 1)
)


def last(tx: Session, owner: str, session_id: str) -> LastCompression | None:
    """The session's latest compression that tells something about the next one."""
    here = {"owner": owner, "session_id": session_id}
    rows = tx.connection().execute(_LATEST, here).all()
    if not rows:
        return None
    good = [at for at, row in enumerate(rows) if row.result == Result.COMPRESSED]
    failures = good[0] if good else len(rows)
    return LastCompression(
        rows[0].ended_at or 0.0, failures == 0, rows[0].after_tokens or 0, failures
    )


def seconds_of(tx: Session, run_id: str) -> float:
    """How long the run has been kept from its gateway by compressions, in all."""
    spent = func.sum(CompressionRow.ended_at - CompressionRow.started_at)
    return float(tx.scalar(select(spent).where(CompressionRow.run_id == run_id)) or 0.0)
