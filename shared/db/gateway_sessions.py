"""The queue of ephemeral gateway sessions to delete: queued, tried, put off, parked (R25).

A row exists as long as the session is not known to be gone. Several processes may work at once: a
row that is taken is locked, and then not due; it is due again by itself if the process that took it
dies.
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
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, is_due, read_clock
from shared.db.constants import constants
from shared.db.models import AttemptRow, DeletionRow, OrphanRow, RunRow
from shared.db.upserts import Upsert
from shared.protocol.run_states import OPEN

PENDING: Final = "pending"
PARKED: Final = "parked"

UNSYNCED_AFTER = 24 * 3600.0  # seconds before a session without a saved transcript goes (P26)
HOLD = 900.0  # seconds after which a row that was taken, and not reported on, is due again
FIRST_PAUSE = 60.0  # seconds after the first failure; it doubles with each further one
MOST_FAILURES = 3
ERROR_LENGTH = 500


@dataclass(frozen=True)
class DueDeletion:
    """A session that the caller of `take_due` is to delete before `until` (epoch seconds)."""

    profile: str
    session_id: str
    failures: int
    until: float


_QUEUED = ("profile_name", "session_id", "created_at", "updated_at", "next_attempt_at")


def _sooner(queued: Any) -> Any:
    """Leave a row that exists as it is, but let it wait no longer than a new one would: not for the
    day, if its transcript is saved by now."""
    new = queued.excluded
    return queued.on_conflict_do_update(
        index_elements=[DeletionRow.profile_name, DeletionRow.session_id],
        set_={"next_attempt_at": new.next_attempt_at, "updated_at": new.updated_at},
        where=(DeletionRow.attempt_count == 0)
        & (DeletionRow.next_attempt_at > new.next_attempt_at + HOLD),  # else it may be taken
    )


def _new_row(session_id: Any) -> tuple[Any, ...]:
    """The values for the columns _QUEUED."""
    wait = bindparam("wait", type_=Double)
    return bindparam("profile", type_=String), session_id, DbNow(), DbNow(), DbNow() + wait


def _queueing(insert: Any) -> Any:
    values = _new_row(bindparam("ephemeral", type_=String))
    return _sooner(insert(DeletionRow).values(dict(zip(_QUEUED, values, strict=True))))


def _queueing_of_attempts(insert: Any) -> Any:
    names = (
        select(AttemptRow.ephemeral_id)
        .where(AttemptRow.run_id == bindparam("of_run"), AttemptRow.never_sent.is_(False))
        .distinct()
        .subquery()
    )
    rows = select(*_new_row(names.c.ephemeral_id)).where(true())  # else SQLite reads ON as a join's
    return _sooner(insert(DeletionRow).from_select(_QUEUED, rows))


_SESSION_QUEUED = Upsert(_queueing)
_ATTEMPTS_QUEUED = Upsert(_queueing_of_attempts)


def queue_deletion(tx: Session, profile: str, session_id: str, *, saved: bool) -> None:
    """Queue a gateway session for deletion: soon if its transcript is `saved`, else after a day.

    One that is queued or parked already stays so, but no longer waits for the day if `saved`.
    """
    values = {"profile": profile, "ephemeral": session_id, "wait": _wait(saved)}
    tx.connection().execute(_SESSION_QUEUED.on(tx), values)


def queue_deletion_of_attempts(tx: Session, run_id: str, profile: str, *, saved: bool) -> None:
    """Queue the sessions that the attempts of the run may have made, as `queue_deletion` does."""
    values = {"profile": profile, "of_run": run_id, "wait": _wait(saved)}
    tx.connection().execute(_ATTEMPTS_QUEUED.on(tx), values)


def _wait(saved: bool) -> float:
    return 0.0 if saved else UNSYNCED_AFTER


def delete_soon(tx: Session, profile: str, session_ids: Collection[str]) -> None:
    """Make queued sessions due now: nobody needs their transcripts any longer."""
    tx.execute(
        update(DeletionRow)
        .where(*_these(profile, session_ids), DeletionRow.attempt_count == 0)
        .where(DeletionRow.next_attempt_at > DbNow() + HOLD)  # else it may be taken
        .values(next_attempt_at=DbNow(), updated_at=DbNow())
    )


def retry_parked(tx: Session, profile: str, session_ids: Collection[str] | None) -> int:
    """Queue parked sessions of the profile again, with no failures. None: all that are parked.
    Returns how many of these were parked."""
    these = _these(profile, session_ids) if session_ids is not None else _of(profile)
    queued = tx.execute(
        update(DeletionRow)
        .where(*these, DeletionRow.status == PARKED)
        .values(status=PENDING, attempt_count=0, next_attempt_at=DbNow(), updated_at=DbNow())
        .returning(DeletionRow.session_id)
    )
    return len(queued.all())


def due_profiles(tx: Session) -> list[str]:
    """Return the profiles that have sessions due for deletion."""
    rows = tx.scalars(
        select(DeletionRow.profile_name).where(*_due()).distinct().order_by("profile_name")
    )
    return list(rows)


def take_due(tx: Session, profile: str, limit: int) -> list[DueDeletion]:
    """Take those that have been due for longest: for HOLD seconds they are the caller's to delete.
    Those that somebody else is taking are passed over."""
    rows = tx.execute(
        select(DeletionRow.session_id, DeletionRow.attempt_count)
        .where(*_of(profile), *_due())
        .order_by(DeletionRow.next_attempt_at, DeletionRow.session_id)  # the order of the index
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    until = read_clock(tx) + HOLD
    these = _these(profile, [session_id for session_id, _ in rows])
    tx.execute(update(DeletionRow).where(*these).values(next_attempt_at=until))
    return [DueDeletion(profile, session_id, failures, until) for session_id, failures in rows]


def mark_gone(tx: Session, profile: str, session_ids: Collection[str]) -> None:
    """Remove rows that were taken: the gateway no longer has the sessions."""
    tx.execute(delete(DeletionRow).where(*_these(profile, session_ids)))


def note_failure(tx: Session, taken: DueDeletion, error: str, *, hopeless: bool = False) -> bool:
    """Note that a session could not be deleted; it is due again after a growing pause.

    True if it was parked instead: after MOST_FAILURES, or because the failure is `hopeless`.
    """
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
    """Give back sessions that were taken and not tried: due after a pause, with this error."""
    for taken in untried:
        _report(
            tx,
            taken,
            last_error=error[:ERROR_LENGTH],
            next_attempt_at=DbNow() + FIRST_PAUSE,
        )


def parked(tx: Session, limit: int, after: tuple[float, str] | None = None) -> list[DeletionRow]:
    """Return the parked sessions, the latest first; `last_error` says why they were given up.
    `after`: `updated_at` and `session_id` of the one behind which to begin."""
    query = select(DeletionRow).where(DeletionRow.status == PARKED)
    if after is not None:
        query = query.where(tuple_(DeletionRow.updated_at, DeletionRow.session_id) < after)
    order = (DeletionRow.updated_at.desc(), DeletionRow.session_id.desc())
    return list(tx.scalars(query.order_by(*order).limit(limit)))


def in_use(tx: Session, profile: str) -> set[str]:
    """Return the gateway sessions that an open run or an orphaned one may still need."""
    of_runs = (
        select(AttemptRow.ephemeral_id)
        .join(RunRow, RunRow.id == AttemptRow.run_id)
        .where(RunRow.profile == profile, RunRow.state.in_(constants(OPEN)))
    )
    of_orphans = select(OrphanRow.ephemeral_id).where(
        OrphanRow.profile == profile, OrphanRow.done_at.is_(None)
    )
    return {*tx.scalars(of_runs), *tx.scalars(of_orphans)}


def _report(tx: Session, taken: DueDeletion, **columns: object) -> None:
    """Update a row only while it is still the caller's: a slow process does not overwrite what the
    one that took it later reported."""
    tx.execute(
        update(DeletionRow)
        .where(
            *_these(taken.profile, [taken.session_id]),
            DeletionRow.next_attempt_at == taken.until,
        )
        .values(updated_at=DbNow(), **columns)
    )


def _due() -> tuple[ColumnElement[bool], ...]:
    return DeletionRow.status == PENDING, is_due(DeletionRow.next_attempt_at, UNSYNCED_AFTER)


def _of(profile: str) -> tuple[ColumnElement[bool], ...]:
    return (DeletionRow.profile_name == profile,)


def _these(profile: str, session_ids: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return *_of(profile), DeletionRow.session_id.in_([*session_ids])
