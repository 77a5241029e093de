"""The events of a response's stream, with numbers that are the same at every reading. Pure.

Problem: `sequence_number` has to name the same moment for every reader, in every web process and
long after the end; but the pieces of the text are not kept: logs are folded (R29), and what is
stored at the end has each text as a whole.
Idea: a number is a position in what the response consists of. Each character of the text is worth
one, and each event that is no piece of text is worth one. So a piece has the number of its last
character, whatever pieces there were, and what follows any number can be found in the whole.
Tools are put into one order, whatever order they end in: first the calls in the order in which they
were started, then, when the text goes on or the run ends, their outputs in the same order.
Invariant: the events are a function of the parts (`shared/protocol/streamed.py`), except for where
pieces of text are cut; numbers rise.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

CREATED: Final = 0
IN_PROGRESS: Final = 1
DELTA: Final = "response.output_text.delta"

Fields = dict[str, Any]


class Numbered(NamedTuple):
    """One event; `fields` without type and number."""

    number: int
    type: str
    fields: Fields


@dataclass
class _Tool:
    index: int
    call_id: str
    name: str
    is_open: bool = True
    output: str = ""


@dataclass
class _Message:
    index: int
    texts: list[str] = field(default_factory=list)


class ResponseEvents:
    """Feed with the events of a run in order; each call returns what a stream has of it."""

    def __init__(self, response_id: str) -> None:
        self._key = response_id.removeprefix("resp_")
        self._number = IN_PROGRESS
        self._items = 0
        self._tools = 0
        self._message: _Message | None = None
        self._group: list[_Tool] = []  # tools since the last text
        self._has_text = False

    def apply(self, name: str, event: Mapping[str, Any]) -> list[Numbered]:
        """What the event of a run brings; nothing for one that is not of the answer."""
        match name:
            case "message.delta":
                return list(self._say(_text(event, "delta")))
            case "tool.started":
                return list(self._call(_text(event, "tool", "name"), _text(event, "tool_call_id")))
            case "tool.completed":
                self._complete(event)
        return []

    def end(self, output: str | None) -> list[Numbered]:
        """What is still to come before the last event. `output`: of the run's terminal event, which
        is the text of a run that had none."""
        more = [] if self._has_text or not output or output.isspace() else [*self._say(output)]
        return [*more, *self._close_message(), *self._close_group()]

    @property
    def next(self) -> int:
        """The number of the event that follows: after `end`, of the last one."""
        return self._number + 1

    # -- text -----------------------------------------------------------------------------------

    def _say(self, text: str) -> Iterator[Numbered]:
        if not text:
            return
        self._has_text = self._has_text or not text.isspace()
        yield from self._close_group()
        if self._message is None:
            self._message = _Message(self._new_item())
            item = self._message_item("in_progress", [])
            yield self._event(
                "response.output_item.added", output_index=self._message.index, item=item
            )
            yield self._event("response.content_part.added", **self._where, part=text_part(""))
        self._message.texts.append(text)
        self._number += len(text)
        yield Numbered(self._number, DELTA, {**self._where, "delta": text, "logprobs": []})

    def _close_message(self) -> Iterator[Numbered]:
        if self._message is None:
            return
        text = "".join(self._message.texts)
        yield self._event("response.output_text.done", **self._where, text=text, logprobs=[])
        yield self._event("response.content_part.done", **self._where, part=text_part(text))
        item = self._message_item("completed", [text_part(text)])
        index, self._message = self._message.index, None
        yield self._event("response.output_item.done", output_index=index, item=item)

    @property
    def _where(self) -> Fields:
        assert self._message is not None
        index = self._message.index
        return {"item_id": f"msg_{self._key}_{index}", "output_index": index, "content_index": 0}

    def _message_item(self, status: str, content: list[Fields]) -> Fields:
        item_id = self._where["item_id"]
        return {
            "id": item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }

    # -- tools ----------------------------------------------------------------------------------

    def _call(self, name: str, call_id: str) -> Iterator[Numbered]:
        yield from self._close_message()
        self._tools += 1
        tool = _Tool(self._new_item(), call_id or call_id_of(self._key, self._tools), name)
        self._group.append(tool)
        for step, status in (("added", "in_progress"), ("done", "completed")):
            item = {
                "id": f"fc_{self._key}_{tool.index}",
                "type": "function_call",
                "status": status,
                "name": tool.name,
                "call_id": tool.call_id,
                "arguments": "{}",  # logs do not have them
            }
            yield self._event(f"response.output_item.{step}", output_index=tool.index, item=item)

    def _complete(self, event: Mapping[str, Any]) -> None:
        """Keep the output until its turn comes."""
        call_id, name = _text(event, "tool_call_id"), _text(event, "tool", "name")
        still_open = [tool for tool in self._group if tool.is_open]
        named = [tool for tool in still_open if call_id and tool.call_id == call_id]
        found = next(iter([*named, *(tool for tool in still_open if tool.name == name)]), None)
        if found is not None:
            found.is_open, found.output = False, _text(event, "output")

    def _close_group(self) -> Iterator[Numbered]:
        group, self._group = self._group, []
        for tool in group:
            index = self._new_item()
            item = {
                "id": f"fco_{self._key}_{index}",
                "type": "function_call_output",
                "call_id": tool.call_id,
                "output": output_parts(tool.output),
                "status": "completed",
            }
            for step in ("added", "done"):
                yield self._event(f"response.output_item.{step}", output_index=index, item=item)

    # -- numbers --------------------------------------------------------------------------------

    def _new_item(self) -> int:
        self._items += 1
        return self._items - 1

    def _event(self, kind: str, **fields: Any) -> Numbered:
        self._number += 1
        return Numbered(self._number, kind, fields)


def after(number: int, events: Iterable[Numbered]) -> Iterator[Numbered]:
    """What of the events follows that number; a piece of text in which it lies is cut there."""
    for event in events:
        if event.number <= number:
            continue
        if event.type == DELTA:
            delta = event.fields["delta"]
            had = max(0, number - (event.number - len(delta)))
            yield Numbered(event.number, DELTA, {**event.fields, "delta": delta[had:]})
        else:
            yield event


def text_part(text: str) -> Fields:
    """The one part of a message's content."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def output_parts(text: str) -> list[Fields]:
    """What a tool gave, as the output of a call."""
    return [{"type": "input_text", "text": text}]


def call_id_of(key: str, number: int) -> str:
    """The id of a call that the gateway gave none."""
    return f"call_{key}_{number}"


def _text(event: Mapping[str, Any], *names: str) -> str:
    values = (event.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")
