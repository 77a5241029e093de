"""A stored message as clients see it (P8)."""

from typing import Any

from sqlalchemy import Row

from shared.db.models import MessageRow

Message = dict[str, Any]

MESSAGE_COLUMNS: tuple[Any, ...] = (
    MessageRow.id,
    MessageRow.session_id,
    MessageRow.run_id,
    MessageRow.role,
    MessageRow.content,
    MessageRow.content_blocks,
    MessageRow.tool_call_id,
    MessageRow.tool_calls,
    MessageRow.tool_name,
    MessageRow.timestamp,
    MessageRow.finish_reason,
    MessageRow.reasoning,
)


def message(row: Row[Any]) -> Message:
    """Return a row of MESSAGE_COLUMNS in the shape of P8, without fields that have no value."""
    shown: Message = {
        "id": row.id,
        "session_id": row.session_id,
        "role": row.role,
        "content": row.content,
        "reasoning": row.reasoning or "",
        "timestamp": row.timestamp,
    }
    for name in ("run_id", "tool_calls", "tool_call_id", "tool_name", "finish_reason"):
        if value := getattr(row, name):
            shown[name] = value
    if row.content_blocks:
        shown["content_blocks"] = row.content_blocks
    return shown
