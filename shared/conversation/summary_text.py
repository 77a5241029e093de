"""Turns as text for a summarizing model, and shortened tool output of old turns. Pure.

All lengths are code points, so that no cut splits a character.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from shared.conversation.history import arguments_text, cut, flatten, tool_name

Row: TypeAlias = Mapping[str, Any]

TOOL_OUTPUT_LIMIT, TOOL_OUTPUT_HEAD, TOOL_OUTPUT_TAIL = 5_500, 4_000, 1_500
ARGUMENTS_LIMIT = 1_500
PREVIEW = 100
FLAT_ARGUMENTS_LIMIT, FLAT_RESULT_LIMIT = 1_000, 500


def serialize(messages: Iterable[Row]) -> str:
    """Convert turns to text for the summarizing model. Of tool output over 5,500 characters the
    first 4,000 and the last 1,500 are shown; arguments are cut at 1,500.

    Exact to `summary_text` of the golden cases, whose content lists read `[object Object]`; stored
    rows have text there.
    """
    return "\n\n".join(part for row in messages for part in _serialized(row))


def _serialized(row: Row) -> Iterable[str]:
    content = content_text(row)
    if row["role"] == "tool":
        yield f"[tool:{tool_name(row)}]: {_shorten(content)}"
        return
    functions = [call.get("function") or {} for call in row.get("tool_calls") or []]
    if functions:
        lines = (
            f"[tool_call: {f.get('name')}({cut(arguments_text(f), ARGUMENTS_LIMIT)})]"
            for f in functions
        )
        yield f"{row['role']}: " + "\n".join(lines)
    if content.strip() or not functions:
        yield f"{row['role']}: {content}"


def _shorten(output: str) -> str:
    if len(output) <= TOOL_OUTPUT_LIMIT:
        return output
    return f"{output[:TOOL_OUTPUT_HEAD]}\n... [truncated]\n...{output[-TOOL_OUTPUT_TAIL:]}"


def summary_history(messages: Iterable[Row]) -> list[dict[str, Any]]:
    """Convert turns to plain chat messages for a summarizing model that takes a history."""
    return flatten(messages, FLAT_ARGUMENTS_LIMIT, FLAT_RESULT_LIMIT)


def prune(messages: Sequence[Row], keep: int) -> list[Row]:
    """Shorten tool output to previews of 100 characters, except in the last `keep` messages.

    Exact to `pruned_keep_4` of the golden cases with `keep` 4.
    """
    old = len(messages) - keep
    return [_preview(row) if at < old else row for at, row in enumerate(messages)]


def _preview(row: Row) -> Row:
    if row["role"] != "tool":
        return row
    shown = cut(content_text(row), PREVIEW).replace("\n", " ")
    return {**row, "content": f"[{tool_name(row)}] {shown}"}


def content_text(row: Row) -> str:
    """Return the content of a row as text; a list (no stored row has one) as golden cases do."""
    content = row.get("content") or ""
    if isinstance(content, list):
        return ",".join(item if isinstance(item, str) else "[object Object]" for item in content)
    return str(content)
