"""The limit of live runs of a profile, over all workers; the oldest start first (R7)."""

from typing import Any

from sqlalchemy import ColumnElement, Row, func, or_, select, text, tuple_
from sqlalchemy.orm import Session

from shared.db.clock import is_due
from shared.db.models import RunRow
from shared.db.runs.session_queue import PAUSE_MOST, is_first_in_line
from shared.protocol.run_states import LIVE, RunState


def has_permit(tx: Session, run: Row[Any], most: int) -> bool:
    """Whether the queued run may become live, if at most `most` of its profile may (0: any number).

    Runs of the profile that could start, and were accepted earlier, count as live.
    """
    if most == 0:
        return True
    _lock_profile(tx, run.profile)
    older = tuple_(RunRow.created_at, RunRow.id) < (run.created_at, run.id)
    waiting = select(func.count()).where(*_startable(run.profile), older)
    return _live(tx, run.profile) + (tx.scalar(waiting) or 0) < most


def permitted(tx: Session, profile: str, most: int) -> list[str]:
    """Return the queued runs of the profile that may start now, oldest first; [] without limit."""
    free = most - _live(tx, profile)
    if most == 0 or free <= 0:
        return []
    rows = tx.scalars(
        select(RunRow.id)
        .where(*_startable(profile))
        .order_by(RunRow.created_at, RunRow.id)
        .limit(free)
    )
    return list(rows)


def _live(tx: Session, profile: str) -> int:
    mine = (RunRow.profile == profile, RunRow.state.in_([*LIVE]))
    return tx.scalar(select(func.count()).select_from(RunRow).where(*mine)) or 0


def _startable(profile: str) -> tuple[ColumnElement[bool], ...]:
    """Whether a run of the profile is queued, its pause is over, and it is first in line."""
    return (
        RunRow.profile == profile,
        RunRow.state == RunState.QUEUED,
        or_(RunRow.not_before.is_(None), is_due(RunRow.not_before, PAUSE_MOST)),
        is_first_in_line(),
    )


def _lock_profile(tx: Session, profile: str) -> None:
    """Have claims of one profile count one after the other. SQLite has one writer anyway."""
    if tx.get_bind().dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(hashtext('holdfast.permits'), hashtext(:name))")
        tx.execute(lock, {"name": profile})
