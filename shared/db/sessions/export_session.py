"""A session as a file: JSON without loss, which `holdfast import --file` reads, or Markdown.

It is made page by page, each in a transaction of its own, so that neither memory nor time of a
transaction depends on how long the session is. What is added meanwhile may be in it, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from shared.conversation import markdown
from shared.db.database import Database
from shared.db.models import MessageRow, SessionRow, SnapshotRow, UsageRow
from shared.errors import NotFound

Format = Literal["json", "md"]

FORMAT: Final = "holdfast.session"
VERSION: Final = 1
PAGE: Final = 100  # messages

_SESSION: Final = tuple(
    column.name
    for column in SessionRow.__table__.columns
    if column.name not in {"owner", "title_indexed_by"}
)
_MESSAGE: Final = tuple(
    column.name
    for column in MessageRow.__table__.columns
    if column.name not in {"owner", "session_id", "indexed_by"}
)
_SUMMARY: Final = ("summary", "summary_tokens", "last_turn_no", "covered_count", "updated_at")
_USAGE: Final = tuple(
    column.name
    for column in UsageRow.__table__.columns
    if column.name not in {"owner", "session_id"}
)


@dataclass(frozen=True)
class _Head:
    """All but the messages."""

    session: dict[str, Any]
    summary: dict[str, Any] | None
    usage: list[dict[str, Any]]


def export_session(
    db: Database, owner: str, session_id: str, kind: Format = "json"
) -> Iterator[bytes]:
    """Return the parts of the file, in UTF-8. Messages that wait in the queue are not in it.

    Raises NotFound at once, DatabaseUnavailable at once and at any later part.
    """
    head = db.read(lambda tx: _head(tx, owner, session_id))
    messages = _messages(db, owner, session_id)
    return _json(head, messages) if kind == "json" else _markdown(head, messages)


def _json(head: _Head, messages: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    about = {"format": FORMAT, "version": VERSION, "session": head.session}
    rest = {"summary": head.summary, "usage": head.usage}
    yield orjson.dumps(about)[:-1] + b',"messages":['
    for number, message in enumerate(messages):
        yield (b",\n" if number else b"\n") + orjson.dumps(message)
    yield b"\n]," + orjson.dumps(rest)[1:] + b"\n"


def _markdown(head: _Head, messages: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for part in markdown.document(head.session, messages):
        yield part.encode("utf-8", "replace")


def _head(tx: Session, owner: str, session_id: str) -> _Head:
    session = tx.get(SessionRow, (owner, session_id))
    if session is None:
        raise NotFound("There is no such session.")
    snapshot = tx.get(SnapshotRow, (owner, session_id))
    usage = tx.scalars(
        select(UsageRow)
        .where(UsageRow.owner == owner, UsageRow.session_id == session_id)
        .order_by(UsageRow.created_at, UsageRow.run_id)
    )
    return _Head(
        _columns(session, _SESSION),
        _columns(snapshot, _SUMMARY) if snapshot is not None else None,
        [_columns(row, _USAGE) for row in usage],
    )


def _columns(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    """What has a value: a field that is left out is one that has none."""
    values = {name: getattr(row, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _messages(db: Database, owner: str, session_id: str) -> Iterator[dict[str, Any]]:
    after: tuple[int, int, int] | None = None
    while True:
        page = db.read(lambda tx, a=after: _page(tx, owner, session_id, a))  # type: ignore[misc]
        yield from page
        if len(page) < PAGE:
            return
        after = (page[-1]["turn_no"], page[-1]["idx"], page[-1]["id"])


def _page(
    tx: Session, owner: str, session_id: str, after: tuple[int, int, int] | None
) -> list[dict[str, Any]]:
    place = (MessageRow.turn_no, MessageRow.idx, MessageRow.id)
    statement = select(*(getattr(MessageRow, name) for name in _MESSAGE)).where(
        MessageRow.owner == owner,
        MessageRow.session_id == session_id,
        MessageRow.turn_no.is_not(None),
    )
    if after is not None:
        statement = statement.where(tuple_(*place) > tuple_(*after))
    rows = tx.execute(statement.order_by(*place).limit(PAGE))
    return [_columns(row, _MESSAGE) for row in rows]
