"""Pages of the messages of a session, from either end, and the messages of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, select, tuple_
from sqlalchemy.orm import Session

from shared.db.constants import constants
from shared.db.models import MessageRow
from shared.db.sessions.bad_ends import End, read_bad_ends

Place = tuple[int, int, int]  # turn, index and id of a message

_SHOWN: Final = (
    "id",
    "session_id",
    "role",
    "content",
    "content_blocks",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "timestamp",
    "token_count",
    "finish_reason",
    "reasoning",
    "reasoning_content",
    "run_id",
    "error",
    "duration",
    "reasoning_duration",
)
_ROLES: Final = ("user", "assistant", "tool")
_COLUMNS: Final = (*(getattr(MessageRow, name) for name in _SHOWN), MessageRow.turn_no)
_PLACE: Final = (MessageRow.turn_no, MessageRow.idx, MessageRow.id)


@dataclass(frozen=True)
class MessagePage:
    """`messages`: in order of time. `next_place`: of the last one in the direction of the pages;
    None on the last page. `ends`: of the turns that were not answered."""

    messages: list[dict[str, Any]]
    next_place: Place | None
    ends: list[End]


def read_page(
    tx: Session,
    owner: str,
    session_id: str,
    *,
    limit: int,
    forward: bool,
    after: Place | None = None,
) -> MessagePage:
    """Return a page: `forward` from the first message on, else back from the last one. Prompts that
    wait are not in it. `after`: `next_place` of the page before."""
    statement = select(*_COLUMNS, MessageRow.idx).where(
        MessageRow.owner == owner,
        MessageRow.session_id == session_id,
        MessageRow.turn_no.is_not(None),
        MessageRow.role.in_(constants(_ROLES)),
    )
    if after is not None:
        place = tuple_(*_PLACE)
        statement = statement.where(place > after if forward else place < after)
    order = _PLACE if forward else tuple(column.desc() for column in _PLACE)
    rows: Sequence[Any] = tx.execute(statement.order_by(*order).limit(limit + 1)).all()
    page, more = rows[:limit], rows[limit:]
    last = (page[-1].turn_no, page[-1].idx, page[-1].id) if more else None
    messages = [_shown(row) for row in (page if forward else reversed(page))]
    return MessagePage(messages, last, read_bad_ends(tx, owner, messages))


def place_of(tx: Session, owner: str, session_id: str, message_id: int) -> Place | None:
    """Return the place of a message, before or after which a page may begin; None if the session
    has no such message, or its prompt waits."""
    row: Any = tx.execute(
        select(*_PLACE).where(
            MessageRow.id == message_id,
            MessageRow.owner == owner,
            MessageRow.session_id == session_id,
            MessageRow.turn_no.is_not(None),
        )
    ).first()
    return None if row is None else (row.turn_no, row.idx, row.id)


def answers_of(tx: Session, run_id: str) -> list[dict[str, Any]]:
    """Return the messages of a run after its prompt, in order."""
    rows: Sequence[Any] = tx.execute(
        select(*_COLUMNS)
        .where(MessageRow.run_id == run_id, MessageRow.idx > 0)
        .order_by(MessageRow.idx)
    ).all()
    return [_shown(row) for row in rows]


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHOWN}
