"""The rows that say which runs are responses: written with the run, read with it, deleted alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from shared.db.models import MessageRow, ResponseRow, RunRow
from shared.db.runs.run_status import RunStatus, read_status
from shared.db.sessions.turn_messages import read_rows
from shared.protocol.run_states import ENDED
from shared.protocol.streamed import Parts


@dataclass(frozen=True)
class NewResponse:
    """What is stored with the run. `before`: messages `{role, content}` before the prompt, which
    become messages of the session. `conversation`: the session that it is a turn of."""

    previous_run_id: str | None = None
    conversation: str | None = None
    background: bool = False
    metadata: dict[str, str] | None = None
    before: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class StoredResponse:
    """A response as it is now. `parts`: what was streamed, None while the run is open, and where
    that was not stored. `rows`: the messages of its turn, once it has ended."""

    run: RunStatus
    instructions: str | None
    previous_run_id: str | None = None
    conversation: str | None = None
    background: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    is_stored: bool = False
    parts: Parts | None = None
    rows: Sequence[dict[str, Any]] = ()


def add(tx: Session, run_id: str, new: NewResponse, first_turn: int | None) -> None:
    """Note that the run, which was just stored, is a response."""
    tx.connection().execute(
        insert(ResponseRow).values(
            run_id=run_id,
            previous_run_id=new.previous_run_id,
            conversation=new.conversation,
            background=new.background,
            extras={"metadata": new.metadata} if new.metadata else None,
            first_turn=first_turn,
        )
    )


def read(tx: Session, owner: str, run_id: str) -> StoredResponse | None:
    """Return the run with what makes it a response, also if it was not to be stored as one; None
    if the owner has no such run."""
    run = read_status(tx, owner, run_id)
    if run is None:
        return None
    instructions = tx.scalar(select(RunRow.instructions).where(RunRow.id == run_id))
    has_ended = run.state in ENDED
    rows = read_rows(tx, run_id) if has_ended and run.session_id is not None else ()
    row = tx.get(ResponseRow, run_id)
    if row is None:
        return StoredResponse(run, instructions, rows=rows)
    return StoredResponse(
        run=run,
        instructions=instructions,
        previous_run_id=row.previous_run_id,
        conversation=row.conversation,
        background=row.background,
        metadata=(row.extras or {}).get("metadata", {}),
        is_stored=True,
        parts=row.streamed if has_ended else None,
        rows=rows,
    )


def read_input(tx: Session, owner: str, run_id: str) -> list[tuple[str, Any]] | None:
    """Return role and content (text or blocks) of each message that the response was asked with,
    the prompt last; None if the owner has no such response."""
    found = tx.execute(
        select(RunRow.session_id, RunRow.input, ResponseRow.first_turn)
        .join(ResponseRow, ResponseRow.run_id == RunRow.id)
        .where(RunRow.id == run_id, RunRow.owner == owner)
    ).first()
    if found is None:
        return None
    before: list[tuple[str, Any]] = []
    if found.first_turn is not None:
        rows = tx.execute(
            select(MessageRow.role, MessageRow.content, MessageRow.content_blocks)
            .where(
                MessageRow.owner == owner,
                MessageRow.session_id == found.session_id,
                MessageRow.turn_no == found.first_turn,
            )
            .order_by(MessageRow.idx)
        )
        before = [(row.role, row.content_blocks or row.content) for row in rows]
    return [*before, ("user", found.input)]


def delete_response(tx: Session, owner: str, run_id: str) -> bool:
    """Forget that the run is a response; False if the owner has no such response."""
    mine = select(RunRow.id).where(RunRow.id == run_id, RunRow.owner == owner)
    gone = delete(ResponseRow).where(ResponseRow.run_id.in_(mine)).returning(ResponseRow.run_id)
    return tx.scalar(gone) is not None


def store_streamed(tx: Session, run_id: str, parts: Parts) -> None:
    """Write what readers of the response were shown. For the transaction that ends its run."""
    tx.execute(update(ResponseRow).where(ResponseRow.run_id == run_id).values(streamed=parts))
