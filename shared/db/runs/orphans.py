"""Gateway runs that outlived ours: what a maintenance job still has to stop or find (R2, R9)."""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, read_clock
from shared.db.models import OrphanRow

STOP: Final = "stop"  # ask the gateway to stop until it has
UNCERTAIN_POST: Final = "uncertain_post"  # wait for a run to show up that may never have arrived
SYNC: Final = "sync"  # fetch the transcript that was not there at the end


def track_orphan(
    tx: Session,
    *,
    run_id: str,
    profile: str,
    kind: str,
    ephemeral_id: str,
    gateway_run_id: str | None,
) -> None:
    """Have it looked after. `kind` is one of the names above."""
    now = read_clock(tx)
    tx.add(
        OrphanRow(
            run_id=run_id,
            profile=profile,
            kind=kind,
            ephemeral_id=ephemeral_id,
            gateway_run_id=gateway_run_id,
            created_at=now,
            next_at=now,
        )
    )


def due(tx: Session, limit: int) -> list[OrphanRow]:
    """Chases whose time has come, the longest waiting first."""
    rows = tx.scalars(
        select(OrphanRow)
        .where(OrphanRow.done_at.is_(None), OrphanRow.next_at <= DbNow())
        .order_by(OrphanRow.next_at)
        .limit(limit)
    )
    return list(rows)


def again(tx: Session, chase_id: int, seconds: float) -> None:
    """Look again after some seconds."""
    tx.execute(
        update(OrphanRow)
        .where(OrphanRow.id == chase_id)
        .values(next_at=DbNow() + seconds, tries=OrphanRow.tries + 1)
    )


def done(tx: Session, chase_id: int, outcome: str) -> None:
    """The chase is over; `outcome` says how."""
    tx.execute(
        update(OrphanRow)
        .where(OrphanRow.id == chase_id, OrphanRow.done_at.is_(None))
        .values(done_at=DbNow(), outcome=outcome)
    )
