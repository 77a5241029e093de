"""Puts sessions and queued runs into a database, as the web process would."""

import uuid

from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.database import Database
from shared.db.models import MessageRow, RunRow, SessionRow

OWNER = "default"


def add_session(db: Database, session_id: str, *, owner: str = OWNER) -> None:
    """A conversation without messages."""

    def work(tx: Session) -> None:
        tx.add(
            SessionRow(
                owner=owner, id=session_id, profile="default", started_at=1.0, last_active=1.0
            )
        )

    db.write(work)


def add_run(
    db: Database,
    session_id: str | None,
    *,
    text: str = "hello",
    queue_no: int = 1,
    owner: str = OWNER,
    **columns: object,
) -> str:
    """A queued run with its prompt; its id."""
    run_id = f"run_{uuid.uuid4().hex}"

    def work(tx: Session) -> None:
        values = {"state": "queued", "payload_hash": "", "created_at": DbNow(), **columns}
        tx.add(
            RunRow(
                id=run_id,
                owner=owner,
                session_id=session_id,
                profile="default",
                input=text,
                queue_no=queue_no,
                **values,
            )
        )
        if session_id is not None:
            tx.add(
                MessageRow(
                    owner=owner,
                    session_id=session_id,
                    run_id=run_id,
                    idx=0,
                    role="user",
                    content=text,
                    token_count=1,
                    timestamp=1.0,
                )
            )

    db.write(work)
    return run_id


def run_row(db: Database, run_id: str) -> RunRow:
    """The current row of a run."""

    def work(tx: Session) -> RunRow:
        row = tx.get(RunRow, run_id)
        assert row is not None
        return row

    return db.read(work)


def messages(db: Database, session_id: str, *, owner: str = OWNER) -> list[MessageRow]:
    """The session's messages whose turn has come, in order."""

    def work(tx: Session) -> list[MessageRow]:
        query = (
            tx.query(MessageRow)
            .filter_by(owner=owner, session_id=session_id)
            .filter(MessageRow.turn_no.is_not(None))
        )
        return query.order_by(MessageRow.turn_no, MessageRow.idx).all()

    return db.read(work)
