"""One row per compression: what triggered it, what it did, how it ended (FAILURES 26, 27)."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from shared.conversation.compression_plan import MAX_DOUBLINGS, LastCompression, Plan
from shared.db.clock import DbNow, read_clock
from shared.db.gateway_sessions import delete_soon, queue_deletion
from shared.db.models import CompressionRow
from shared.db.runs.claim import Claim
from shared.db.runs.ownership import owned


class Result(StrEnum):
    """How a compression ended. The last two do not count for the pause before the next one."""

    COMPRESSED = "compressed"
    FAILED = "failed"
    STOPPED = "stopped"  # a person stopped the run
    LOST = "lost"  # its worker died, or lost the run


@dataclass(frozen=True)
class Begun:
    """A compression that was stored. `orphans`: gateway runs of summaries that nobody waits for."""

    id: int
    orphans: list[str]


def begin(tx: Session, claim: Claim, plan: Plan, ephemeral_id: str) -> Begun:
    """Store the compression before the gateway is asked. Raises OwnershipLost.

    Its gateway session is queued for deletion in a day, so that it is deleted also if this worker
    dies (P23). Call `delete_soon` when the gateway is done with it.
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
        last_turn=plan.last_turn,
        ephemeral_id=ephemeral_id,
        started_at=read_clock(tx),
    )
    tx.add(row)
    tx.flush()
    queue_deletion(tx, claim.profile, ephemeral_id, saved=False)
    return Begun(row.id, orphans)


def _close_lost(tx: Session, claim: Claim) -> list[str]:
    """End the compressions that earlier owners left open; a session has only one live run."""
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
    """Store the id of the gateway run, so that the next owner can stop it."""
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
    """Store how the compression ended, once: a second call changes nothing."""
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
    """Return the latest compression of the session that counts for the pause before the next."""
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
    """Return for how many seconds compressions have delayed the run, in all."""
    by_clock = CompressionRow.ended_at - CompressionRow.started_at  # wrong if the clock was set
    row = CompressionRow.run_id == run_id
    times = tx.execute(select(CompressionRow.duration, by_clock.label("by_clock")).where(row))
    return sum(
        time.duration if time.duration is not None else max(time.by_clock or 0.0, 0.0)
        for time in times
    )
