"""What readers of a run were shown of its answer, as values that can be stored. Pure.

A part is `["text", text]` or `["tool", name, call id, output]`, in the order of the fold: a tool
stands where it was started. The parts are the same whether they come from the fold of a whole log,
of a shortened one, or from where they were stored at the end of the run.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

Parts: TypeAlias = list[list[str]]


def parts_of(messages: Iterable[Mapping[str, Any]]) -> Parts:
    """The parts of a run's messages, as `Transcript.messages` gives them."""
    parts: Parts = []
    for message in messages:
        content = message.get("content") or ""
        if message["role"] == "tool":
            name, call_id = message.get("tool_name") or "", message.get("tool_call_id") or ""
            parts.append(["tool", name, call_id, content])
        elif content:
            parts.append(["text", content])
    return parts


def events_of(parts: Iterable[list[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Events of a log that has exactly these parts: each text in one delta."""
    for part in parts:
        match part:
            case ["text", text]:
                yield "message.delta", {"delta": text}
            case ["tool", name, call_id, output]:
                named = {"tool": name, "tool_call_id": call_id}
                yield "tool.started", named
                yield "tool.completed", {**named, "output": output}
