"""The lock that orders everything that happens to one session (R11)."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import RunRow, SessionRow

# Built once: every transaction begins with one of them.
_SESSION = (
    select(SessionRow)
    .where(SessionRow.owner == bindparam("owner"), SessionRow.id == bindparam("session_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_RUN = (
    select(RunRow)
    .where(RunRow.id == bindparam("run_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_RUN_AND_CLOCK = _RUN.add_columns(DbNow())


def lock_session(session: Session, owner: str, session_id: str | None) -> SessionRow | None:
    """Lock the session's row until the transaction ends; None if there is no such session.

    Always taken before its runs and messages. SQLite ignores FOR UPDATE: there a writing
    transaction has the whole database from its begin.
    """
    if session_id is None:
        return None
    return session.scalar(_SESSION, {"owner": owner, "session_id": session_id})


def lock_run(session: Session, run_id: str) -> RunRow | None:
    """Lock the run's row and read it anew; None if it was deleted meanwhile (P28).

    Taken after the session's lock; a run without session has no other.
    """
    return session.scalar(_RUN, {"run_id": run_id})


def lock_run_now(session: Session, run_id: str) -> tuple[RunRow, float] | None:
    """The same, and the time on the database's clock: not after the lock was got."""
    found = session.execute(_RUN_AND_CLOCK, {"run_id": run_id}).first()
    return (found[0], float(found[1])) if found is not None else None
