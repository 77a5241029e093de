"""Pairing tool calls and their results, as strict models want them. Pure.

Problem: a run that was stopped during a tool leaves a call without a result, and one of which only
the stream is known leaves results without calls; strict models then refuse every later turn.
Invariant: after `pair`, the results of an assistant message follow it at once, in the order of its
calls, one for each; no result is anywhere else, and no id of a call comes twice. Ids and names have
the characters that models take, arguments are JSON objects, and no block of text is blank.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from shared.conversation.content import blocks_to_text

Message: TypeAlias = dict[str, Any]

NO_RESULT = "(no result: the run ended before this tool did)"
RESULT_LIMIT = 16_000  # characters of a result that becomes text

_UNFIT: Final = re.compile(r"[^A-Za-z0-9_-]")
_ID_MOST, _NAME_MOST = 40, 64  # characters
_NOT_OF_USERS = ("tool_use", "tool_result")


def pair(messages: Iterable[Message]) -> list[Message]:
    """Return sanitized messages with each call answered. They are not changed.

    A call without a result gets NO_RESULT. A result without a call becomes text of the answer
    before it, if it has any; blocks of a user that look like calls or results do, too.
    """
    pairing = _Pairing()
    for message in messages:
        if message["role"] == "assistant":
            pairing.add_answer(message)
        elif message["role"] == "tool":
            pairing.add_result(message)
        else:
            pairing.add_user(_plain(message))
    return [message for entry in pairing.entries for message in entry.messages()]


@dataclass(slots=True)
class _Entry:
    """A message and, in the order of its calls, their ids and the results so far."""

    message: Message
    results: dict[str, Message | None] = field(default_factory=dict)

    def messages(self) -> Iterable[Message]:
        yield self.message
        for call in self.message.get("tool_calls") or []:
            found = self.results[call["id"]]
            yield found if found is not None else _no_result(call)


class _Pairing:
    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self._answer: _Entry | None = None  # the last one
        self._open: dict[str, tuple[_Entry, str]] = {}  # stored id -> where, and under which id
        self._ids: set[str] = set()

    def add_user(self, message: Message) -> None:
        """Add a message of the user, unless nothing of it was left."""
        if message.get("content_blocks") or message["content"].strip():
            self.entries.append(_Entry(message))

    def add_answer(self, message: Message) -> None:
        """Add an assistant message; ids that came before get a number."""
        entry = self._answer = _Entry(dict(message))
        self.entries.append(entry)
        calls = {call["id"]: call for call in message.get("tool_calls") or []}
        renamed = []
        for stored_id, call in calls.items():
            call_id = self._unique(stored_id)
            self._open[stored_id] = entry, call_id
            entry.results[call_id] = None
            renamed.append({**call, "id": call_id, "function": _fit_function(call["function"])})
        if renamed:
            entry.message["tool_calls"] = renamed
            if not entry.message["content"].strip():
                entry.message["content"] = ""

    def add_result(self, message: Message) -> None:
        """Give the result to its call, else to the last answer as text."""
        entry, call_id = self._open.pop(message["tool_call_id"], (None, ""))
        if entry is not None:
            entry.results[call_id] = {**message, "tool_call_id": call_id}
        elif message["content"].strip():
            self._add_text(message)

    def _add_text(self, result: Message) -> None:
        if self._answer is None:
            self._answer = _Entry({"role": "assistant", "content": ""})
            self.entries.append(self._answer)
        text = result["content"]
        shown = text if len(text) <= RESULT_LIMIT else text[:RESULT_LIMIT] + "..."
        addition = f"[Tool result: {result.get('name') or 'unknown'}]\n{shown}"
        answer = self._answer.message
        answer["content"] = "\n\n".join(filter(None, [answer["content"], addition]))

    def _unique(self, call_id: str) -> str:
        fit = _UNFIT.sub("_", call_id)[:_ID_MOST]
        found, number = fit, 1
        while found in self._ids:
            number += 1
            found = f"{fit[: _ID_MOST - 6]}_{number}"
        self._ids.add(found)
        return found


def _fit_function(function: Mapping[str, Any]) -> Message:
    """The function of a call with a name and arguments that strict models take."""
    name = _UNFIT.sub("_", function["name"])[:_NAME_MOST]
    return {**function, "name": name, "arguments": _object(function["arguments"])}


def _object(text: str) -> str:
    """The arguments as a JSON object, an empty one for what is no JSON, such as half of it."""
    try:
        found = strict_json(text)
    except (ValueError, RecursionError):
        return "{}"
    return text if isinstance(found, dict) else f'{{"value":{text}}}'


def strict_json(text: str) -> Any:
    """Parse JSON as models do: NaN and Infinity are none. Raises ValueError and RecursionError."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _no_result(call: Mapping[str, Any]) -> Message:
    name = call["function"]["name"]
    return {"role": "tool", "content": NO_RESULT, "tool_call_id": call["id"], "name": name}


def _plain(message: Message) -> Message:
    """A user's message without blocks that only an assistant, or a tool, may send."""
    blocks = message.get("content_blocks")
    if not isinstance(blocks, list):
        return message
    plain = [_as_text(block) if _is_of_tools(block) else block for block in blocks]
    return {**message, "content_blocks": [one for one in plain if one and not _is_blank(one)]}


def _is_blank(block: object) -> bool:
    if not isinstance(block, Mapping) or block.get("type") not in ("text", "input_text"):
        return False
    text = block.get("text")
    return text is None or (isinstance(text, str) and not text.strip())


def _is_of_tools(block: object) -> bool:
    return isinstance(block, Mapping) and block.get("type") in _NOT_OF_USERS


def _as_text(block: object) -> Message | None:
    text = blocks_to_text([block])
    return {"type": "text", "text": text} if text else None
