"""How many bytes a session holds: a running sum in its row, so that accepting a run stays cheap.

Counted are the texts and JSON of its messages, and the inputs of its runs. The sum is kept by those
who add and remove them, under the session's lock; processes of a version before this one do not.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import ColumnElement, String, Text, bindparam, cast, func, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from shared.db.models import MessageRow, RunRow, SessionRow

_TEXTS = (
    "content",
    "reasoning",
    "reasoning_details",
    "reasoning_content",
    "codex_reasoning_items",
)
_JSON = ("content_blocks", "tool_calls")


class OctetLength(FunctionElement[int]):
    """`OctetLength(text)` is its length in bytes of UTF-8."""

    inherit_cache = True


@compiles(OctetLength, "postgresql")
def _postgresql(element: OctetLength, compiler: Any, **options: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **options)})"


@compiles(OctetLength, "sqlite")
def _sqlite(element: OctetLength, compiler: Any, **options: Any) -> str:
    return f"length(CAST({compiler.process(element.clauses, **options)} AS BLOB))"


def size_of(row: Mapping[str, Any]) -> int:
    """Return the bytes that a row of `messages` with these columns takes."""
    texts = sum(len((row.get(name) or "").encode("utf-8", "replace")) for name in _TEXTS)
    return texts + sum(json_size(value) for name in _JSON if (value := row.get(name)))


def json_size(value: object) -> int:
    """Return the bytes of a value as it is stored in a JSON column."""
    return len(orjson.dumps(value))


def _message_size() -> ColumnElement[int]:
    columns = [getattr(MessageRow, name) for name in _TEXTS]
    columns += [func.nullif(cast(getattr(MessageRow, name), Text), "null") for name in _JSON]
    total: ColumnElement[int] = func.coalesce(OctetLength(columns[0]), 0)
    for column in columns[1:]:
        total = total + func.coalesce(OctetLength(column), 0)
    return total


_OF_RUN = select(func.coalesce(func.sum(_message_size()), 0)).where(
    MessageRow.run_id == bindparam("of_run"), MessageRow.idx >= bindparam("first")
)
_CHANGED = (
    update(SessionRow)
    .where(
        SessionRow.owner == bindparam("of_owner", type_=String),
        SessionRow.id == bindparam("of_session", type_=String),
    )
    .values(stored_bytes=SessionRow.stored_bytes + bindparam("change"))
)


def size_of_run(tx: Session, run_id: str, *, with_prompt: bool) -> int:
    """Return the bytes of the stored messages of a run."""
    values = {"of_run": run_id, "first": 0 if with_prompt else 1}
    return int(tx.connection().execute(_OF_RUN, values).scalar() or 0)


def change(tx: Session, owner: str, session_id: str, by: int) -> None:
    """Add `by` bytes to the sum of the session. The caller has locked it."""
    values = {"of_owner": owner, "of_session": session_id, "change": by}
    tx.connection().execute(_CHANGED, values)


def sum_of(tx: Session, owner: str, session_id: str) -> int:
    """Compute the bytes of the session anew; this reads all of it."""
    messages = select(func.sum(_message_size())).where(
        MessageRow.owner == owner, MessageRow.session_id == session_id
    )
    brought = func.coalesce(OctetLength(cast(RunRow.history, Text)), 0)
    inputs = select(func.sum(OctetLength(cast(RunRow.input, Text)) + brought)).where(
        RunRow.owner == owner, RunRow.session_id == session_id
    )
    return int(tx.scalar(messages) or 0) + int(tx.scalar(inputs) or 0)
