"""The lock that orders everything that happens to one session (R11)."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.db.models import RunRow, SessionRow


def lock_session(session: Session, owner: str, session_id: str | None) -> SessionRow | None:
    """Lock the session's row until the transaction ends; None if there is no such session.

    Always taken before its runs and messages. SQLite ignores FOR UPDATE: there a writing
    transaction has the whole database from its begin.
    """
    if session_id is None:
        return None
    return session.scalar(
        select(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == session_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def lock_run(session: Session, run: RunRow) -> bool:
    """Lock the run's row and read it anew; False if it was deleted meanwhile (P28).

    Taken after the session's lock; a run without session has no other.
    """
    found = session.scalar(
        select(RunRow)
        .where(RunRow.id == run.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found is not None
