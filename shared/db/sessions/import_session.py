"""Writing a conversation that was held elsewhere, in short transactions (P29, R35).

A session whose rows are not all here yet says so in its `source`. Imported rows have no run, so
that an import that was cut short goes on behind the last of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.db.locks import lock_session
from shared.db.models import MessageRow, SessionRow, UsageRow
from shared.db.sessions.summaries import context_tokens
from shared.db.usage_report import session_totals

IMPORTING: Final = "importing"  # as `source`
ROWS: Final = 98  # messages in one transaction; with the session's row and its usage 100


@dataclass(frozen=True)
class Chat:
    """A conversation. `columns` are those of `sessions` without counts, `rows` those of `messages`
    in order (turn_no, idx), `usage` those of `session_usage` that tell of tokens and costs."""

    id: str
    columns: dict[str, Any]
    rows: list[dict[str, Any]]
    usage: dict[str, Any]


class Step(StrEnum):
    """What one transaction came to."""

    HERE = "here"  # the session was here before
    MORE = "more"
    DONE = "done"


def complete(tx: Session, owner: str) -> set[str]:
    """The ids of the owner's sessions that no import has to go on with."""
    rows = tx.scalars(
        select(SessionRow.id).where(SessionRow.owner == owner, SessionRow.source != IMPORTING)
    )
    return set(rows)


def import_some(tx: Session, owner: str, chat: Chat, usage_id: str) -> Step:
    """Add the next ROWS messages; with the last of them the session is complete.

    `usage_id` stands for a run in the session's usage: the same one each time.
    """
    conversation = _begun(tx, owner, chat)
    if conversation.source != IMPORTING:
        return Step.HERE
    wanted = _before_own_turns(tx, conversation, chat.rows)
    here = (MessageRow.owner == owner, MessageRow.session_id == chat.id)
    there = tx.scalar(
        select(func.count()).select_from(MessageRow).where(*here, MessageRow.run_id.is_(None))
    )
    rows = wanted[there or 0 :][:ROWS]
    tx.add_all(MessageRow(owner=owner, session_id=chat.id, **row) for row in rows)
    tx.flush()
    if (there or 0) + len(rows) < len(wanted):
        return Step.MORE
    _complete(tx, conversation, chat, usage_id)
    return Step.DONE


def _begun(tx: Session, owner: str, chat: Chat) -> Row[Any]:
    """The session's row, made if it is not there, and locked."""
    insert = postgresql.insert if _is_postgresql(tx) else sqlite.insert
    columns = {**chat.columns, "source": IMPORTING, "next_turn": _turns(chat) + 1}
    tx.execute(
        insert(SessionRow).values(owner=owner, id=chat.id, **columns).on_conflict_do_nothing()
    )
    found = lock_session(tx, owner, chat.id)
    assert found is not None
    return found


def _before_own_turns(
    tx: Session, conversation: Row[Any], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What comes before the first turn that was made here while the import was cut short."""
    turn = func.coalesce(MessageRow.turn_no, conversation.next_turn)
    first = tx.scalar(
        select(func.min(turn)).where(
            MessageRow.owner == conversation.owner,
            MessageRow.session_id == conversation.id,
            MessageRow.run_id.is_not(None),
        )
    )
    return rows if first is None else [row for row in rows if row["turn_no"] < first]


def _complete(tx: Session, conversation: Row[Any], chat: Chat, usage_id: str) -> None:
    owner = conversation.owner
    if chat.usage:
        profile = conversation.profile
        place = {"owner": owner, "session_id": chat.id, "profile": profile}
        tx.merge(UsageRow(run_id=usage_id, **place, **chat.usage))
        tx.flush()
    here = (MessageRow.owner == owner, MessageRow.session_id == chat.id)
    count = select(func.count()).where(*here, MessageRow.turn_no.is_not(None))
    tools = select(func.count()).where(*here, MessageRow.role == "tool")
    tokens = context_tokens(tx, owner, chat.id)
    tx.execute(
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == chat.id)
        .values(
            source=chat.columns["source"],
            next_turn=max(conversation.next_turn, _turns(chat) + 1),
            message_count=count.scalar_subquery(),
            tool_call_count=tools.scalar_subquery(),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            **session_totals(owner, chat.id),
        )
    )


def _turns(chat: Chat) -> int:
    return max((row["turn_no"] for row in chat.rows), default=0)


def _is_postgresql(tx: Session) -> bool:
    return tx.get_bind().dialect.name == "postgresql"
