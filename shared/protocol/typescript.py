"""The types of events for the page and its client, made from the tables of `events`.

    python -m shared.protocol.typescript [--check]

Without `--check` it writes the file; with it, it fails if the file is not what it would write.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from shared.generated_file import write_or_check
from shared.protocol import events
from shared.protocol.events import EventDef
from shared.protocol.run_states import Reason, RunState

FILE: Final = Path(__file__).parents[2] / "web/ui/src/client/protocol.generated.ts"

_HEAD = """\
// Generated from shared/protocol/events.py; do not edit. To renew it:
// python -m shared.protocol.typescript

export const NAMESPACE = "{namespace}";
"""

_FIXED = """\
/** A stored or live message of user, assistant or tool. */
export interface Message {
  id: string | number;
  session_id?: string;
  run_id?: string;
  role: "user" | "assistant" | "tool";
  content: string;
  reasoning: string;
  timestamp?: number;
  finish_reason?: string;
  tool_calls?: unknown[];
  tool_call_id?: string;
  tool_name?: string;
  error?: boolean;
  duration?: number;
  reasoning_duration?: number;
  content_blocks?: unknown[];
  truncated?: boolean;
}

/** A message that waits for the one before it; with `position`, for a free slot. */
export interface Waiting {
  run_id: string;
  input: string;
  created_at: number;
  position?: number;
  estimate?: number;
}

/** What a session will not have as long as its gateway is as it is. */
export interface Notice {
  code: string;
  missing: string[];
  message: string;
}

/** How a run ended that was not answered. */
export interface BadEnd {
  run_id: string;
  status: "failed" | "aborted";
  reason?: string;
  error?: string;
  unconfirmed?: boolean;
}

/** What all events of a run carry. */
export interface OfRun {
  event: string;
  run_id: string;
  epoch: number;
  seq: number;
  session_id?: string;
  timestamp?: number;
}

/** What all events of a session carry. */
export interface OfSession {
  event: string;
  session_id: string;
}

/** The acknowledgement of a request. */
export type Reply =
  | {
      ok: true;
      run_id?: string;
      session_id?: string;
      status?: string;
      approval_id?: number;
      input?: unknown;
    }
  | { ok: false; error: { code: string; message: string } };
"""

_TYPES: Final = {
    "after_seq": "number",
    "afterTokens": "number",
    "approval_id": "number",
    "approvals": "OfRun[]",
    "archived": "boolean",
    "attempt": "number",
    "beforeTokens": "number",
    "choice": "string",
    "choices": "string[]",
    "client_request_id": "string",
    "code": "string",
    "command": "string",
    "compressed": "boolean",
    "delay": "number",
    "delta": "string",
    "duration": "number",
    "ends": "BadEnd[]",
    "epoch": "number",
    "error": "string",
    "events": "{ event: string; data: OfRun }[]",
    "finish_reason": "string",
    "gateway_run_id": "string",
    "hasMore": "boolean",
    "input": "unknown",
    "inputTokens": "number",
    "instructions": "string",
    "isWorking": "boolean",
    "message": "string",
    "message_count": "number",
    "messages": "Message[]",
    "mode": "string",
    "model": "string",
    "notices": "Notice[]",
    "on_busy": '"queue" | "reject" | "interrupt"',
    "output": "string",
    "outputTokens": "number",
    "pinned": "boolean",
    "preview": "string",
    "queue": "Waiting[]",
    "queue_length": "number",
    "position": "number",
    "estimate": "number",
    "reason": "string",
    "resync": "boolean",
    "run_id": "string",
    "seq": "number",
    "session_id": "string",
    "status": "string",
    "synced": "boolean",
    "text": "string",
    "title": "string",
    "token_count": "number",
    "tool": "string",
    "tool_call_id": "string",
    "total": "number",
    "usage": "Record<string, unknown>",
    "workspace": "string",
}
#: Fields that have another type in one event.
_OTHERWISE: Final = {
    ("message.added", "message"): "Message",
    ("tool.completed", "error"): "boolean",
    ("tool.completed", "output"): "unknown",
}
#: A resume of a session that has no run has none of these.
_LEFT_OUT: Final = {
    ("resumed", name) for name in ("run_id", "epoch", "seq", "status", "session_id")
}
_FIELD = re.compile(r"([\w*]+)(\?)?")


class UnknownField(Exception):
    """A field of an event has no type yet; add it to `_TYPES`."""


def source() -> str:
    """Return the file, in TypeScript. Raises UnknownField."""
    parts = [
        _HEAD.format(namespace=events.NAMESPACE),
        _FIXED,
        _names("RunState", [state.value for state in RunState]),
        _names("Reason", [reason.value for reason in Reason]),
        _map("Requests", "", events.CLIENT_EVENTS, "What a client may send."),
        _map("RunEvents", "OfRun & ", events.RUN_EVENTS, "Events of a run."),
        _map("SessionEvents", "OfSession & ", events.SESSION_EVENTS, "Events of a session."),
        _map("SocketEvents", "", events.SOCKET_EVENTS, "Events to one socket."),
        _list("RUN_EVENTS", events.RUN_EVENTS),
        _list("SESSION_EVENTS", events.SESSION_EVENTS),
        f"export const TERMINAL: ReadonlySet<string> = new Set({_array(sorted(events.TERMINAL))});",
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the file or check it; return the exit code."""
    return write_or_check(FILE, source(), "shared.protocol.typescript", arguments)


def _map(name: str, base: str, definitions: Iterable[EventDef], meaning: str) -> str:
    rows = "".join(
        f"  /** {one.meaning} */\n  {_array([one.name])[1:-1]}: {base}{_shape(one)};\n"
        for one in definitions
    )
    return f"/** {meaning} */\nexport interface {name} {{\n{rows}}}\n"


def _shape(definition: EventDef) -> str:
    if definition.fields.startswith("as "):
        return f'SocketEvents["{definition.fields.removeprefix("as ")}"]'
    fields = []
    is_choice = " or " in definition.fields
    for part in definition.fields.replace(" or ", "?, ").split(","):
        text = part.strip()
        if text in ("", "…") or "*" in text:
            continue
        found = _FIELD.fullmatch(text)
        assert found is not None, text
        mark = "?" if found[2] or (is_choice and text == "run_id") else ""
        fields.append(_field(definition.name, found[1], mark))
    if any(mark in definition.fields for mark in ("…", "*")):
        fields.append("[field: string]: unknown")
    if definition.name == "resumed":
        fields += ["session_id?: string", "replay?: boolean", "degraded?: boolean"]
    return "{ " + "; ".join(fields) + " }" if fields else "object"


def _field(event: str, name: str, mark: str) -> str:
    kind = _OTHERWISE.get((event, name)) or _TYPES.get(name)
    if kind is None:
        raise UnknownField(f"{event}: {name}")
    return f"{name}{'?' if (event, name) in _LEFT_OUT else mark}: {kind}"


def _names(name: str, values: Iterable[str]) -> str:
    return f"export type {name} = {' | '.join(_array([value])[1:-1] for value in values)};\n"


def _list(name: str, definitions: Iterable[EventDef]) -> str:
    return f"export const {name} = {_array([one.name for one in definitions])} as const;\n"


def _array(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
