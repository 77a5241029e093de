"""A pure fold of the events of one run into the messages that a person would see.

Problem: who opens a session while a run is live must see the answer so far, as messages, though
the log of the run holds only small events; and what is shown then must equal what everybody saw
who watched from the start.
Idea: `Transcript` is a state machine. `apply` takes the entries of the log one by one, in order;
`messages` gives the result in the shape of P8. The state can be stored (`to_state`) and continued
(`from_state`), so a checkpoint may stand for the older entries of a log.
Rules: deltas extend the open assistant message; `tool.started` closes it with `tool_calls`; the
terminal event closes it with its own reason, and gives it `output` as text if the run streamed
none. An assistant message exists only once it has text or reasoning, so none is empty.
`reasoning.available` repeats the answer (P11) and is ignored. An answer that began with reasoning
has `reasoning_duration`: the seconds until its text, or until it was closed without any.
Invariant: fold(a + b) == from_state(to_state(fold(a))) continued with b, for every cut. `apply`
never raises on JSON-like input: a live run must not fail because of a malformed event. A delta
costs O(1) amortized; texts are joined only when they are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from shared.protocol.events import RUN_CANCELLED, RUN_FAILED, TERMINAL

Message: TypeAlias = dict[str, Any]

_FIXED_REASONS = {RUN_FAILED: "error", RUN_CANCELLED: "aborted"}  # P28


class _Text:
    """A string that grows in O(1) amortized."""

    __slots__ = ("_parts",)

    def __init__(self, value: str = "") -> None:
        self._parts: list[str] = [value] if value else []

    def add(self, part: str) -> None:
        self._parts.append(part)

    def is_empty(self) -> bool:
        return not self._parts

    def value(self) -> str:
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""


@dataclass(slots=True)
class _Entry:
    """One message under construction. `open`: it still takes deltas, or awaits its result."""

    number: int
    role: str
    timestamp: float
    content: _Text = field(default_factory=_Text)
    reasoning: _Text = field(default_factory=_Text)
    open: bool = True
    finish_reason: str | None = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    error: bool | None = None
    duration: float | None = None
    reasoning_duration: float | None = None

    def optional_fields(self) -> dict[str, Any]:
        """The fields that are left out when they are unknown (P1)."""
        names = (
            *("finish_reason", "tool_call_id", "tool_name", "error"),
            *("duration", "reasoning_duration"),
        )
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def to_state(self) -> dict[str, Any]:
        return self.optional_fields() | {
            "number": self.number,
            "role": self.role,
            "timestamp": self.timestamp,
            "content": self.content.value(),
            "reasoning": self.reasoning.value(),
            "open": self.open,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> _Entry:
        texts = {name: _Text(state[name]) for name in ("content", "reasoning")}
        return cls(**{**state, **texts})


class Transcript:
    """The messages of one run so far. Feed with `apply`, read with `messages`."""

    def __init__(self, run_id: str = "", session_id: str | None = None) -> None:
        """`run_id` and `session_id` default to those of the first event that has them."""
        self.run_id = run_id
        self.session_id = session_id
        self.produced_text = False  # any streamed answer text that is not blank
        self.ended = False
        self._entries: list[_Entry] = []
        self._clock: float = 0

    def apply(self, event: object) -> None:
        """Fold one event in. Unknown, malformed and late (after the end) ones change nothing."""
        if not isinstance(event, dict | Mapping) or self.ended:
            return
        self._learn_envelope(event)
        name = event.get("event")
        handler = _HANDLERS.get(name) if isinstance(name, str) else None
        if handler is not None:
            handler(self, event)

    def messages(self) -> list[Message]:
        """The messages in order, shaped as P8, ids `run_id:n` (n from 1); new dicts each time."""
        return [self._message(entry) for entry in self._entries]

    def segments(self) -> list[str]:
        """The texts of the assistant messages that have any, in order (for R5, R6)."""
        answers = (entry for entry in self._entries if entry.role == "assistant")
        return [text for entry in answers if (text := entry.content.value())]

    def open_tool_calls(self) -> list[Message]:
        """The tool messages without a `tool.completed`, oldest first."""
        return [self._message(entry) for entry in self._open_tools()]

    def to_state(self) -> dict[str, Any]:
        """The state as JSON-able values, for a checkpoint; `from_state` continues from it (R29)."""
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "produced_text": self.produced_text,
            "ended": self.ended,
            "clock": self._clock,
            "entries": [entry.to_state() for entry in self._entries],
        }

    def copy(self) -> Transcript:
        """An equal transcript that goes on by itself."""
        return Transcript.from_state(self.to_state())

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Transcript:
        """Restore what `to_state` gave. Raises KeyError on any other mapping."""
        transcript = cls(state["run_id"], state["session_id"])
        transcript.produced_text = state["produced_text"]
        transcript.ended = state["ended"]
        transcript._clock = state["clock"]
        transcript._entries = [_Entry.from_state(entry) for entry in state["entries"]]
        return transcript

    # -- events ---------------------------------------------------------------------------

    def _learn_envelope(self, event: Mapping[str, Any]) -> None:
        if not self.run_id:
            self.run_id = _text(event, "run_id")
        if not self.session_id:
            self.session_id = _text(event, "session_id") or None
        self._clock = _number(event.get("timestamp"), self._clock)

    def _add_text(self, event: Mapping[str, Any]) -> None:
        if delta := _text(event, "delta"):
            answer = self._answer()
            self._end_reasoning(answer)
            answer.content.add(delta)
            self.produced_text = self.produced_text or not delta.isspace()

    def _add_reasoning(self, event: Mapping[str, Any]) -> None:
        if delta := _text(event, "text", "delta"):
            self._answer().reasoning.add(delta)

    def _start_tool(self, event: Mapping[str, Any]) -> None:
        self._close_answer("tool_calls")
        tool = self._append("tool")
        tool.tool_call_id = _text(event, "tool_call_id") or None
        tool.tool_name = _text(event, "tool", "name") or None

    def _complete_tool(self, event: Mapping[str, Any]) -> None:
        call_id, name = _text(event, "tool_call_id"), _text(event, "tool", "name")
        tool = self._find_open_tool(call_id, name)
        if tool is None:
            return
        tool.open = False
        tool.content = _Text(_as_content(event.get("output")))
        tool.tool_call_id = tool.tool_call_id or call_id or None
        tool.error = bool(event.get("error"))
        duration = _number(event.get("duration"), -1)
        tool.duration = duration if duration >= 0 else None

    def _end(self, event: Mapping[str, Any]) -> None:
        output = _text(event, "output")
        if output and not output.isspace() and not self.produced_text:
            answer = self._answer()
            self._end_reasoning(answer)
            answer.content = _Text(output)
        self._close_answer(_end_reason(event))
        self.ended = True

    # -- entries --------------------------------------------------------------------------

    def _append(self, role: str) -> _Entry:
        entry = _Entry(len(self._entries) + 1, role, self._clock)
        self._entries.append(entry)
        return entry

    def _answer(self) -> _Entry:
        """The open assistant message, opened now if there is none."""
        last = self._entries[-1] if self._entries else None
        return (
            last if last and last.role == "assistant" and last.open else self._append("assistant")
        )

    def _close_answer(self, reason: str) -> None:
        last = self._entries[-1] if self._entries else None
        if last and last.role == "assistant" and last.open:
            last.open, last.finish_reason = False, reason
            self._end_reasoning(last)

    def _end_reasoning(self, answer: _Entry) -> None:
        """Text follows, or nothing does: what was reasoned before took until now."""
        if answer.content.is_empty() and not answer.reasoning.is_empty() and answer.timestamp:
            answer.reasoning_duration = max(0.0, self._clock - answer.timestamp)

    def _open_tools(self) -> list[_Entry]:
        return [entry for entry in self._entries if entry.role == "tool" and entry.open]

    def _find_open_tool(self, call_id: str, name: str) -> _Entry | None:
        """By call id, else the oldest open call of that name which no other id claims (P13)."""
        tools = self._open_tools()
        by_id = [tool for tool in tools if call_id and tool.tool_call_id == call_id]
        by_name = [
            tool
            for tool in tools
            if tool.tool_name == (name or None) and not (call_id and tool.tool_call_id)
        ]
        return next(iter(by_id + by_name), None)

    def _message(self, entry: _Entry) -> Message:
        return {
            "id": f"{self.run_id}:{entry.number}",
            "session_id": self.session_id,
            "role": entry.role,
            "content": entry.content.value(),
            "reasoning": entry.reasoning.value(),
            "timestamp": entry.timestamp,
        } | entry.optional_fields()


_HANDLERS: dict[str, Callable[[Transcript, Mapping[str, Any]], None]] = {
    "message.delta": Transcript._add_text,
    "reasoning.delta": Transcript._add_reasoning,
    "thinking.delta": Transcript._add_reasoning,
    "tool.started": Transcript._start_tool,
    "tool.completed": Transcript._complete_tool,
} | dict.fromkeys(TERMINAL, Transcript._end)


def _text(event: Mapping[str, Any], *names: str) -> str:
    """The first of the named fields that is a non-empty string, else ''."""
    for name in names:
        value = event.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def _number(value: object, otherwise: float) -> float:
    """`value` if it is a finite number, else `otherwise`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return value if isinstance(value, int) or math.isfinite(value) else otherwise


def _as_content(output: object) -> str:
    """A tool's output as text: strings as they are, nothing as '', the rest as JSON."""
    if output is None or isinstance(output, str):
        return output or ""
    try:
        return json.dumps(output, ensure_ascii=False, default=str)
    except (RecursionError, TypeError, ValueError):
        return ""  # nested too deeply or circular: no text can be given


def _end_reason(event: Mapping[str, Any]) -> str:
    fixed = _FIXED_REASONS.get(_text(event, "event"))
    status = "aborted" if event.get("status") == "aborted" else "stop"
    return fixed or _text(event, "finish_reason") or status
