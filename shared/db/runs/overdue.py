"""What the reaper looks for: runs that somebody should see to (R13, R18, R34)."""

from sqlalchemy import ColumnElement, Select, select, text, update
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import RunRow
from shared.db.runs.session_queue import is_first_in_line
from shared.protocol.run_states import LIVE, RunState

_LAPSED = (RunRow.state.in_([*LIVE]), RunRow.lease_until < DbNow())


def ping(tx: Session) -> None:
    """Returns if the database answers."""
    tx.execute(text("SELECT 1"))


def lapsed(tx: Session, limit: int) -> list[str]:
    """Live runs whose owner has not renewed in time, the longest first."""
    rows = tx.scalars(select(RunRow.id).where(*_LAPSED).order_by(RunRow.lease_until).limit(limit))
    return list(rows)


def lapsed_runs(tx: Session, seconds: float, limit: int) -> list[str]:
    """Lapsed runs that nobody was told of since they lapsed, or not for `seconds`.

    Each is marked as told now, by compare-and-set: one message per lapse, and another if that one
    was lost.
    """
    found = tx.scalars(
        select(RunRow.id)
        .where(*_LAPSED, _unannounced(seconds))
        .order_by(RunRow.lease_until)
        .limit(limit)
    ).all()
    return [run_id for run_id in found if _mark_lapsed(tx, run_id, seconds)]


def _unannounced(seconds: float) -> ColumnElement[bool]:
    told = RunRow.enqueued_at
    return told.is_(None) | (told < RunRow.lease_until) | (told < DbNow() - seconds)


def _mark_lapsed(tx: Session, run_id: str, seconds: float) -> bool:
    marked = tx.execute(
        update(RunRow)
        .where(RunRow.id == run_id, *_LAPSED, _unannounced(seconds))
        .values(enqueued_at=DbNow())
        .returning(RunRow.id)
    )
    return marked.first() is not None


def unqueued_runs(tx: Session, seconds: float, limit: int) -> list[str]:
    """Queued runs that could start, and that nobody was told of for `seconds`.

    Only the head of a session without a live run counts; each is marked as told now, by
    compare-and-set, so that two reapers tell one.
    """
    found = tx.scalars(_startable(seconds).limit(limit)).all()
    return [run_id for run_id in found if _mark(tx, run_id, seconds)]


def _startable(seconds: float) -> Select[str]:
    return (
        select(RunRow.id)
        .where(
            RunRow.state == RunState.QUEUED,
            _waits_since(seconds),
            RunRow.not_before.is_(None) | (RunRow.not_before < DbNow() - seconds),
            is_first_in_line(),
        )
        .order_by(RunRow.created_at)
    )


def _waits_since(seconds: float) -> ColumnElement[bool]:
    told = RunRow.enqueued_at
    return (told.is_(None) & (RunRow.created_at < DbNow() - seconds)) | (told < DbNow() - seconds)


def _mark(tx: Session, run_id: str, seconds: float) -> bool:
    marked = tx.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.state == RunState.QUEUED, _waits_since(seconds))
        .values(enqueued_at=DbNow())
        .returning(RunRow.id)
    )
    return marked.first() is not None
