"""The fields of a session, without its messages."""

from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from shared.db.models import SessionRow
from shared.errors import NotFound

Info = dict[str, Any]

INFO: Final = (
    "id",
    "profile",
    "source",
    "user_id",
    "model",
    "title",
    "preview",
    "workspace",
    "pinned",
    "archived",
    "parent_session_id",
    "started_at",
    "last_active",
    "ended_at",
    "end_reason",
    "message_count",
    "tool_call_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "billing_provider",
    "estimated_cost_usd",
    "actual_cost_usd",
    "cost_status",
    "stored_bytes",
)
INFO_COLUMNS: Final = tuple(getattr(SessionRow, name) for name in INFO)


def info(row: Row[Any]) -> Info:
    """Return the columns INFO of a row that has them."""
    return {name: getattr(row, name) for name in INFO}


def get(tx: Session, owner: str, session_id: str) -> Info:
    """Return the fields of the session. Raises NotFound."""
    row = tx.execute(
        select(*INFO_COLUMNS).where(SessionRow.owner == owner, SessionRow.id == session_id)
    ).first()
    if row is None:
        raise NotFound("There is no such session.")
    return info(row)
