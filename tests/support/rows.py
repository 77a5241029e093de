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
        values = {
            "profile": "default",
            "state": "queued",
            "payload_hash": "",
            "created_at": DbNow(),
            **columns,
        }
        tx.add(
            RunRow(
                id=run_id,
                owner=owner,
                session_id=session_id,
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


def add_talk(db: Database, session_id: str, turns: int, answer: str = "a{n}") -> None:
    """A conversation of that many turns, prompts `q1`, `q2` … and answers; `{n}` in `answer` is the
    number of the turn."""

    def work(tx: Session) -> None:
        tx.add(
            SessionRow(
                owner=OWNER,
                id=session_id,
                profile="default",
                title=session_id,
                started_at=1.0,
                last_active=1.0,
                next_turn=turns + 1,
                message_count=2 * turns,
            )
        )
        tx.flush()
        for turn in range(1, turns + 1):
            said = (("user", f"q{turn}"), ("assistant", answer.replace("{n}", str(turn))))
            for idx, (role, text) in enumerate(said):
                tx.add(
                    MessageRow(
                        owner=OWNER,
                        session_id=session_id,
                        turn_no=turn,
                        idx=idx,
                        role=role,
                        content=text,
                        finish_reason="stop" if idx else None,
                        timestamp=float(turn),
                    )
                )

    db.write(work)
