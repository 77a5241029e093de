"""The messages of a turn after its prompt: stored once, or replaced all together (R24).

They are made searchable a little later (`worker/maintenance/search_index.py`): to do it here would
double the time that the end of a run takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Row, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from shared.db.models import MessageRow

_GIVEN = (
    "role",
    "content",
    "tool_call_id",
    "tool_name",
    "token_count",
    "finish_reason",
    "reasoning",
    "reasoning_details",
    "reasoning_content",
    "codex_reasoning_items",
    "error",
    "duration",
    "reasoning_duration",
)
_AS_ADDED: tuple[Any, ...] = (
    *(getattr(MessageRow, name) for name in _GIVEN),
    MessageRow.tool_calls,
    MessageRow.timestamp,
)
_CLEARED = delete(MessageRow).where(MessageRow.run_id == bindparam("of_run"), MessageRow.idx > 0)
_ADDED = insert(MessageRow).values(
    {
        **{name: bindparam(name) for name in (*_GIVEN, "owner", "session_id", "run_id")},
        **{name: bindparam(name) for name in ("turn_no", "idx", "timestamp")},
        "tool_calls": bindparam("tool_calls", type_=JSON(none_as_null=True)),
    }
)


def read_rows(tx: Session, run_id: str) -> list[dict[str, Any]]:
    """Return the rows of the turn after its prompt, in order, as `add_rows` takes them."""
    rows = tx.execute(
        select(*_AS_ADDED)
        .where(MessageRow.run_id == run_id, MessageRow.idx > 0)
        .order_by(MessageRow.idx)
    )
    return [dict(row) for row in rows.mappings()]


def clear_rows(tx: Session, run_id: str) -> None:
    """Remove the rows of the turn, except its prompt (index 0)."""
    tx.connection().execute(_CLEARED, {"of_run": run_id})


def add_rows(tx: Session, run: Row[Any], rows: Sequence[Mapping[str, Any]], now: float) -> None:
    """Store the rows after the prompt, in order; `now` is the time of rows without one."""
    whose = {
        "owner": run.owner,
        "session_id": run.session_id,
        "run_id": run.id,
        "turn_no": run.turn_no,
    }
    written = [
        {
            **{name: row.get(name) for name in _GIVEN},
            **whose,
            "idx": index,
            "tool_calls": row.get("tool_calls"),
            "timestamp": row.get("timestamp") or now,
        }
        for index, row in enumerate(rows, start=1)
    ]
    if written:
        tx.connection().execute(_ADDED, written)
