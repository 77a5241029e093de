"""Pairing tool calls and their results, as strict models want them. Pure.

Problem: a run that was stopped during a tool leaves a call without a result, and one of which only
the stream is known leaves results without calls; strict models then refuse every later turn.
Invariant: after `pair`, the results of an assistant message follow it at once, in the order of its
calls, one for each; no result is anywhere else, and no id of a call comes twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.conversation.content import blocks_to_text

Message: TypeAlias = dict[str, Any]

NO_RESULT = "(no result: the run ended before this tool did)"
RESULT_LIMIT = 16_000  # characters of a result that becomes text

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
            pairing.entries.append(_Entry(_plain(message)))
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
            renamed.append({**call, "id": call_id})
        if renamed:
            entry.message["tool_calls"] = renamed

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
        found, number = call_id, 1
        while found in self._ids:
            number += 1
            found = f"{call_id}_{number}"
        self._ids.add(found)
        return found


def _no_result(call: Mapping[str, Any]) -> Message:
    name = call["function"]["name"]
    return {"role": "tool", "content": NO_RESULT, "tool_call_id": call["id"], "name": name}


def _plain(message: Message) -> Message:
    """A user's message without blocks that only an assistant, or a tool, may send."""
    blocks = message.get("content_blocks")
    if not isinstance(blocks, list) or not any(map(_is_of_tools, blocks)):
        return message
    plain = [_as_text(block) if _is_of_tools(block) else block for block in blocks]
    return {**message, "content_blocks": [block for block in plain if block]}


def _is_of_tools(block: object) -> bool:
    return isinstance(block, Mapping) and block.get("type") in _NOT_OF_USERS


def _as_text(block: object) -> Message | None:
    text = blocks_to_text([block])
    return {"type": "text", "text": text} if text else None
