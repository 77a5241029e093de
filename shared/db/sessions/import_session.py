"""Importing a conversation that was held elsewhere, in short transactions (P29, R35).

The `source` of a session is IMPORTING until all of its rows are stored. Imported rows have no run
id, so that an import that was interrupted can go on after the last of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.conversation.search_terms import VERSION
from shared.db.constants import constant
from shared.db.locks import lock_session
from shared.db.models import MessageRow, SessionRow, UsageRow
from shared.db.search.index import index_messages, index_title
from shared.db.sessions.stored_bytes import sum_of
from shared.db.sessions.summaries import context_tokens
from shared.db.usage_report import session_totals

IMPORTING: Final = "importing"  # as `source`
ROWS: Final = 98  # messages in one transaction; with the session's row and its usage 100


@dataclass(frozen=True)
class Chat:
    """A conversation to import. `columns`: of `sessions`, without counts; `rows`: of `messages`, in
    the order of (turn_no, idx); `usage`: of `session_usage`, tokens and costs."""

    id: str
    columns: dict[str, Any]
    rows: list[dict[str, Any]]
    usage: dict[str, Any]


class Step(StrEnum):
    """The result of one transaction."""

    HERE = "here"  # the session was complete before
    MORE = "more"
    DONE = "done"


def complete(tx: Session, owner: str) -> set[str]:
    """Return the ids of the sessions of the owner that are not being imported."""
    rows = tx.scalars(
        select(SessionRow.id).where(SessionRow.owner == owner, SessionRow.source != IMPORTING)
    )
    return set(rows)


def import_some(tx: Session, owner: str, chat: Chat, usage_id: str) -> Step:
    """Store the next ROWS messages; with the last of them the session is complete.

    `usage_id`: the run id of the usage row; it must be the same in each call.
    """
    conversation = _begun(tx, owner, chat)
    if conversation.source != IMPORTING:
        return Step.HERE
    all_rows = _before_own_turns(tx, conversation, chat.rows)
    here = (MessageRow.owner == owner, MessageRow.session_id == chat.id)
    stored = tx.scalar(
        select(func.count()).select_from(MessageRow).where(*here, MessageRow.run_id.is_(None))
    )
    rows = all_rows[stored or 0 :][:ROWS]
    added = [MessageRow(owner=owner, session_id=chat.id, **row, indexed_by=VERSION) for row in rows]
    tx.add_all(added)
    tx.flush()
    index_messages(tx, owner, chat.id, [(row.id, row.content) for row in added])
    if (stored or 0) + len(rows) < len(all_rows):
        return Step.MORE
    _complete(tx, conversation, chat, usage_id)
    return Step.DONE


def _begun(tx: Session, owner: str, chat: Chat) -> Row[Any]:
    """Lock the row of the session; make it if there is none."""
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
    """Return the rows before the first turn that ran here while the import was interrupted."""
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
        whose = {"owner": owner, "session_id": chat.id, "profile": profile}
        tx.merge(UsageRow(run_id=usage_id, **whose, **chat.usage))
        tx.flush()
    here = (MessageRow.owner == owner, MessageRow.session_id == chat.id)
    count = select(func.count()).where(*here, MessageRow.turn_no.is_not(None))
    tools = select(func.count()).where(*here, MessageRow.role == constant("tool"))
    tokens = context_tokens(tx, owner, chat.id)
    index_title(tx, owner, chat.id, chat.columns.get("title"))
    tx.execute(
        update(SessionRow)
        .where(SessionRow.owner == owner, SessionRow.id == chat.id)
        .values(
            source=chat.columns["source"],
            title_indexed_by=VERSION,
            next_turn=max(conversation.next_turn, _turns(chat) + 1),
            message_count=count.scalar_subquery(),
            tool_call_count=tools.scalar_subquery(),
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            stored_bytes=sum_of(tx, owner, chat.id),
            **session_totals(owner, chat.id),
        )
    )


def _turns(chat: Chat) -> int:
    return max((row["turn_no"] for row in chat.rows), default=0)


def _is_postgresql(tx: Session) -> bool:
    return tx.get_bind().dialect.name == "postgresql"
