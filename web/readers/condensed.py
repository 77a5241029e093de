"""What a reader lacks of messages: of a folded log, or of a run's stored turn. Pure.

Each message becomes at most one delta of reasoning and one of text, each tool its two events. What
the reader has is left out, by the counts of its place. A text that is not the beginning of the one
that is there cannot be continued: then the whole text comes as `message.snapshot`, which replaces
what was shown.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from web.readers.frames import SNAPSHOT
from web.readers.place import OpenTool, Place, advance, start_of

Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Said:
    """A message of the assistant."""

    reasoning: str
    text: str


@dataclass(frozen=True)
class Used:
    """A tool. `done`: it is completed."""

    name: str
    call_id: str
    done: bool
    output: str = ""
    error: bool = False
    duration: float | None = None


Step = Said | Used


def steps_of(messages: Sequence[dict[str, Any]], open_ids: Sequence[str] = ()) -> list[Step]:
    """The steps of messages in the shape that clients get. `open_ids`: of tools without result."""
    names = _names(messages)
    steps: list[Step] = []
    for message in messages:
        if message["role"] == "assistant":
            steps.append(Said(message.get("reasoning") or "", message.get("content") or ""))
        elif message["role"] == "tool":
            call_id = message.get("tool_call_id") or ""
            steps.append(
                Used(
                    name=message.get("tool_name") or names.get(call_id, ""),
                    call_id=call_id,
                    done=message.get("id") not in open_ids,
                    output=message.get("content") or "",
                    error=bool(message.get("error")),
                    duration=message.get("duration"),
                )
            )
    return steps


def _names(messages: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Names of tools by call: stored results of gateways do not always have them."""
    calls = [call for m in messages for call in m.get("tool_calls") or [] if isinstance(call, dict)]
    named = ((call.get("id"), (call.get("function") or {}).get("name")) for call in calls)
    return {str(call_id): name for call_id, name in named if call_id and isinstance(name, str)}


def missing(steps: Sequence[Step], had: Place, run_id: str) -> Iterator[tuple[Place, Event]]:
    """The events that a reader at `had` lacks, each with the place behind it. Epoch and seq of the
    places are those of `had`: the reader is not yet behind any entry of the log."""
    tools = [step for step in steps if isinstance(step, Used)]
    place = had.but(open=_named(had.open, tools))
    text = "".join(step.text for step in steps if isinstance(step, Said))
    begun = start_of(run_id).checksum
    if had.text > len(text) or _checksum(text[: had.text], begun) != had.checksum:
        place = place.but(text=len(text), checksum=_checksum(text, begun))
        yield place, (SNAPSHOT, {"text": text})
    skip_text, skip_reasoning = place.text, place.reasoning
    number = 0
    for step in steps:
        if isinstance(step, Used):
            number += 1
            for at, event in _of_tool(step, number, place):
                place = at
                yield at, event
            continue
        more, said = step.reasoning[skip_reasoning:], step.text[skip_text:]
        skip_reasoning = max(0, skip_reasoning - len(step.reasoning))
        skip_text = max(0, skip_text - len(step.text))
        for name, payload in (
            ("reasoning.delta", {"text": more}),
            ("message.delta", {"delta": said}),
        ):
            if payload.get("text") or payload.get("delta"):
                place = advance(place, name, payload, place.seq)
                yield place, (name, payload)


def _of_tool(tool: Used, number: int, place: Place) -> Iterator[tuple[Place, Event]]:
    """The events of a tool. The places are made here: by name alone, a completed tool could not be
    told from an open one."""
    named = {"tool": tool.name} | ({"tool_call_id": tool.call_id} if tool.call_id else {})
    if number > place.tools:
        still_open = (*place.open, OpenTool(number, tool.call_id, tool.name))
        place = place.but(tools=number, open=still_open)
        yield place, ("tool.started", {**named, "preview": None})
    still_open = tuple(other for other in place.open if other.number != number)
    if tool.done and still_open != place.open:
        place = place.but(open=still_open)
        duration = tool.duration if tool.duration is not None else 0.0
        result = {"duration": duration, "error": tool.error, "output": tool.output}
        yield place, ("tool.completed", {**named, **result})


def _named(tools: Sequence[OpenTool], known: Sequence[Used]) -> tuple[OpenTool, ...]:
    """With the names that an id does not have."""
    return tuple(
        OpenTool(t.number, known[t.number - 1].call_id, known[t.number - 1].name)
        if t.number <= len(known)
        else t
        for t in tools
    )


def _checksum(text: str, begun: int) -> int:
    return zlib.crc32(text.encode("utf-8", "replace"), begun)
