"""How many runs are due, and those that lack their number: what the reaper keeps right (R34).

A run that has no number though it is due was left so by a process of the version before, or by one
that died between the announcement of an end and the next statement.
"""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Double, Integer, String, bindparam, func, literal, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from shared.db.models import IS_NOT_DUE, RunRow
from shared.db.runs.concurrency_limit import free_permits
from shared.db.runs.queue.claim_next import due_profiles, first_due
from shared.db.runs.queue.fair_order import next_no
from shared.db.runs.session_queue import is_first_in_line, is_sibling

Place = tuple[float, str]  # created_at and id
START: Final[Place] = (0.0, "")


def due_runs(tx: Session, max_runs: Callable[[str], int], most: int) -> list[str]:
    """Return up to `most` runs that are due and have a permit; those of one profile in order."""
    found: list[str] = []
    for profile, room in _rooms(tx, max_runs, most):
        wanted = first_due(literal(profile)).limit(min(room, most - len(found)))
        found += tx.scalars(wanted)
    return found


def count_due(tx: Session, max_runs: Callable[[str], int], most: int) -> int:
    """Return how many runs `due_runs` would find."""
    total = 0
    for profile, room in _rooms(tx, max_runs, most):
        some = first_due(literal(profile)).order_by(None).limit(min(room, most - total)).subquery()
        total += tx.scalar(select(func.count()).select_from(some)) or 0
    return total


def has_due(tx: Session, profile: str) -> str | None:
    """Return the next due run of the profile, if there is one."""
    found: str | None = tx.scalar(first_due(literal(profile)).limit(1))
    return found


def number_missed(tx: Session, after: Place, limit: int) -> Place:
    """Look at `limit` queued runs without a number, those that were accepted after `after`, and
    number those that are due. Returns where to go on: START when there are no more."""
    place = {"after_time": after[0], "after_id": after[1], "most": limit}
    looked_at = tx.connection().execute(_NUMBERLESS, place).all()
    for run in looked_at:
        if run.is_due:
            number = next_no(literal(run.owner), literal(run.profile))
            mine = (RunRow.id == run.id, IS_NOT_DUE)
            tx.execute(
                update(RunRow)
                .where(*mine)
                .values(due_no=number)
                .execution_options(synchronize_session=False)
            )
    if len(looked_at) < limit:
        return START
    return looked_at[-1].created_at, looked_at[-1].id


def _numberless() -> Any:
    """The next queued runs without a number, and which of them are due."""
    columns = (RunRow.id, RunRow.owner, RunRow.profile, RunRow.created_at)
    place = tuple_(bindparam("after_time", type_=Double), bindparam("after_id", type_=String))
    return (
        select(*columns, _is_due().label("is_due"))
        .where(IS_NOT_DUE, tuple_(RunRow.created_at, RunRow.id) > place)
        .order_by(RunRow.created_at, RunRow.id)
        .limit(bindparam("most", type_=Integer))
    )


def _is_due() -> Any:
    other = aliased(RunRow)
    unannounced = (
        select(other.id)
        .where(is_sibling(other), other.terminal_seq.is_not(None), other.announced_at.is_(None))
        .exists()
    )
    return is_first_in_line() & ~unannounced


def _rooms(tx: Session, max_runs: Callable[[str], int], most: int) -> list[tuple[str, int]]:
    """The profiles with due runs, and how many more of each may start."""
    profiles = due_profiles()
    names = tx.scalars(select(profiles.c.name).where(profiles.c.name.is_not(None))).all()
    limits = {name: max_runs(name) for name in names}
    return [
        (name, free_permits(tx, name, limit) if limit else most) for name, limit in limits.items()
    ]


_NUMBERLESS: Final = _numberless()  # built once: to build it costs more than to execute it
