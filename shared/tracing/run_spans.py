"""The spans of a run, from what its last owner knows of it. Pure.

The trace id of a run and the id of its root follow from the run's id, and its timeline survives
takeovers. So processes pass nothing to each other: whoever ends the run writes the whole of it, and
a web process adds its part under the same root, before or after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.protocol.timeline import Step

Value = str | int | float | bool

ROOT: Final = "invoke_agent"
_EVENTS: Final = frozenset({"first_token", "retrying", "reattached"})


@dataclass(frozen=True)
class Span:
    """One span of a run, a child of its root unless it is the root. Times are epoch seconds.
    `events`: name and time. `error`: what failed."""

    name: str
    began: float
    ended: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: Sequence[tuple[str, float]] = ()
    error: str | None = None


@dataclass(frozen=True)
class EndedRun:
    """What is known of a run at its end. Times are epoch seconds."""

    run_id: str
    accepted_at: float
    claimed_at: float  # for the first time
    ended_at: float
    attributes: Mapping[str, Value]
    steps: Sequence[Step]
    error: str | None = None


def root_id(run_id: str) -> int:
    """Return the span id of the run's root: 64 bits, not zero."""
    digest = hashlib.sha256(b"root:" + run_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") or 1


def spans_of(run: EndedRun) -> tuple[Span, list[Span]]:
    """Return the root of the run, and its children."""
    steps = [step for step in run.steps if step["at"] is not None]
    events = [(step["step"], step["at"]) for step in steps if step["step"] in _EVENTS]
    root = Span(ROOT, run.accepted_at, run.ended_at, run.attributes, events, run.error)
    waiting = Span("queue", run.accepted_at, max(run.accepted_at, run.claimed_at))
    return root, [waiting, *_owners(run, steps), *_posts(run, steps), *_tools(run, steps)]


def _owners(run: EndedRun, steps: Sequence[Step]) -> Iterator[Span]:
    """Yield one for each claim: by which worker the run was done from then on."""
    later = [step for step in steps if step["step"] == "claimed"]
    begins = [run.claimed_at, *(step["at"] for step in later)]
    ends = [*begins[1:], run.ended_at]
    taken = [False, *(bool(step.get("taken_over")) for step in later)]
    for began, ended, taken_over in zip(begins, ends, taken, strict=True):
        yield _span("worker", began, ended, {"holdfast.taken_over": taken_over})


def _posts(run: EndedRun, steps: Sequence[Step]) -> Iterator[Span]:
    """Yield one for each time at which the gateway took the run: until the end, or the next one."""
    begins = [step["at"] for step in steps if step["step"] == "started"]
    for began, ended in zip(begins, [*begins[1:], run.ended_at], strict=True):
        yield _span("chat", began, ended, {"gen_ai.operation.name": "chat"})


def _tools(run: EndedRun, steps: Sequence[Step]) -> Iterator[Span]:
    """Yield one for each call of a tool: an end belongs to the oldest call of its name."""
    open_calls: dict[str, list[float]] = {}
    for step in steps:
        tool = str(step.get("tool", "unknown"))
        if step["step"] == "tool_started":
            open_calls.setdefault(tool, []).append(step["at"])
        elif step["step"] == "tool_completed" and open_calls.get(tool):
            error = "the tool failed" if step.get("failed") else None
            yield _tool(tool, open_calls[tool].pop(0), step["at"], error)
    for tool, begins in open_calls.items():
        for began in begins:
            yield _tool(tool, began, run.ended_at, None)


def _tool(tool: str, began: float, ended: float, error: str | None) -> Span:
    attributes: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    return _span(f"execute_tool {tool}", began, ended, attributes, error)


def _span(
    name: str, began: float, ended: float, attributes: Mapping[str, Value], error: str | None = None
) -> Span:
    return Span(name, began, max(began, ended), attributes, error=error)
