"""Which run a worker claims: the next one that is due, whatever its message said (ADR 0024).

Problem: many workers ask at once, a hundred thousand runs may wait, and a profile without a free
permit must not hold up the others. Idea: of each profile only the first due run is looked at, which
is one entry of the index `runs_due`; the lowest number among those that may start is taken. On
PostgreSQL a row that another worker is about to claim is passed over. SQLite has one writer.
Invariant: a run is locked here before its session, the other way round than everywhere else, so
nothing here waits for a lock after that: a session that somebody else holds is BUSY.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

from sqlalchemy import Integer, String, bindparam, select, update
from sqlalchemy.orm import Session

from shared.db.clock import is_due
from shared.db.locks import try_lock_session
from shared.db.models import IS_DUE, IS_PAUSED, RunRow
from shared.db.runs.claim import Claim, Refusal, Refused, claim_locked
from shared.db.runs.concurrency_limit import free_permits, has_permit
from shared.db.runs.session_queue import PAUSE_MOST

WOKEN: Final = 20  # runs whose pause is over, in one transaction


def claim_next(
    tx: Session,
    worker: str,
    lease: float,
    max_runs: Callable[[str], int] = lambda profile: 0,
    passed_over: Collection[str] = (),
) -> Claim | Refused | None:
    """Make `worker` the owner of the next due run for `lease` seconds; None if none is due that may
    start. `max_runs`: see `claim`. `passed_over`: runs that are not to be taken.

    Refused: this one could not be had; another one may be.
    """
    wake_paused(tx, WOKEN)
    for profile in _profiles(tx, passed_over):
        most = max_runs(profile)
        if most and not free_permits(tx, profile, most):
            continue
        if not has_permit(tx, profile, most):
            return Refused(Refusal.NO_PERMIT)
        answer = _claim_first(tx, profile, worker, lease, passed_over)
        if answer is not None or most:
            return answer  # with a limit the profile is locked: no second lock beside it
    return None


def wake_paused(tx: Session, limit: int) -> int:
    """End the pauses that are over (R7): those runs are due again, with the numbers that they have.
    Returns how many there were."""
    found = tx.connection().scalars(_PAUSE_IS_OVER, {"most": limit}).all()
    if found:
        tx.execute(update(RunRow).where(RunRow.id.in_(found)).values(not_before=None))
    return len(found)


def due_profiles() -> Any:
    """A subquery of the profiles that have due runs, in the column `name`; the last row is NULL.

    It jumps from one profile to the next in the index instead of reading all runs. The first in
    order, not the least: PostgreSQL reads all for `min` while it believes that few are due, which
    is what its statistics say when very many have just come.
    """
    by_name = select(RunRow.profile).where(IS_DUE).order_by(RunRow.profile).limit(1)
    first = select(by_name.scalar_subquery().label("name"))
    profiles = first.cte("profiles", recursive=True)
    following = by_name.where(RunRow.profile > profiles.c.name).correlate(profiles)
    return profiles.union_all(
        select(following.scalar_subquery()).where(profiles.c.name.is_not(None))
    )


def first_due(profile: Any, passed_over: Collection[str] = ()) -> Any:
    """The due runs of the profile, the next one first; columns are to be added."""
    query = select(RunRow.id).where(IS_DUE, RunRow.profile == profile)
    if passed_over:
        query = query.where(RunRow.id.not_in(passed_over))
    return query.order_by(RunRow.due_no, RunRow.created_at, RunRow.id)


def _profiles(tx: Session, passed_over: Collection[str]) -> list[str]:
    """The profiles that have due runs, that of the next one first."""
    heads = tx.connection().execute(_heads(passed_over) if passed_over else _HEADS).all()
    found = [name for name, head_id in heads if head_id is not None]
    if len(found) < 2:
        return found
    order = (RunRow.due_no, RunRow.created_at, RunRow.id)
    first = select(RunRow.profile).where(RunRow.id.in_([head_id for _, head_id in heads]))
    return list(tx.scalars(first.order_by(*order)))


def _claim_first(
    tx: Session, profile: str, worker: str, lease: float, passed_over: Collection[str]
) -> Claim | Refused | None:
    """Claim the first due run of the profile that nobody else is about to claim."""
    query = _first(passed_over) if passed_over else _FIRST
    run = tx.connection().execute(query, {"of_profile": profile}).first()
    if run is None:
        return None
    conversation = None
    if run.session_id is not None:
        conversation = try_lock_session(tx, run.owner, run.session_id)
        if conversation is None:
            return Refused(Refusal.BUSY, run_id=run.id)
    return claim_locked(tx, conversation, run.id, worker, lease)


def _heads(passed_over: Collection[str] = ()) -> Any:
    """The profiles that have due runs, each with its next one."""
    profiles = due_profiles()
    head = first_due(profiles.c.name, passed_over).limit(1).correlate(profiles).scalar_subquery()
    return select(profiles.c.name, head.label("head"))


def _first(passed_over: Collection[str] = ()) -> Any:
    """The next due run of the profile `of_profile`, locked."""
    query = first_due(bindparam("of_profile", type_=String), passed_over)
    columns = query.add_columns(RunRow.owner, RunRow.session_id)
    return columns.limit(1).with_for_update(skip_locked=True)


# Built once: each claim needs them, and to build them costs more than to execute them.
_HEADS: Final = _heads()
_FIRST: Final = _first()
_PAUSE_IS_OVER: Final = (
    select(RunRow.id)
    .where(IS_PAUSED, is_due(RunRow.not_before, PAUSE_MOST))
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
