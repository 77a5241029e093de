"""A stored message as clients see it (P8)."""

from typing import Any, Final

from sqlalchemy import Row

from shared.db.models import MessageRow

Message = dict[str, Any]

SHOWN: Final = 16_000  # characters of a prompt in an event

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
    MessageRow.error,
    MessageRow.duration,
    MessageRow.reasoning_duration,
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
    for name in ("error", "duration", "reasoning_duration"):
        if (known := getattr(row, name)) is not None:
            shown[name] = known
    if row.content_blocks:
        shown["content_blocks"] = row.content_blocks
    return shown


def shortened(prompt: Message) -> Message:
    """Return a prompt as an event carries it: one of megabytes is cut, and says so."""
    if len(prompt["content"]) <= SHOWN:
        return prompt
    shown = {key: value for key, value in prompt.items() if key != "content_blocks"}
    return {**shown, "content": prompt["content"][:SHOWN], "truncated": True}
