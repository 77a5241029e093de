"""Answers to the questions of an agent: the first one is stored, later ones are refused (R10)."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.db.clock import DbNow, is_past
from shared.db.constants import constants
from shared.db.models import ApprovalRow, RunRow
from shared.protocol.run_states import LIVE

SENDING: Final = "sending"
DONE: Final = "done"
EXPIRED: Final = "expired"  # the gateway no longer waited for it
UNCERTAIN: Final = "uncertain"  # it is not known whether the gateway received it


@dataclass(frozen=True)
class UnsentAnswer:
    """An answer whose sending has not begun, with what is needed of its run."""

    owner: str
    session_id: str | None
    profile: str
    choice: str


def live_run(tx: Session, owner: str, session_id: str | None, run_id: str | None) -> RunRow | None:
    """Return the named live run, or the live run of a session; None for those of other owners."""
    query = select(RunRow).where(RunRow.owner == owner, RunRow.state.in_(constants(LIVE)))
    if run_id is not None:
        query = query.where(RunRow.id == run_id)
    if session_id is not None:
        query = query.where(RunRow.session_id == session_id)
    return tx.scalar(query) if run_id is not None or session_id is not None else None


def answer(tx: Session, run_id: str, approval_id: int, choice: str) -> bool:
    """Store the answer; False if there is one already."""
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
    """Return the ids of the questions of the run that have an answer."""
    rows = tx.scalars(select(ApprovalRow.approval_id).where(ApprovalRow.run_id == run_id))
    return set(rows)


def unsent_answer(tx: Session, run_id: str, approval_id: int) -> UnsentAnswer | None:
    """Return the answer; None if its sending has begun, or its run was deleted."""
    found = tx.execute(
        select(RunRow.owner, RunRow.session_id, RunRow.profile, ApprovalRow.choice)
        .join(RunRow, RunRow.id == ApprovalRow.run_id)
        .where(
            ApprovalRow.run_id == run_id,
            ApprovalRow.approval_id == approval_id,
            ApprovalRow.outcome.is_(None),
        )
    ).first()
    return UnsentAnswer(*found) if found is not None else None


def begin_sending(tx: Session, run_id: str, approval_id: int) -> bool:
    """Reserve the answer for sending; False if another process sends it or has sent it."""
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
    """Return answers that are older than `seconds` and whose sending has not begun."""
    rows = tx.execute(
        select(ApprovalRow.run_id, ApprovalRow.approval_id)
        .where(ApprovalRow.outcome.is_(None), is_past(ApprovalRow.answered_at, seconds))
        .limit(limit)
    )
    return [(row.run_id, row.approval_id) for row in rows]


def note_outcome(tx: Session, run_id: str, approval_id: int, outcome: str) -> None:
    """Note how the sending ended: one of the names above."""
    tx.execute(
        update(ApprovalRow)
        .where(ApprovalRow.run_id == run_id, ApprovalRow.approval_id == approval_id)
        .values(outcome=outcome)
    )
