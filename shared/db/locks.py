"""The locks by which transactions on one session run one after the other (R11).

Order: the row of the session first, then the row of a run, so there are no deadlocks. Who takes a
run first (`claim_next`) waits for no lock after that. A lock reads the few columns that decisions
need, not whole entities: nearly every transaction begins with one.
"""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import RunRow, SessionRow

SESSION_COLUMNS: Final = (
    SessionRow.owner,
    SessionRow.id,
    SessionRow.profile,
    SessionRow.source,
    SessionRow.model,
    SessionRow.title,
    SessionRow.workspace,
    SessionRow.next_turn,
    SessionRow.stored_bytes,
)
RUN_COLUMNS: Final = (
    RunRow.id,
    RunRow.owner,
    RunRow.session_id,
    RunRow.profile,
    RunRow.model,
    RunRow.state,
    RunRow.turn_no,
    RunRow.fence,
    RunRow.takeovers,
    RunRow.epoch,
    RunRow.last_seq,
    RunRow.gateway_synced,
    DbNow().label("now"),  # not later than the lock
)

# Built once, since every transaction needs them.
_SESSION: Any = (
    select(*SESSION_COLUMNS)
    .where(SessionRow.owner == bindparam("owner"), SessionRow.id == bindparam("session_id"))
    .with_for_update()
)
RUN: Final[Any] = select(*RUN_COLUMNS).where(RunRow.id == bindparam("of_run")).with_for_update()
_SESSION_OF: Any = (
    select(*SESSION_COLUMNS)
    .join(RunRow, (RunRow.owner == SessionRow.owner) & (RunRow.session_id == SessionRow.id))
    .where(RunRow.id == bindparam("of_run"))
    .with_for_update(of=SessionRow)
)
# Who holds the lock of a run already must not wait for that of its session.
_SESSION_OR_NOT: Any = (
    select(*SESSION_COLUMNS)
    .where(SessionRow.owner == bindparam("owner"), SessionRow.id == bindparam("session_id"))
    .with_for_update(skip_locked=True)
)


def lock_session(tx: Session, owner: str, session_id: str | None) -> Row[Any] | None:
    """Lock the row of the session until the transaction ends; None if there is no such session.

    Call it before its runs and messages are read or changed. SQLite ignores FOR UPDATE: there a
    writing transaction locks the whole database when it begins.
    """
    if session_id is None:
        return None
    here = {"owner": owner, "session_id": session_id}
    found: Row[Any] | None = tx.connection().execute(_SESSION, here).first()
    return found


def try_lock_session(tx: Session, owner: str, session_id: str) -> Row[Any] | None:
    """The same without waiting; None also if somebody else has locked it."""
    here = {"owner": owner, "session_id": session_id}
    found: Row[Any] | None = tx.connection().execute(_SESSION_OR_NOT, here).first()
    return found


def try_lock_sessions(tx: Session, owner: str, session_ids: Collection[str]) -> list[str]:
    """Lock several without waiting; return which: those that are there and nobody else has locked.

    The only way to hold the locks of several sessions: who waits for none is in no circle."""
    found = tx.scalars(
        select(SessionRow.id)
        .where(SessionRow.owner == owner, SessionRow.id.in_([*session_ids]))
        .with_for_update(skip_locked=True)
    )
    return list(found)


def lock_session_of(tx: Session, run_id: str) -> Row[Any] | None:
    """Lock the row of the session of a run; None for a run without session."""
    found: Row[Any] | None = tx.connection().execute(_SESSION_OF, {"of_run": run_id}).first()
    return found


def lock_run(tx: Session, run_id: str, statement: Any = RUN) -> Row[Any] | None:
    """Lock the row of the run and read it; None if it was deleted meanwhile (P28).

    Call it after the session was locked, if the run has one. `statement`: a query that locks the
    run `of_run` and reads more than RUN_COLUMNS.
    """
    found: Row[Any] | None = tx.connection().execute(statement, {"of_run": run_id}).first()
    return found
