"""Stored messages -> the `conversation_history` of a request to a gateway. Pure.

Three formats: `anthropic` (blocks), `openai` (chat messages) and `text` (plain texts, for gateways
that flatten structure to its repr). Every entry has `role` and `content`: gateways refuse others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from shared.conversation.content import blocks_to_text, clean_json, parse_stringified
from shared.conversation.tool_pairs import pair, strict_json

Message: TypeAlias = dict[str, Any]
Format: TypeAlias = Literal["anthropic", "openai", "text"]

# Characters of a tool call's arguments, and of its result, in the format `text`: enough for a file
# or a page of a log, and one call cannot fill the context.
TEXT_ARGUMENTS_LIMIT = 4_000
TEXT_RESULT_LIMIT = 16_000


def build(messages: Iterable[Mapping[str, Any]], format: Format) -> list[Message]:  # noqa: A002
    """Convert stored messages, given in order, to a format of gateways.

    Reasoning is left out (P19), except as `reasoning_content` in `openai`. In `openai` and
    `anthropic` each call has its result right after it.
    """
    clean = sanitize(messages)
    if format == "openai":
        return [_openai(message) for message in pair(clean)]
    if format == "anthropic":
        return to_anthropic([{**m, "content": _blocks_or_text(m)} for m in pair(clean)])
    texts = flatten(clean, TEXT_ARGUMENTS_LIMIT, TEXT_RESULT_LIMIT)
    return [message for message in texts if message["content"].strip()]


def given_row(message: Mapping[str, Any]) -> Message:
    """Return a message `{role, content}` of a client as one is stored: its text, and its blocks if
    it has any."""
    content = message["content"]
    if isinstance(content, str):
        return {"role": message["role"], "content": content}
    return {
        "role": message["role"],
        "content": blocks_to_text(content),
        "content_blocks": content,
    }


def workspace_instructions(workspace: str | None, instructions: str | None) -> str | None:
    """Put a line that names the working directory before the instructions of the run (P18)."""
    if not workspace:
        return instructions or None
    line = f"[Current working directory: {' '.join(workspace.splitlines())}]"
    return f"{line}\n{instructions}" if instructions else line


# -- sanitizing ---------------------------------------------------------------------------------


def sanitize(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Return the user, assistant and tool messages in a form that gateways accept, without empty
    ones.

    They are `{role, content: str}` with, where there are any, `content_blocks` (user), `tool_calls`
    {id, type, function} and `reasoning_content` (assistant), `tool_call_id` and `name` (tool).
    A tool message without a call id takes the id of the last assistant's call of the same tool,
    each id once; without such a call it is left out.
    """
    rows = [m for m in messages if m.get("role") in ("user", "assistant", "tool")]
    used = {row.get("tool_call_id") for row in rows if row["role"] == "tool"}
    calls: list[Message] = []
    result: list[Message] = []
    for row in rows:
        if row["role"] == "assistant":
            message = _assistant(row)
            calls = message.get("tool_calls", [])
        elif row["role"] == "tool":
            message = _tool(row, calls, used)
        else:
            message = _user(row)
        if _has_content(message):
            result.append(message)
    return result


def _user(row: Mapping[str, Any]) -> Message:
    blocks = row.get("content_blocks")
    content = row.get("content")
    if not blocks and isinstance(content, list):
        blocks = content
    text = blocks_to_text(content) or blocks_to_text(blocks)
    message: Message = {"role": "user", "content": text}
    return message | {"content_blocks": blocks} if blocks else message


def _assistant(row: Mapping[str, Any]) -> Message:
    content, calls = blocks_to_text(row.get("content")), row.get("tool_calls")
    if (parsed := parse_stringified(content)) is not None:
        content, calls = parsed.content, calls or parsed.tool_calls
    message: Message = {"role": "assistant", "content": content}
    if cleaned := clean_calls(calls):
        message["tool_calls"] = cleaned
    if row.get("reasoning_content"):
        message["reasoning_content"] = row["reasoning_content"]
    return message


def _tool(row: Mapping[str, Any], calls: Sequence[Message], used: set[Any]) -> Message:
    name = row.get("tool_name") or row.get("name")
    call_id = row.get("tool_call_id")
    if not call_id:
        free = (c["id"] for c in calls if c["function"]["name"] == name and c["id"] not in used)
        call_id = next(free, None)
        used.add(call_id)
    message: Message = {"role": "tool", "content": blocks_to_text(row.get("content"))}
    message["tool_call_id"] = call_id
    return message | {"name": name} if name else message


def _has_content(message: Message) -> bool:
    if message["role"] == "tool":
        return bool(message["tool_call_id"])  # an empty output is a result, too
    extras = message.get("content_blocks") or message.get("tool_calls")
    return bool(extras or message["content"].strip())


def clean_calls(calls: object) -> list[Message]:
    """Return the calls with id and name, as `{id, type, function: {name, arguments: str}}`."""
    if not isinstance(calls, list):
        return []
    return [clean for call in calls if (clean := _clean_call(call)) is not None]


def _clean_call(call: object) -> Message | None:
    match call:
        case {"id": str(call_id), "function": {"name": str(name), **rest}} if call_id and name:
            arguments = rest.get("arguments") or "{}"
            text = arguments if isinstance(arguments, str) else _json(arguments)
            return {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": text},
            }
    return None


# -- formats ------------------------------------------------------------------------------------


def _blocks_or_text(message: Message) -> Any:
    return message.get("content_blocks") or message["content"]


def _openai(message: Message) -> Message:
    fields = {k: v for k, v in message.items() if k != "content_blocks"}
    return fields | {"content": _blocks_or_text(message)}


def to_anthropic(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Convert chat messages to Anthropic blocks; tool results in a row become one user message.

    Exact to `tests/golden/history_cases.json`, including what only unsanitized input can have:
    `reasoning` as a thinking block, a filler for an empty user message.
    """
    result: list[Message] = []
    for message in messages:
        content = message.get("content") or ""
        if message["role"] == "assistant":
            result.append({"role": "assistant", "content": _assistant_blocks(message, content)})
        elif message["role"] == "tool":
            _add_tool_result(result, message, content)
        elif message["role"] == "user":
            shown = list(content) if isinstance(content, list) else content  # may be appended to
            result.append({"role": "user", "content": shown or "(empty message)"})
    return result


def _assistant_blocks(message: Mapping[str, Any], content: Any) -> list[Message]:
    blocks: list[Message] = []
    if message.get("reasoning"):
        blocks.append({"type": "thinking", "thinking": message["reasoning"]})
    if isinstance(content, list):
        blocks.extend(content)
    elif content:
        blocks.append({"type": "text", "text": content})
    for call in message.get("tool_calls") or []:
        if call.get("id") and (function := call.get("function")):
            arguments = _arguments(function.get("arguments"))
            use = {"type": "tool_use", "id": call["id"], "name": function.get("name")}
            blocks.append(use | {"input": arguments})
    return blocks or [{"type": "text", "text": ""}]


def _add_tool_result(result: list[Message], message: Mapping[str, Any], content: Any) -> None:
    block = {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id") or "",
        "content": (content if isinstance(content, str) else _json(content)) or "(no output)",
    }
    match result[-1:]:
        case [{"role": "user", "content": [*_, {"type": "tool_result"}] as blocks}]:
            blocks.append(block)
        case _:
            result.append({"role": "user", "content": [block]})


def flatten(
    messages: Iterable[Mapping[str, Any]], arguments_limit: int, result_limit: int
) -> list[Message]:
    """Convert chat messages to plain texts: calls become lines of the assistant that made them, and
    tool results follow under the last assistant. Limits are in characters; longer texts are cut.

    Exact to `summary_history` of the golden cases with limits of 1,000 and 500.
    """
    result: list[Message] = []
    answer: Message | None = None
    for message in messages:
        content = message.get("content") or ""
        if message["role"] == "user":
            result.append({"role": "user", "content": content})
            continue
        if message["role"] == "assistant":
            answer = {"role": "assistant", "content": content}
            result.append(answer)
            addition = _call_lines(message.get("tool_calls") or [], arguments_limit)
        else:
            if answer is None:
                answer = {"role": "assistant", "content": ""}
                result.append(answer)
            shown = cut(_as_text(content), result_limit)
            addition = f"[Tool result: {tool_name(message)}]\n{shown}"
        answer["content"] = "\n\n".join(filter(None, [answer["content"], addition]))
    return result


def _call_lines(calls: Iterable[Mapping[str, Any]], limit: int) -> str:
    functions = (call.get("function") or {} for call in calls)
    return "\n".join(
        f"[Calling tool: {f.get('name')} with arguments: {cut(arguments_text(f), limit)}]"
        for f in functions
    )


def cut(text: str, limit: int) -> str:
    """Return the first `limit` characters of `text`, with `...` if there are more."""
    return text if len(text) <= limit else text[:limit] + "..."


def tool_name(message: Mapping[str, Any]) -> str:
    """Return the name of the tool of a tool message."""
    return message.get("name") or message.get("tool_name") or "unknown"


def arguments_text(function: Mapping[str, Any]) -> str:
    """Return the arguments of a call as the model wrote them; `{}` if there are none."""
    return _as_text(function.get("arguments") or "{}")


def _arguments(value: Any) -> Any:
    """Parse the arguments of a call, in values that can be sent; `{}` if they are not JSON. Always
    an object: strict models take nothing else."""
    if not value or not isinstance(value, str):
        return value or {}
    try:
        found = clean_json(strict_json(value))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {"value": found}


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
