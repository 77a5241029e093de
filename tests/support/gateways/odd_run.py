"""A run at an `OddGateway`: what the gateway says of it, spoiled where the seed says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support.gateways.odd_json import Json, body, spoiled, value, written

PLACES = ("post", "status", "session", "messages", "events", "end", "break", "codes")
ENDS = ("run.completed", "run.failed", "run.cancelled")
NAMES = (
    *("message.delta", "reasoning.delta", "thinking.delta", "tool.started", "tool.completed"),
    *("subagent.progress", "approval.request", "approval.responded", "reasoning.available"),
    *("resumed", "usage.updated", "run.reattached", "é" * 300, "plan.updated", "\ud83d"),
)
FIELDS = (
    *("delta", "text", "tool", "output", "error", "data", "timestamp", "seq", "run_id", "usage"),
    *("duration", "tool_call_id", "preview", "choices"),
)
USAGE: Json = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
TOOL: tuple[Json, ...] = (
    {"event": "tool.started", "tool": "ls", "tool_call_id": "c1"},
    {"event": "tool.completed", "tool": "ls", "duration": 0.1},
)
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
Frame = tuple[bytes, str | None]  # and the part of the text that it brings, if any


@dataclass
class Run:
    """`odd`: the places that are spoiled. `parts`: the whole text. `kept`: those parts of it that
    were sent before anything broke. `served`: the stream was sent to its end."""

    seed: int
    good: bool
    eph: str = ""
    odd: frozenset[str] = frozenset()
    parts: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    served: bool = False
    stopped: bool = False

    @classmethod
    def planned(cls, seed: int, *, good: bool, eph: str = "") -> Run:
        """The run of that seed."""
        random = Random(seed)
        parts = [f"<{seed}.{n}> " for n in range(random.randrange(1, 9))]
        places = () if good else PLACES
        odd = frozenset(place for place in places if random.random() < 0.4)
        return cls(seed, good, eph, odd, parts)

    @property
    def id(self) -> str:
        """The gateway's id of it."""
        return f"gw_{self.seed}_{self.good}"

    @property
    def text(self) -> str:
        """Its answer."""
        return "".join(self.parts)

    def posted(self) -> Any:
        """The answer to its POST."""
        answer = {"run_id": self.id, "status": "started"}
        return spoiled(Random(self.seed + 1), answer, 0.3) if "post" in self.odd else answer

    def said(self, what: str, random: Random) -> Any:
        """The answer of that name: `status`, `session` or `messages`."""
        answers = {"status": self._status, "session": self._session, "messages": self._messages}
        answer = answers[what](random)
        if what not in self.odd:
            return answer
        return spoiled(random, answer, random.choice([0.02, 0.1, 0.3]))

    def _status(self, random: Random) -> Json:
        over = self.served or self.stopped or random.random() < 0.5
        status = "completed" if over else "running"
        about = {"run_id": self.id, "status": status, "error": None}
        return {**about, "output": self.text, "usage": USAGE}

    def _session(self, _: Random) -> Json:
        about = {"id": self.eph, "model": "m", "source": "api", "parent_session_id": None}
        return {"session": {**about, "end_reason": None, **USAGE}}

    def _messages(self, _: Random) -> Json:
        rows = [
            {"role": "user", "content": "hi", "timestamp": 1.0},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "a b", "tool_call_id": "c1", "tool_name": "ls"},
            {"role": "assistant", "content": self.text, "finish_reason": "stop", "reasoning": "r"},
        ]
        return {"session_id": self.eph, "data": rows}

    def frames(self) -> list[Frame]:
        """Those of its stream, always the same."""
        random, odd = Random(self.seed + 2), "events" in self.odd
        events: list[Any] = list(TOOL)
        if odd:
            events = [spoiled(random, event, 0.2) for event in events]
            for _ in range(random.randrange(9)):
                events.insert(random.randrange(len(events) + 1), _event(random))
        frames: list[Frame] = [(body(random, event, odd), None) for event in events]
        at = sorted(random.randrange(len(frames) + 1) for _ in self.parts)
        for place, part in zip(reversed(at), reversed(self.parts), strict=True):
            event = {"event": "message.delta", "run_id": self.id, "delta": part, "timestamp": 1.5}
            frames.insert(place, (written(event).encode(), part))
        return frames + self._end(random)

    def _end(self, random: Random) -> list[Frame]:
        end: Any = {"event": "run.completed", "output": self.text, "usage": USAGE}
        if "end" in self.odd:
            end = spoiled(random, {**end, "event": random.choice(ENDS)}, 0.2)
            if random.random() < 0.3:
                return []
        return [(written(end).encode(), None)]


def _event(random: Random) -> Json:
    named = {"event": random.choice(NAMES)} if random.random() < 0.9 else {}
    return {**named, **{random.choice(FIELDS): value(random) for _ in range(random.randrange(4))}}
