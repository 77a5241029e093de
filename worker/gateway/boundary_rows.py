"""The boundary for the rows of a gateway: its sessions, messages, tool calls and usages. Pure.

Each field has its type in a table here; see `boundary_json` for what becomes of other values.
"""

from collections.abc import Mapping
from typing import Any, cast

from shared.any_json import decode
from worker.gateway.boundary_json import (
    LEVELS,
    amount,
    bounded,
    count,
    key,
    name,
    stamp,
    stored_json,
    take,
)
from worker.gateway.boundary_text import result, shown, words
from worker.gateway.models import GatewayMessage, GatewaySession, ToolCall

CALLS_MOST = 1_000  # tool calls of one message
FIELDS_MOST = 100  # of a usage
FIELD_LEVELS = LEVELS - 2  # of nesting, in a field of it
_CALL_IDS = ("id", "call_id", "tool_call_id")

COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "api_call_count",
    "message_count",
    "tool_call_count",
)
_SESSION_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(("source", "end_reason", "parent_session_id", "_lineage_root_id"), name),
    **dict.fromkeys(("model", "billing_provider", "cost_status"), name),
    **dict.fromkeys(("started_at", "ended_at", "last_active"), stamp),
    **dict.fromkeys(COUNTS, count),
    **dict.fromkeys(("estimated_cost_usd", "actual_cost_usd"), amount),
}
_MESSAGE_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(("tool_call_id", "tool_name", "finish_reason"), name),
    **dict.fromkeys(("reasoning", "reasoning_content"), words),
    **dict.fromkeys(("reasoning_details", "codex_reasoning_items"), stored_json),
    "timestamp": stamp,
}


def usage(found: object) -> dict[str, Any] | None:
    """Tokens and costs, as a run's end or a status has them; unknown fields are kept."""
    if not isinstance(found, dict):
        return None
    kept: dict[str, Any] = {}
    for field, value in list(found.items())[:FIELDS_MOST]:
        convert = _SESSION_FIELDS.get(field)
        typed = take(found, field, convert, "usage") if convert else bounded(value, FIELD_LEVELS)
        if typed is not None or not convert:
            kept[key(field)] = typed
    return kept or None


def session(found: object, session_id: str | None = None) -> GatewaySession | None:
    """A session's row; None for what is none. `session_id`: of a row without an id of its own."""
    if not isinstance(found, dict):
        return None
    known = take(found, "id", name, "session") or session_id
    if not known:
        return None
    row: dict[str, Any] = {
        field: take(found, field, convert, "session") for field, convert in _SESSION_FIELDS.items()
    }
    return cast("GatewaySession", {"id": known, **row})


def messages(rows: list[Any]) -> list[GatewayMessage]:
    """The rows that are messages of somebody."""
    return [row for row in map(_message, rows) if row is not None]


def _message(found: object) -> GatewayMessage | None:
    role = name(found.get("role")) if isinstance(found, dict) else None
    if not isinstance(found, dict) or role is None:
        return None
    row: dict[str, Any] = {
        field: take(found, field, convert, "message") for field, convert in _MESSAGE_FIELDS.items()
    }
    content = found.get("content")
    said = result(content) if role == "tool" else shown(content)
    calls = tool_calls(found.get("tool_calls")) or _calls_in(content)
    return cast("GatewayMessage", {"role": role, "content": said, "tool_calls": calls, **row})


def _calls_in(content: object) -> list[ToolCall]:
    """The calls among the blocks of a content."""
    blocks = content if isinstance(content, list) else []
    uses = [item for item in blocks if isinstance(item, dict) and item.get("type") == "tool_use"]
    return tool_calls(uses)


def tool_calls(found: object) -> list[ToolCall]:
    """The calls of a message, whether it has a list of them, one alone, or either as JSON text;
    those of no tool are left out."""
    if isinstance(found, str):
        found = decode(found)
    calls = [found] if isinstance(found, dict) else found
    if not isinstance(calls, list):
        return []
    typed = [_call(call) for call in calls[:CALLS_MOST] if isinstance(call, dict)]
    return [call for call in typed if call["function"]["name"]]


def _call(found: dict[str, Any]) -> ToolCall:
    function = found.get("function")
    inner = function if isinstance(function, dict) else {}
    called = take(inner, "name", name, "call") or take(found, "name", name, "call")
    given = [source.get(field) for source in (inner, found) for field in ("arguments", "input")]
    arguments = next((value for value in given if value is not None), None)
    ids = {field: known for field in _CALL_IDS if (known := take(found, field, name, "call"))}
    return {
        "id": next(iter(ids.values()), None),
        "call_id": ids.get("call_id"),
        "tool_call_id": ids.get("tool_call_id"),
        "type": "function",
        "function": {"name": called or "", "arguments": stored_json(arguments) or "{}"},
    }
