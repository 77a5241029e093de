"""Gateway runs that outlived ours: what a maintenance job still has to stop or find (R2, R9)."""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, read_clock
from shared.db.models import ChaseRow

STOP: Final = "stop"  # ask the gateway to stop until it has
UNCERTAIN_POST: Final = "uncertain_post"  # wait for a run to show up that may never have arrived
SYNC: Final = "sync"  # fetch the transcript that was not there at the end


def chase(
    session: Session,
    *,
    run_id: str,
    profile: str,
    kind: str,
    ephemeral_id: str,
    gateway_run_id: str | None,
) -> None:
    """Have it looked after. `kind` is one of the names above."""
    now = read_clock(session)
    session.add(
        ChaseRow(
            run_id=run_id,
            profile=profile,
            kind=kind,
            ephemeral_id=ephemeral_id,
            gateway_run_id=gateway_run_id,
            created_at=now,
            next_at=now,
        )
    )


def due(session: Session, limit: int) -> list[ChaseRow]:
    """Chases whose time has come, the longest waiting first."""
    rows = session.scalars(
        select(ChaseRow)
        .where(ChaseRow.done_at.is_(None), ChaseRow.next_at <= DbNow())
        .order_by(ChaseRow.next_at)
        .limit(limit)
    )
    return list(rows)


def again(session: Session, chase_id: int, seconds: float) -> None:
    """Look again after some seconds."""
    session.execute(
        update(ChaseRow)
        .where(ChaseRow.id == chase_id)
        .values(next_at=DbNow() + seconds, tries=ChaseRow.tries + 1)
    )


def done(session: Session, chase_id: int, outcome: str) -> None:
    """The chase is over; `outcome` says how."""
    session.execute(
        update(ChaseRow)
        .where(ChaseRow.id == chase_id, ChaseRow.done_at.is_(None))
        .values(done_at=DbNow(), outcome=outcome)
    )
