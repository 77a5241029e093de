"""Throw-away gateway sessions that wait for their deletion: queued, tried, put off, parked (R25).

A row is there while the session is not known to be gone. Two beats may work at once: a row is
taken by compare-and-set, and comes back by itself if its taker dies.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Double,
    String,
    bindparam,
    delete,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, read_clock
from shared.db.models import AttemptRow, DeletionRow, OrphanRow, RunRow
from shared.db.upserts import Upsert
from shared.protocol.run_states import OPEN

PENDING: Final = "pending"
PARKED: Final = "parked"

UNSYNCED_AFTER = 24 * 3600.0  # seconds that a session is kept whose transcript was not saved (P26)
HOLD = 900.0  # seconds after which rows come back that were taken and never reported on
FIRST_PAUSE = 60.0  # seconds after the first failure, doubling
MOST_FAILURES = 3
ERROR_LENGTH = 500


@dataclass(frozen=True)
class DueDeletion:
    """A session that the taker is to delete until `until` (epoch seconds)."""

    profile: str
    session_id: str
    failures: int
    until: float


_QUEUED = ("profile_name", "session_id", "created_at", "updated_at", "next_attempt_at")


def _sooner(queued: Any) -> Any:
    """One that is queued or parked already stays as it is, but waits no longer than a new one:
    not for the day, if its transcript is saved by now."""
    new = queued.excluded
    return queued.on_conflict_do_update(
        index_elements=[DeletionRow.profile_name, DeletionRow.session_id],
        set_={"next_attempt_at": new.next_attempt_at, "updated_at": new.updated_at},
        where=(DeletionRow.attempt_count == 0)
        & (DeletionRow.next_attempt_at > new.next_attempt_at + HOLD),  # else it is somebody's now
    )


def _new_row(session_id: Any) -> tuple[Any, ...]:
    """The values of _QUEUED."""
    wait = bindparam("wait", type_=Double)
    return bindparam("profile", type_=String), session_id, DbNow(), DbNow(), DbNow() + wait


def _forgetting(insert: Any) -> Any:
    values = _new_row(bindparam("ephemeral", type_=String))
    return _sooner(insert(DeletionRow).values(dict(zip(_QUEUED, values, strict=True))))


def _forgetting_attempts(insert: Any) -> Any:
    names = (
        select(AttemptRow.ephemeral_id)
        .where(AttemptRow.run_id == bindparam("of_run"), AttemptRow.never_sent.is_(False))
        .distinct()
        .subquery()
    )
    rows = select(*_new_row(names.c.ephemeral_id)).where(true())  # SQLite takes ON for a join's
    return _sooner(insert(DeletionRow).from_select(_QUEUED, rows))


_FORGOTTEN = Upsert(_forgetting)
_ATTEMPTS_FORGOTTEN = Upsert(_forgetting_attempts)


def forget(tx: Session, profile: str, session_id: str, *, saved: bool) -> None:
    """Have a gateway session deleted: soon if its transcript is `saved`, else after a day.

    One that is queued or parked already stays as it is, but does not wait for the day any more.
    """
    values = {"profile": profile, "ephemeral": session_id, "wait": _wait(saved)}
    tx.connection().execute(_FORGOTTEN.on(tx), values)


def forget_attempts(tx: Session, run_id: str, profile: str, *, saved: bool) -> None:
    """The same for the sessions that the run's attempts may have made."""
    values = {"profile": profile, "of_run": run_id, "wait": _wait(saved)}
    tx.connection().execute(_ATTEMPTS_FORGOTTEN.on(tx), values)


def _wait(saved: bool) -> float:
    return 0.0 if saved else UNSYNCED_AFTER


def hasten(tx: Session, profile: str, session_ids: Collection[str]) -> None:
    """Their transcript is saved after all: no need to keep them any longer."""
    tx.execute(
        update(DeletionRow)
        .where(*_these(profile, session_ids), DeletionRow.attempt_count == 0)
        .where(DeletionRow.next_attempt_at > DbNow() + HOLD)  # else it is somebody's now
        .values(next_attempt_at=DbNow(), updated_at=DbNow())
    )


def revive(tx: Session, profile: str, session_ids: Collection[str]) -> None:
    """Parked ones that the gateway still has, and that may work by now, are tried again."""
    tx.execute(
        update(DeletionRow)
        .where(*_these(profile, session_ids), DeletionRow.status == PARKED)
        .values(status=PENDING, attempt_count=0, next_attempt_at=DbNow(), updated_at=DbNow())
    )


def due_profiles(tx: Session) -> list[str]:
    """Profiles with sessions whose time has come."""
    rows = tx.scalars(
        select(DeletionRow.profile_name).where(*_due()).distinct().order_by("profile_name")
    )
    return list(rows)


def take(tx: Session, profile: str, limit: int) -> list[DueDeletion]:
    """The oldest that are due, now the caller's for HOLD seconds."""
    rows = tx.execute(
        select(DeletionRow.session_id, DeletionRow.attempt_count, DeletionRow.next_attempt_at)
        .where(DeletionRow.profile_name == profile, *_due())
        .order_by(DeletionRow.created_at, DeletionRow.session_id)
        .limit(limit)
    ).all()
    until = read_clock(tx) + HOLD
    return [
        DueDeletion(profile, session_id, failures, until)
        for session_id, failures, seen in rows
        if _take_one(tx, profile, session_id, seen, until)
    ]


def _take_one(tx: Session, profile: str, session_id: str, seen: float, until: float) -> bool:
    taken = tx.execute(
        update(DeletionRow)
        .where(
            *_these(profile, [session_id]),
            DeletionRow.status == PENDING,
            DeletionRow.next_attempt_at == seen,
        )
        .values(next_attempt_at=until)
        .returning(DeletionRow.session_id)
    )
    return taken.first() is not None


def gone(tx: Session, taken: DueDeletion) -> None:
    """The gateway does not have it any more."""
    tx.execute(delete(DeletionRow).where(*_these(taken.profile, [taken.session_id])))


def failed(tx: Session, taken: DueDeletion, error: str, *, hopeless: bool = False) -> bool:
    """It could not be deleted: again after a growing pause. True if it was parked instead, after
    MOST_FAILURES or because the failure is `hopeless`."""
    failures = taken.failures + 1
    parked = hopeless or failures >= MOST_FAILURES
    _report(
        tx,
        taken,
        status=PARKED if parked else PENDING,
        attempt_count=failures,
        last_error=error[:ERROR_LENGTH],
        next_attempt_at=DbNow() + FIRST_PAUSE * float(2 ** (failures - 1)),
    )
    return parked


def put_off(tx: Session, untried: Sequence[DueDeletion], error: str) -> None:
    """Give back what was not tried; it waits for a pause and says why."""
    for taken in untried:
        _report(
            tx,
            taken,
            last_error=error[:ERROR_LENGTH],
            next_attempt_at=DbNow() + FIRST_PAUSE,
        )


def parked(tx: Session, limit: int) -> list[DeletionRow]:
    """Those that were given up, the latest first; `last_error` says why."""
    rows = tx.scalars(
        select(DeletionRow)
        .where(DeletionRow.status == PARKED)
        .order_by(DeletionRow.updated_at.desc())
        .limit(limit)
    )
    return list(rows)


def in_use(tx: Session, profile: str) -> set[str]:
    """Gateway sessions that a run of ours, not yet ended, or a chase may still need."""
    of_runs = (
        select(AttemptRow.ephemeral_id)
        .join(RunRow, RunRow.id == AttemptRow.run_id)
        .where(RunRow.profile == profile, RunRow.state.in_([*OPEN]))
    )
    of_chases = select(OrphanRow.ephemeral_id).where(
        OrphanRow.profile == profile, OrphanRow.done_at.is_(None)
    )
    return {*tx.scalars(of_runs), *tx.scalars(of_chases)}


def _report(tx: Session, taken: DueDeletion, **columns: object) -> None:
    """Only while it is still the taker's: a slow one does not overrule who took it after."""
    tx.execute(
        update(DeletionRow)
        .where(
            *_these(taken.profile, [taken.session_id]),
            DeletionRow.next_attempt_at == taken.until,
        )
        .values(updated_at=DbNow(), **columns)
    )


def _due() -> tuple[ColumnElement[bool], ...]:
    return DeletionRow.status == PENDING, DeletionRow.next_attempt_at <= DbNow()


def _these(profile: str, session_ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return DeletionRow.profile_name == profile, DeletionRow.session_id.in_([*session_ids])
