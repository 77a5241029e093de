"""Orphaned runs: gateway runs that outlived ours, to be stopped or found (R2, R9).

Their table is named `chases`; see `OrphanRow`.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, is_due, read_clock
from shared.db.models import AttemptRow, OrphanRow

STOP: Final = "stop"  # ask the gateway to stop it until it has stopped
UNCERTAIN_POST: Final = "uncertain_post"  # look for a run that may never have reached the gateway
SYNC: Final = "sync"  # fetch the transcript, which was not there at the end

PAUSE_MOST: Final = 120.0  # seconds between two checks


@dataclass(frozen=True)
class Orphan:
    """A gateway run to be checked. `kind`: one of the names above. `tries`: earlier checks."""

    id: int
    run_id: str
    profile: str
    kind: str
    ephemeral_id: str
    gateway_run_id: str | None
    tries: int


def track_attempt(tx: Session, attempt: AttemptRow, kind: str) -> None:
    """Have the gateway run of this attempt checked, as `track_orphan` does."""
    track_orphan(
        tx,
        run_id=attempt.run_id,
        profile=attempt.profile,
        kind=kind,
        ephemeral_id=attempt.ephemeral_id,
        gateway_run_id=attempt.gateway_run_id,
    )


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


_ORPHAN = (
    OrphanRow.id,
    OrphanRow.run_id,
    OrphanRow.profile,
    OrphanRow.kind,
    OrphanRow.ephemeral_id,
    OrphanRow.gateway_run_id,
    OrphanRow.tries,
)


def due_orphans(tx: Session, limit: int) -> list[Orphan]:
    """Return the orphans that are to be checked now, the longest waiting first."""
    rows = tx.execute(
        select(*_ORPHAN)
        .where(OrphanRow.done_at.is_(None), is_due(OrphanRow.next_at, PAUSE_MOST))
        .order_by(OrphanRow.next_at)
        .limit(limit)
    )
    return [Orphan(*row) for row in rows]


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
