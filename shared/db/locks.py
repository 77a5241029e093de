"""The locks that order everything that happens to one session (R11).

They read the few columns that decisions need, not whole entities: every transaction begins so.
"""

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
    SessionRow.workspace,
    SessionRow.next_turn,
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

# Built once.
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


def lock_session(tx: Session, owner: str, session_id: str | None) -> Row[Any] | None:
    """Lock the session's row until the transaction ends; None if there is no such session.

    Always taken before its runs and messages. SQLite ignores FOR UPDATE: there a writing
    transaction has the whole database from its begin.
    """
    if session_id is None:
        return None
    here = {"owner": owner, "session_id": session_id}
    found: Row[Any] | None = tx.connection().execute(_SESSION, here).first()
    return found


def lock_session_of(tx: Session, run_id: str) -> Row[Any] | None:
    """The same for the session of a run; None for a run without."""
    found: Row[Any] | None = tx.connection().execute(_SESSION_OF, {"of_run": run_id}).first()
    return found


def lock_run(tx: Session, run_id: str, statement: Any = RUN) -> Row[Any] | None:
    """Lock the run's row and read it; None if it was deleted meanwhile (P28).

    Taken after the session's lock; a run without session has no other. `statement`: one
    that locks the run `of_run` and reads more of it.
    """
    found: Row[Any] | None = tx.connection().execute(statement, {"of_run": run_id}).first()
    return found
