"""Keeps the terms of messages and titles.

Problem: a message that is stored must be found, one that was deleted must not, and the end of a run
must neither fail nor wait because of it. Idea: the terms of a message are one row that refers to
it, so that they go with it, whoever deletes it; `indexed_by` says that a row has its terms. Prompts
and titles get them in the transactions that write these (R11). Answers, which are long, are written
without, and `index_some` adds them within seconds; so it does for rows of other processes.
Invariant: terms are what `search_terms` makes of the text, which both databases take as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, cast, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import REGCLASS
from sqlalchemy.orm import Session

from shared.conversation.search_terms import READ, VERSION, owner_term, terms_of, terms_of_all
from shared.db.models import (
    UNINDEXED,
    UNINDEXED_TITLE,
    MessageRow,
    MessageTermsRow,
    SessionRow,
    TitleTermsRow,
)

BATCH: Final = 100  # rows of one transaction (R35)

# Built once, since every run needs them.
_ADDED = insert(MessageTermsRow)
_PROMPT_ADDED = _ADDED.from_select(
    ["message_id", "owner", "session_id", "terms"],
    select(
        MessageRow.id,
        MessageRow.owner,
        MessageRow.session_id,
        bindparam("terms", type_=MessageTermsRow.terms.type),
    ).where(MessageRow.run_id == bindparam("of_run"), MessageRow.idx == 0),
)
_TITLE_REMOVED = delete(TitleTermsRow).where(
    TitleTermsRow.owner == bindparam("of_owner"), TitleTermsRow.session_id == bindparam("of_id")
)
_TITLE_ADDED = insert(TitleTermsRow)


def index_prompt(tx: Session, owner: str, run_id: str, text: str) -> None:
    """Store the terms of a prompt that was just stored."""
    if terms := terms_of(text):
        values = {"of_run": run_id, "terms": _joined(owner, terms)}
        tx.connection().execute(_PROMPT_ADDED, values)


def index_messages(
    tx: Session, owner: str, session_id: str, texts: Sequence[tuple[int, str]]
) -> None:
    """Store the terms of messages, given as `(id, text)`, that have none."""
    all_terms = zip(texts, terms_of_all(text for _, text in texts), strict=True)
    _add(tx, [_values(owner, session_id, number, terms) for (number, _), terms in all_terms])


def index_title(tx: Session, owner: str, session_id: str, title: str | None) -> None:
    """Store the terms of the title of a session, in place of those that it had."""
    tx.connection().execute(_TITLE_REMOVED, {"of_owner": owner, "of_id": session_id})
    index_first_title(tx, owner, session_id, title)


def index_first_title(tx: Session, owner: str, session_id: str, title: str | None) -> None:
    """Store the terms of the title of a session that has none."""
    if terms := terms_of(title or ""):
        values = {"owner": owner, "session_id": session_id, "terms": _joined(owner, terms)}
        tx.connection().execute(_TITLE_ADDED, values)


def lacks_terms(tx: Session) -> bool:
    """Whether `index_some` has something to do. Takes no lock."""
    message = select(MessageRow.id).where(UNINDEXED).limit(1)
    title = select(SessionRow.id).where(UNINDEXED_TITLE).limit(1)
    return any(tx.scalar(statement) is not None for statement in (message, title))


def index_some(tx: Session, limit: int = BATCH) -> int:
    """Add the terms of some messages and titles that have none; return how many there were.

    Rows that another transaction has locked are left for the next call, so nobody waits (R11).
    """
    return _index_some_messages(tx, limit) + _index_some_titles(tx, limit)


def skip_some(tx: Session, limit: int = BATCH) -> int:
    """Give up the rows that `index_some` would take next: a search does not find them."""
    ids = tx.scalars(select(MessageRow.id).where(UNINDEXED).order_by(MessageRow.id).limit(limit))
    if skipped := list(ids):
        _mark(tx, skipped)
        return len(skipped)
    titles = tx.execute(
        select(SessionRow.owner, SessionRow.id).where(UNINDEXED_TITLE).limit(limit)
    ).all()
    for row in titles:
        _mark_title(tx, row)
    return len(titles)


def settle(tx: Session) -> None:
    """Put the terms that PostgreSQL has only noted so far into its index, so that neither searches
    nor the end of a run have to."""
    if tx.get_bind().dialect.name == "postgresql":
        for name in ("message_terms_gin", "title_terms_gin"):
            tx.execute(select(func.gin_clean_pending_list(cast(name, REGCLASS))))


def _index_some_messages(tx: Session, limit: int) -> int:
    rows = tx.execute(
        select(
            MessageRow.id,
            MessageRow.owner,
            MessageRow.session_id,
            func.substr(MessageRow.content, 1, READ).label("content"),
        )
        .where(UNINDEXED)
        .order_by(MessageRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    ids = [row.id for row in rows]
    tx.execute(delete(MessageTermsRow).where(MessageTermsRow.message_id.in_(ids)))
    terms = zip(rows, terms_of_all(row.content for row in rows), strict=True)
    _add(tx, (_values(row.owner, row.session_id, row.id, found) for row, found in terms))
    _mark(tx, ids)
    return len(ids)


def _index_some_titles(tx: Session, limit: int) -> int:
    rows = tx.execute(
        select(SessionRow.owner, SessionRow.id, SessionRow.title)
        .where(UNINDEXED_TITLE)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        index_title(tx, row.owner, row.id, row.title)
        _mark_title(tx, row)
    return len(rows)


def _mark_title(tx: Session, row: Any) -> None:
    tx.execute(
        update(SessionRow)
        .where(SessionRow.owner == row.owner, SessionRow.id == row.id)
        .values(title_indexed_by=VERSION)
    )


def _mark(tx: Session, ids: Sequence[int]) -> None:
    tx.execute(
        update(MessageRow)
        .where(MessageRow.id.in_(ids))
        .values(indexed_by=VERSION)
        .execution_options(synchronize_session=False)
    )


def _add(tx: Session, values: Iterable[dict[str, Any] | None]) -> None:
    if added := [one for one in values if one is not None]:
        tx.connection().execute(_ADDED, added)


def _values(
    owner: str, session_id: str, message_id: int, terms: list[str]
) -> dict[str, Any] | None:
    if not terms:
        return None
    whose = {"message_id": message_id, "owner": owner, "session_id": session_id}
    return {**whose, "terms": _joined(owner, terms)}


def _joined(owner: str, terms: list[str]) -> str:
    return " ".join([owner_term(owner), *terms])
