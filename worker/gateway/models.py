"""What a gateway's answers say, as values. Pure: code that decides needs these and no HTTP.

`boundary` makes them of what a gateway sends, so each field has the type that it has here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

# The states of a run. `interrupted`: the gateway was shut down in the middle of it.
TERMINAL = frozenset({"completed", "failed", "cancelled", "interrupted"})
ENDS = frozenset(f"run.{state}" for state in TERMINAL)  # the events that say so
WORKING = frozenset({"queued", "started", "running", "waiting_for_approval", "stopping"})


class CalledFunction(TypedDict):
    """A tool and its arguments, which are JSON text."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """A call of a tool in an assistant's message."""

    id: str | None  # the first of the three that the gateway gave
    call_id: str | None
    tool_call_id: str | None
    type: str
    function: CalledFunction


class GatewayMessage(TypedDict, total=False):
    """A message of a gateway's session; fields without a value are None or missing."""

    role: str
    content: str
    tool_calls: list[ToolCall]
    tool_call_id: str | None
    tool_name: str | None
    finish_reason: str | None
    reasoning: str | None
    reasoning_content: str | None
    reasoning_details: str | None
    codex_reasoning_items: str | None
    timestamp: float | None  # epoch seconds


class GatewaySession(TypedDict, total=False):
    """A gateway's session with its token counts; fields without a value are None or missing."""

    id: str
    source: str | None
    parent_session_id: str | None
    _lineage_root_id: str | None
    model: str | None
    started_at: float | None
    ended_at: float | None
    last_active: float | None
    end_reason: str | None
    message_count: int | None
    tool_call_count: int | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    api_call_count: int | None
    estimated_cost_usd: float | None
    actual_cost_usd: float | None
    billing_provider: str | None
    cost_status: str | None


@dataclass(frozen=True)
class Capabilities:
    """What a gateway says that it offers, besides what all of them do.

    `replays`: the stream of a run may be read again from its start (R1). `repeats`: a POST that is
    sent again with its key gets the run that it got before, also after a restart (R2). `steers`: a
    run that works takes further input.
    """

    platform: str | None = None
    replays: bool = False
    repeats: bool = False
    steers: bool = False


@dataclass(frozen=True)
class RunStatus:
    """The state of a run as its gateway reports it. `last_event`: the name of the latest event."""

    status: str
    output: str | None
    usage: dict[str, Any] | None
    error: str | None
    last_event: str | None = None

    @property
    def terminal(self) -> bool:
        """Whether the gateway has finished the run. A state that is not known here is an end if
        the event of that name was the last one, as it is for all ends that are known."""
        if self.status in TERMINAL:
            return True
        known = self.status in WORKING or not self.status
        return not known and self.last_event == f"run.{self.status}"


@dataclass(frozen=True)
class GatewayTranscript:
    """The messages of a gateway session. A gateway that compresses in mid-run continues the session
    under another id, so `session_id` may differ from the requested one (P25)."""

    session_id: str
    messages: Sequence[GatewayMessage]
    session_ids: tuple[str, ...] = ()  # the requested session and its continuations, in order
    usage: GatewaySession | None = None  # the session's row, with token counts of all of them


@dataclass(frozen=True)
class SessionPage:
    """Some of a gateway's sessions, the last used first; `more`: there may be a next page.
    `unusable`: how many rows of the page were none of a session."""

    rows: Sequence[GatewaySession]
    more: bool
    unusable: int = 0

    @property
    def size(self) -> int:
        """How many rows the gateway gave, by which it counts the next page's offset."""
        return len(self.rows) + self.unusable


@dataclass(frozen=True)
class GatewayWork:
    """A gateway's process id and its number of running jobs; None: it does not report it."""

    pid: int | None
    active: int | None
