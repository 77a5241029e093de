"""The protocol, defined once: every event of `/chat-run`, who sends it and what it carries. Pure.

The tables list the events; `docs/protocol.md` is generated from them
(`python -m shared.protocol.protocol_doc`). Below them stands the encoding of events and of the
notifications that Redis publishes on the channel of a session.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

NAMESPACE: Final = "/chat-run"

Payload = dict[str, Any]


@dataclass(frozen=True)
class EventDef:
    """One event: its name, its fields besides the common ones, and what it means."""

    name: str
    fields: str
    meaning: str


CLIENT_EVENTS: Final = (
    EventDef(
        "run",
        "input, session_id?, model?, instructions?, client_request_id?, on_busy?",
        "Ask the agent. `on_busy` is `queue` (default), `reject` or `interrupt`.",
    ),
    EventDef(
        "resume", "session_id or run_id, epoch?, after_seq?", "Show the session and go on with it."
    ),
    EventDef("abort", "session_id or run_id", "Stop the live run, else the head of the queue."),
    EventDef(
        "queue.cancel",
        "session_id, run_id",
        "Take a waiting message out of the queue. The acknowledgement of one that had not begun "
        "has its `input`, as it was sent.",
    ),
    EventDef(
        "approval",
        "session_id or run_id, choice, approval_id?",
        "Answer the agent's question: `once`, `session`, `always` or `deny`. "
        "`approval_id` is the seq of its `approval.request`; without it the oldest open one.",
    ),
)

#: Events of a run's log: they carry run_id, session_id (if any), epoch and seq.
RUN_EVENTS: Final = (
    EventDef("run.started", "status, attempt, gateway_run_id", "The gateway took the run."),
    EventDef("message.delta", "delta", "A piece of the answer."),
    EventDef("reasoning.delta", "text", "A piece of the reasoning."),
    EventDef("thinking.delta", "text", "A piece of the reasoning, as other gateways name it."),
    EventDef("reasoning.available", "text", "Passed on; its text is the start of the answer."),
    EventDef("tool.started", "tool, preview?, tool_call_id?", "The agent calls a tool."),
    EventDef("tool.completed", "tool, duration?, error?, output?", "The tool is done."),
    EventDef("approval.request", "command, choices, …", "The agent asks before it acts."),
    EventDef("approval.responded", "choice", "Somebody answered."),
    EventDef("compression.started", "message_count, token_count", "Older turns get summarized."),
    EventDef("compression.completed", "compressed, beforeTokens, afterTokens, …", "Done with it."),
    EventDef("abort.started", "", "A person asked to stop; the gateway is being asked."),
    EventDef("abort.completed", "synced", "The gateway has stopped (`synced`), or did not say so."),
    EventDef(
        "run.retrying",
        "reason, delay",
        "The gateway cannot take it now, or did not say whether it has (`post_uncertain`); tried "
        "again in about `delay` seconds.",
    ),
    EventDef(
        "run.reattached",
        "mode",
        "The stream was lost. `replay`: live text goes on; `polling`: it pauses.",
    ),
    EventDef("usage.updated", "inputTokens, outputTokens", "Tokens of the session's context."),
    EventDef(
        "run.completed",
        "status, finish_reason, output, usage, inputTokens, outputTokens, resync?, synced?, "
        "parsed_*?",
        "The end of a run that was answered, or stopped by a person (`aborted`; `synced: false`: "
        "the gateway did not say that it has stopped).",
    ),
    EventDef("run.failed", "error, reason, inputTokens, outputTokens", "The end of a failed run."),
    EventDef("run.cancelled", "status, reason", "The end of a run that never started."),
)

#: Events of the session: no seq, read again by `resume` (P14).
SESSION_EVENTS: Final = (
    EventDef(
        "run.queued",
        "run_id, queue_length, position?, estimate?",
        "The message waits for the one before it; with `position`, for a free slot: then so many "
        "runs of all users start up to this one, in about `estimate` seconds.",
    ),
    EventDef(
        "queue.updated",
        "queue",
        "The waiting messages, or the place of the first one, changed.",
    ),
    EventDef("messages.updated", "run_id", "Stored messages were replaced: resume to read them."),
    EventDef("message.added", "message", "A prompt's turn has started; for other tabs."),
    EventDef("approval.expired", "run_id, approval_id", "An answer came too late."),
    EventDef(
        "session.updated",
        "title?, pinned, archived, workspace?, model?",
        "Somebody renamed it, or changed something else of it; this is how it is now.",
    ),
    EventDef("session.deleted", "", "The session is gone, with its runs and messages."),
)

#: Events to one socket.
SOCKET_EVENTS: Final = (
    EventDef(
        "resumed",
        "messages, total, hasMore, isWorking, events, queue, inputTokens, outputTokens, "
        "run_id, epoch, seq, status, title?, notices?, approvals?, ends?",
        "The answer to `resume`: everything so far; what follows is live.",
    ),
    EventDef("session.resync", "as resumed", "Your view cannot be continued: take this instead."),
    EventDef("error", "code, message", "A refused request of a client that asked for no reply."),
)

DELTAS: Final = frozenset({"message.delta", "reasoning.delta", "thinking.delta"})

RUN_COMPLETED: Final = "run.completed"
RUN_FAILED: Final = "run.failed"
RUN_CANCELLED: Final = "run.cancelled"
#: The events that end a run; gateways use the same names.
TERMINAL: Final = frozenset({RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED})

_GATEWAY_OWNED: Final = frozenset(
    {
        "message.delta",
        "reasoning.delta",
        "thinking.delta",
        "reasoning.available",
        "tool.started",
        "tool.completed",
        "approval.request",
        "approval.responded",
    }
)
_SOCKET_IO_RESERVED: Final = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
#: Names that only Holdfast may send: an event of a gateway that has one is dropped (P12).
RESERVED: Final = (
    frozenset(
        event.name
        for event in (*CLIENT_EVENTS, *RUN_EVENTS, *SESSION_EVENTS, *SOCKET_EVENTS)
        if event.name not in _GATEWAY_OWNED
    )
    | _SOCKET_IO_RESERVED
)


def encode(name: str, payload: Mapping[str, Any]) -> bytes:
    """`["name",{…}]` in UTF-8 without line breaks: the body of a Socket.IO event packet."""
    return orjson.dumps([name, payload])


def decode(entry: bytes) -> tuple[str, Payload]:
    """Name and payload of an encoded event."""
    name, payload = orjson.loads(entry)
    return name, payload


@dataclass(frozen=True)
class LogAppended:
    """Entries first … first + len(entries) - 1 were added to the log of a run."""

    run_id: str
    epoch: int
    fence: int
    first: int
    ended: bool
    entries: list[bytes]


@dataclass(frozen=True)
class LogReinstalled:
    """The log of a run was written anew, up to `head`. A relay that has less must read it."""

    run_id: str
    epoch: int
    head: int


@dataclass(frozen=True)
class SessionNotification:
    """An event of a session, encoded, for every socket that watches the session."""

    entry: bytes


def parse_notification(data: bytes) -> LogAppended | LogReinstalled | SessionNotification | None:
    """Parse what was published on the channel of a session; None for kinds of later versions.

    Formats: `E run epoch fence first ended\\nentry\\n…`, `R run epoch head`, `S entry`.
    """
    kind = data[:2]
    if kind == b"E ":
        header, _, body = data.partition(b"\n")
        _, run_id, epoch, fence, first, ended = header.split(b" ")
        return LogAppended(
            run_id.decode(), int(epoch), int(fence), int(first), ended == b"1", body.split(b"\n")
        )
    if kind == b"R ":
        _, run_id, epoch, head = data.split(b" ")
        return LogReinstalled(run_id.decode(), int(epoch), int(head))
    return SessionNotification(data[2:]) if kind == b"S " else None


def session_notification(name: str, payload: Mapping[str, Any]) -> bytes:
    """What to publish on the channel of a session for an event of it."""
    return b"S " + encode(name, payload)
