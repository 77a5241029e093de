"""Answers to an agent's questions: the first one is written down, all others are late (R10)."""

from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.db.clock import DbNow
from shared.db.models import ApprovalRow, RunRow
from shared.protocol.run_states import LIVE

SENDING: Final = "sending"
DONE: Final = "done"
EXPIRED: Final = "expired"  # the gateway did not wait for it any more
UNCERTAIN: Final = "uncertain"  # nobody knows whether the gateway heard it


def live_run(tx: Session, owner: str, session_id: str | None, run_id: str | None) -> RunRow | None:
    """The live run that is named; of a session, the one that works now. Other owners' are none."""
    query = select(RunRow).where(RunRow.owner == owner, RunRow.state.in_([*LIVE]))
    if run_id is not None:
        query = query.where(RunRow.id == run_id)
    if session_id is not None:
        query = query.where(RunRow.session_id == session_id)
    return tx.scalar(query) if run_id is not None or session_id is not None else None


def answer(tx: Session, run_id: str, approval_id: int, choice: str) -> bool:
    """Write the answer down; False if there is one already."""
    dialect = tx.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    written = tx.execute(
        insert(ApprovalRow)
        .values(run_id=run_id, approval_id=approval_id, choice=choice, answered_at=DbNow())
        .on_conflict_do_nothing()
        .returning(ApprovalRow.run_id)
    )
    return written.first() is not None


def answered(tx: Session, run_id: str) -> set[int]:
    """The questions of the run that somebody has answered."""
    rows = tx.scalars(select(ApprovalRow.approval_id).where(ApprovalRow.run_id == run_id))
    return set(rows)


def unsent_answer(tx: Session, run_id: str, approval_id: int) -> str | None:
    """The choice, if the gateway has not been told of it."""
    return tx.scalar(
        select(ApprovalRow.choice).where(
            ApprovalRow.run_id == run_id,
            ApprovalRow.approval_id == approval_id,
            ApprovalRow.outcome.is_(None),
        )
    )


def begin_sending(tx: Session, run_id: str, approval_id: int) -> bool:
    """Take the answer to send it; False if somebody else does or did."""
    taken = tx.execute(
        update(ApprovalRow)
        .where(
            ApprovalRow.run_id == run_id,
            ApprovalRow.approval_id == approval_id,
            ApprovalRow.outcome.is_(None),
        )
        .values(outcome=SENDING)
        .returning(ApprovalRow.run_id)
    )
    return taken.first() is not None


def unsent_answers(tx: Session, seconds: float, limit: int) -> list[tuple[str, int]]:
    """Answers that nobody has begun to send for `seconds`."""
    rows = tx.execute(
        select(ApprovalRow.run_id, ApprovalRow.approval_id)
        .where(ApprovalRow.outcome.is_(None), ApprovalRow.answered_at < DbNow() - seconds)
        .limit(limit)
    )
    return [(row.run_id, row.approval_id) for row in rows]


def note_outcome(tx: Session, run_id: str, approval_id: int, outcome: str) -> None:
    """How the sending ended: one of the names above."""
    tx.execute(
        update(ApprovalRow)
        .where(ApprovalRow.run_id == run_id, ApprovalRow.approval_id == approval_id)
        .values(outcome=outcome)
    )
