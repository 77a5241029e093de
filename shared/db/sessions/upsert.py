"""The row of a session when a message arrives: it is made, or updated."""

from typing import Any, Final

from sqlalchemy import Row, String, bindparam, func, update
from sqlalchemy.orm import Session

from shared.conversation.search_terms import VERSION
from shared.db.clock import DbNow
from shared.db.locks import SESSION_COLUMNS, lock_session
from shared.db.models import SessionRow
from shared.db.search.index import index_first_title, index_title
from shared.db.upserts import Upsert

TITLE_LENGTH: Final = 100  # characters


def _making(insert: Any) -> Any:
    title = bindparam("title", type_=String)
    values = {
        "owner": bindparam("owner"),
        "id": bindparam("session_id"),
        "profile": bindparam("profile"),
        "model": bindparam("model"),
        "title": title,
        "preview": title,
        "started_at": DbNow(),
        "last_active": DbNow(),
        "stored_bytes": bindparam("size"),
        "title_indexed_by": VERSION,
    }
    made = insert(SessionRow).values(values).on_conflict_do_nothing()
    return made.returning(*SESSION_COLUMNS)


_MADE = Upsert(_making)


def find_or_make(
    tx: Session,
    owner: str,
    session_id: str,
    *,
    profile: str,
    model: str | None,
    text: str,
    size: int = 0,
) -> tuple[Row[Any] | None, bool]:
    """Lock the row of the session, or make it, with `size` bytes; whether this call made it."""
    found = lock_session(tx, owner, session_id)
    if found is not None:
        return found, False
    title = title_of(text)
    columns = {
        "owner": owner,
        "session_id": session_id,
        "profile": profile,
        "model": model,
        "title": title,
        "size": size,
    }
    made = tx.connection().execute(_MADE.on(tx), columns).first()
    if made is not None:
        index_first_title(tx, owner, session_id, title)
        return made, True
    return lock_session(tx, owner, session_id), False


_TEXT = bindparam("text", type_=String)
_TOUCHED = (
    update(SessionRow)
    .where(SessionRow.owner == bindparam("of_owner"), SessionRow.id == bindparam("of_session"))
    .values(
        last_active=DbNow(),
        title=func.coalesce(func.nullif(SessionRow.title, ""), _TEXT),
        preview=func.coalesce(func.nullif(SessionRow.preview, ""), _TEXT),
        model=func.coalesce(func.nullif(SessionRow.model, ""), bindparam("of_model", type_=String)),
        stored_bytes=SessionRow.stored_bytes + bindparam("size"),
    )
)
_TITLE_INDEXED = (
    update(SessionRow)
    .where(SessionRow.owner == bindparam("of_owner"), SessionRow.id == bindparam("of_session"))
    .values(title_indexed_by=VERSION)
)


def touch(
    tx: Session, conversation: Row[Any], *, text: str, model: str | None, size: int = 0
) -> None:
    """Note the activity and `size` bytes more; set title, preview and model if they are empty, else
    keep them (P16)."""
    values = {
        "of_owner": conversation.owner,
        "of_session": conversation.id,
        "text": title_of(text),
        "of_model": model,
        "size": size,
    }
    tx.connection().execute(_TOUCHED, values)
    if not conversation.title and values["text"]:
        index_title(tx, conversation.owner, conversation.id, values["text"])
        tx.connection().execute(_TITLE_INDEXED, values)


def title_of(text: str) -> str:
    """Return the first characters of the input, with spaces for line breaks."""
    return text[:TITLE_LENGTH].replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
