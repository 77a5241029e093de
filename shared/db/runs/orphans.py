"""Orphaned runs: gateway runs that outlived ours, to be stopped or found (R2, R9).

Their table is named `chases`; see `OrphanRow`.
"""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, read_clock
from shared.db.models import OrphanRow

STOP: Final = "stop"  # ask the gateway to stop it until it has stopped
UNCERTAIN_POST: Final = "uncertain_post"  # look for a run that may never have reached the gateway
SYNC: Final = "sync"  # fetch the transcript, which was not there at the end


def track_orphan(
    tx: Session,
    *,
    run_id: str,
    profile: str,
    kind: str,
    ephemeral_id: str,
    gateway_run_id: str | None,
) -> None:
    """Have a gateway run checked, first at once. `kind` is one of the names above."""
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


def due_orphans(tx: Session, limit: int) -> list[OrphanRow]:
    """Return the orphans that are to be checked now, the longest waiting first."""
    rows = tx.scalars(
        select(OrphanRow)
        .where(OrphanRow.done_at.is_(None), OrphanRow.next_at <= DbNow())
        .order_by(OrphanRow.next_at)
        .limit(limit)
    )
    return list(rows)


def check_later(tx: Session, orphan_id: int, seconds: float) -> None:
    """Have the orphan checked again after `seconds`."""
    tx.execute(
        update(OrphanRow)
        .where(OrphanRow.id == orphan_id)
        .values(next_at=DbNow() + seconds, tries=OrphanRow.tries + 1)
    )


def close_orphan(tx: Session, orphan_id: int, outcome: str) -> None:
    """End the checks of an orphan; `outcome` says how it ended."""
    tx.execute(
        update(OrphanRow)
        .where(OrphanRow.id == orphan_id, OrphanRow.done_at.is_(None))
        .values(done_at=DbNow(), outcome=outcome)
    )
