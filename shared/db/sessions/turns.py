"""The turns of a session that have begun, with the prompt and the run of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared.db.models import MessageRow, SessionRow
from shared.db.sessions.message_json import MESSAGE_COLUMNS, Message, message
from shared.errors import NotFound

PAGE = 20


@dataclass(frozen=True)
class TurnOfRun:
    """A turn, the prompt that began it, and its run."""

    turn: int
    run_id: str
    prompt: Message


def turns_after(
    tx: Session, owner: str, session_id: str, turn: int, also: Collection[int] = ()
) -> list[TurnOfRun]:
    """Return the turns after this one, and those of `also`, in order; at most PAGE of them. Turns
    that were copied or imported have no run, and are left out."""
    wanted: Any = MessageRow.turn_no > turn
    if also:
        wanted = or_(wanted, MessageRow.turn_no.in_([*also]))
    rows: Sequence[Any] = tx.execute(
        select(*MESSAGE_COLUMNS, MessageRow.turn_no)
        .where(
            MessageRow.owner == owner,
            MessageRow.session_id == session_id,
            wanted,
            MessageRow.idx == 0,
            MessageRow.run_id.is_not(None),
        )
        .order_by(MessageRow.turn_no)
        .limit(PAGE)
    ).all()
    return [TurnOfRun(row.turn_no, row.run_id, message(row)) for row in rows]


def last_turn(tx: Session, owner: str, session_id: str) -> int:
    """Return the number of the last turn that has begun, 0 if none has. Raises NotFound."""
    following = tx.scalar(
        select(SessionRow.next_turn).where(SessionRow.owner == owner, SessionRow.id == session_id)
    )
    if following is None:
        raise NotFound("There is no such session.")
    return following - 1
