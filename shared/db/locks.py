"""The lock that orders everything that happens to one session (R11)."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

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
_SESSION_OF = (
    select(SessionRow)
    .join(RunRow, (RunRow.owner == SessionRow.owner) & (RunRow.session_id == SessionRow.id))
    .where(RunRow.id == bindparam("run_id"))
    .with_for_update(of=SessionRow)
    .execution_options(populate_existing=True)
)


def lock_session(session: Session, owner: str, session_id: str | None) -> SessionRow | None:
    """Lock the session's row until the transaction ends; None if there is no such session.

    Always taken before its runs and messages. SQLite ignores FOR UPDATE: there a writing
    transaction has the whole database from its begin.
    """
    if session_id is None:
        return None
    return session.scalar(_SESSION, {"owner": owner, "session_id": session_id})


def lock_session_of(session: Session, run_id: str) -> SessionRow | None:
    """The same for the session of a run; None for a run without."""
    return session.scalar(_SESSION_OF, {"run_id": run_id})


def lock_run(session: Session, run_id: str) -> RunRow | None:
    """Lock the run's row and read it anew; None if it was deleted meanwhile (P28).

    Taken after the session's lock; a run without session has no other.
    """
    return session.scalar(_RUN, {"run_id": run_id})
