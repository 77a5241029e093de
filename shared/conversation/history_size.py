"""How much of a history is sent: what is cut, what is left out, what it counts. Pure.

Problem: gateways refuse a body that is too large (413), and one large old message would have every
later turn refused.
Idea: a message is cut when it is read, to about half of what the model holds, and the history as a
whole is cut to a number of bytes, beginning with the oldest. What is missing is said in the text.
Invariant: the newest messages stay; `fit` returns no more bytes than it is given, whatever the
rows hold.

Rows are stored messages as mappings; sizes are bytes of JSON in UTF-8, unless they are characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import orjson

from shared.conversation.history import (
    TEXT_ARGUMENTS_LIMIT,
    TEXT_RESULT_LIMIT,
    Format,
    arguments_text,
    cut,
)

Row: TypeAlias = Mapping[str, Any]

REFUSED_MOST: Final = 2_000  # characters that are sent again of a prompt that a gateway refused
TOO_LARGE: Final = "too_large"  # as `finish_reason` of such a prompt
LEAST: Final = 1_000  # bytes; with less left, a message is left out rather than cut
OF_ENTRY, OF_CALL = 160, 250  # bytes of an entry, and of a call with its result, beside their texts
ARGUMENTS_MOST: Final = 1_000  # characters that stay of arguments in a message that is cut


def message_limit(context_length: int, max_bytes: int) -> int:
    """Return the characters of an old message that are sent: about half of the model's context, and
    not more than half of the history."""
    return max(min(2 * context_length, max_bytes // 2), REFUSED_MOST)


def cut_marked(text: str, keep: int, length: int | None = None) -> str:
    """Return the first `keep` characters, and how many are missing; `length`: of the whole text, if
    `text` is only its beginning."""
    missing = (len(text) if length is None else length) - min(keep, len(text))
    return f"{text[:keep]}… [cut: {missing:,} characters]" if missing > 0 else text


def sent_text(row: Row, format: Format) -> str:  # noqa: A002
    """Return what of a row is sent as text, which is what its tokens are counted of."""
    is_text = format == "text"
    content = str(row.get("content") or "")
    if is_text and row["role"] == "tool":
        content = cut(content, TEXT_RESULT_LIMIT)
    parts = [content]
    for function in _functions(row):
        arguments = arguments_text(function)
        parts.append(str(function.get("name") or ""))
        parts.append(cut(arguments, TEXT_ARGUMENTS_LIMIT) if is_text else arguments)
    if format == "openai" and row.get("reasoning_content"):
        parts.append(str(row["reasoning_content"]))
    return "\n".join(filter(None, parts))


def counts_otherwise(row: Row, format: Format) -> bool:  # noqa: A002
    """Whether less of the row is sent than is stored, so that its stored count may be too high."""
    is_cut = bool(row.get("is_cut"))
    too_long = row["role"] == "tool" and len(row.get("content") or "") > TEXT_RESULT_LIMIT
    return is_cut or (format == "text" and too_long)


# -- fitting --------------------------------------------------------------------------------------


def fit(rows: Sequence[Row], max_bytes: int, *, fixed: int = 0) -> list[Row]:
    """Return the newest rows that fit, in order. One that does not fit is cut, if that leaves
    something of it; a line says how many older ones are missing.

    The first `fixed` rows, such as a summary, stay before all others.
    """
    first, rest = list(rows[:fixed]), rows[fixed:]
    left = max_bytes - sum(map(size, first)) - LEAST // 2  # for the line
    kept: list[Row] = []
    for row in reversed(rest):
        shown = _within(row, min(left, max_bytes // 2))
        if shown is None:
            break
        kept.append(shown)
        left -= size(shown)
    missing = len(rest) - len(kept)
    return [*first, *([_left_out(missing)] if missing else []), *reversed(kept)]


def size(row: Row) -> int:
    """Return the bytes that the row takes in a history, at most, in any format."""
    text, blocks = row.get("content") or "", row.get("content_blocks")
    total = OF_ENTRY + max(json_bytes(text), json_bytes(blocks) if blocks else 0)
    for name in ("reasoning_content", "tool_name", "tool_call_id"):
        total += json_bytes(row[name]) if row.get(name) else 0
    return total + sum(json_bytes(call) + OF_CALL for call in row.get("tool_calls") or [])


def json_bytes(value: object) -> int:
    """Return the length of the value as JSON."""
    return len(orjson.dumps(value))


def _left_out(count: int) -> Row:
    what = "1 earlier message was" if count == 1 else f"{count:,} earlier messages were"
    return {"role": "user", "content": f"[{what} left out: the conversation is too long]"}


def _within(row: Row, most: int) -> Row | None:
    """The row, cut to `most` bytes if need be; None if nothing of it would remain."""
    if size(row) <= most:
        return row
    small = {**row, "content_blocks": None, "reasoning_content": None}
    if small.get("tool_calls"):
        small["tool_calls"] = [_with_short_arguments(call) for call in small["tool_calls"]]
    text = str(small.get("content") or "")
    room = most - size({**small, "content": ""}) - LEAST // 10  # for the mark
    if room < LEAST and small.get("tool_calls"):
        note = f"[{len(small['tool_calls']):,} tool calls left out]"
        return _within({**small, "content": f"{note}\n{text}", "tool_calls": None}, most)
    if room < LEAST:
        return None
    return {**small, "content": cut_marked(text, _characters(text, room))}


def _characters(text: str, most: int) -> int:
    """How many characters of the text take at most so many bytes as JSON; not many fewer."""
    keep = min(len(text), most)
    while (taken := json_bytes(text[:keep])) > most:
        keep = min(keep * most // taken, keep - 1)
    return keep


def _with_short_arguments(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    if not isinstance(function, Mapping):
        return call
    arguments = arguments_text(function)
    if len(arguments) <= ARGUMENTS_MOST:
        return call
    short = orjson.dumps({"cut": cut_marked(arguments, ARGUMENTS_MOST)}).decode()
    return {**call, "function": {**function, "arguments": short}}


def _functions(row: Row) -> list[Mapping[str, Any]]:
    calls = row.get("tool_calls")
    found = [call.get("function") for call in calls or [] if isinstance(call, Mapping)]
    return [function for function in found if isinstance(function, Mapping)]
