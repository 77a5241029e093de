"""What is old enough to go: sessions, runs without a session, usage, checks of orphaned runs (R25).

Each function does one short transaction, and is called again until it finds nothing. Deleting a
session is `shared/delete_session.py`; here only the sessions are found.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, exists, false, func, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.constants import constants
from shared.db.models import (
    ApprovalRow,
    AttemptRow,
    OrphanRow,
    RunRow,
    SessionRow,
    UsageRow,
)
from shared.db.runs.idempotency import forget
from shared.protocol.run_states import ENDED, OPEN

EPHEMERAL: Final = "ephemeral"  # `source` of a session that was made to be thrown away
DONE_ORPHANS_AFTER: Final = 30 * 86_400.0  # seconds; they are kept that long for people to look at
LIMIT: Final = 100  # rows of one transaction (R35)


@dataclass(frozen=True)
class Expired:
    """A session that is to be deleted."""

    owner: str
    session_id: str


def owners(tx: Session) -> list[str]:
    """Return all owners of sessions."""
    return list(tx.scalars(select(SessionRow.owner).distinct().order_by(SessionRow.owner)))


def expired_sessions(
    tx: Session,
    owner: str,
    *,
    seconds: float | None,
    ephemeral_seconds: float | None,
    limit: int = LIMIT,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
) -> list[Expired]:
    """Return sessions of the owner that were not active for that long, the oldest first; None: none
    of this kind. Pinned ones, and those with an open run, are left. `only`: of these."""
    found = select(SessionRow.id).where(*_expired(owner, seconds, ephemeral_seconds))
    if only is not None:
        found = found.where(SessionRow.id.in_([*only]))
    if without:
        found = found.where(SessionRow.id.not_in([*without]))
    rows = tx.scalars(found.order_by(SessionRow.last_active, SessionRow.id).limit(limit))
    return [Expired(owner, session_id) for session_id in rows]


def count_expired_sessions(
    tx: Session, owner: str, *, seconds: float | None, ephemeral_seconds: float | None
) -> int:
    """Count what `expired_sessions` would return without a limit."""
    expired = _expired(owner, seconds, ephemeral_seconds)
    return tx.scalar(select(func.count()).select_from(SessionRow).where(*expired)) or 0


def _expired(
    owner: str, seconds: float | None, ephemeral_seconds: float | None
) -> tuple[ColumnElement[bool], ...]:
    by_age = [
        is_kind & (SessionRow.last_active < DbNow() - age)
        for is_kind, age in (
            (SessionRow.source != EPHEMERAL, seconds),
            (SessionRow.source == EPHEMERAL, ephemeral_seconds),
        )
        if age is not None
    ]
    either: ColumnElement[bool] = false()
    for one in by_age:
        either = either | one
    has_open_run = exists().where(
        RunRow.owner == SessionRow.owner,
        RunRow.session_id == SessionRow.id,
        RunRow.state.in_(constants(OPEN)),
    )
    ages = [age for age in (seconds, ephemeral_seconds) if age is not None]
    youngest = SessionRow.last_active < DbNow() - min(ages, default=0.0)  # the range of the index
    return SessionRow.owner == owner, SessionRow.pinned.is_(False), youngest, either, ~has_open_run


def delete_runs(tx: Session, seconds: float, *, dry_run: bool = False, limit: int = LIMIT) -> int:
    """Delete ended runs without a session that are older; return how many. Their usage stays."""
    old = (
        RunRow.session_id.is_(None),
        RunRow.state.in_(constants(ENDED)),
        RunRow.announced_at.is_not(None),
        RunRow.created_at < DbNow() - seconds,
    )
    if dry_run:
        return _count(tx, RunRow, *old)
    order = select(RunRow.id).where(*old).order_by(RunRow.created_at, RunRow.id).limit(limit)
    ids = list(tx.scalars(order))
    if ids:
        of_them = select(RunRow.id).where(RunRow.id.in_(ids))
        forget(tx, of_them)
        for table in (AttemptRow, ApprovalRow):
            tx.execute(delete(table).where(table.run_id.in_(ids)))
        tx.execute(delete(RunRow).where(RunRow.id.in_(ids)))
    return len(ids)


def delete_usage(tx: Session, seconds: float, *, dry_run: bool = False, limit: int = LIMIT) -> int:
    """Delete what runs used longer ago; return of how many."""
    return _delete_old(tx, UsageRow, UsageRow.run_id, UsageRow.created_at, seconds, dry_run, limit)


def delete_orphans(
    tx: Session, *, seconds: float = DONE_ORPHANS_AFTER, dry_run: bool = False, limit: int = LIMIT
) -> int:
    """Delete the notes of orphaned runs that were dealt with; return how many."""
    return _delete_old(tx, OrphanRow, OrphanRow.id, OrphanRow.done_at, seconds, dry_run, limit)


def _delete_old(
    tx: Session, table: Any, key: Any, at: Any, seconds: float, dry_run: bool, limit: int
) -> int:
    old = at < DbNow() - seconds
    if dry_run:
        return _count(tx, table, old)
    keys = list(tx.scalars(select(key).where(old).order_by(at).limit(limit)))
    if keys:
        tx.execute(delete(table).where(key.in_(keys)))
    return len(keys)


def _count(tx: Session, table: Any, *which: ColumnElement[bool]) -> int:
    return tx.scalar(select(func.count()).select_from(table).where(*which)) or 0
