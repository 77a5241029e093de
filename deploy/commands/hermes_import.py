"""Reads the conversations of a Hermes home and converts them into our rows (P29)."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from shared.conversation import tokens
from shared.conversation.content import blocks_to_text, clean_json, parse_stringified
from shared.conversation.history import clean_calls
from shared.db.sessions.import_session import Chat
from shared.db.sessions.upsert import title_of
from shared.db.usage_report import BILLING, COSTS, COUNTS
from worker.gateway.hermes_state_db import messages_of, open_read_only, pick, session_row
from worker.transcript.reconcile import with_ids
from worker.transcript.tail import is_synthetic, tool_names

Row = dict[str, Any]

EPHEMERAL: Final = ("eph_", "compress_")  # prefixes of sessions made for one run or summary
_TEXTS: Final = (
    "tool_call_id",
    "finish_reason",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "codex_reasoning_items",
)


def session_ids(path: Path) -> list[object]:
    """Return the ids of all sessions, oldest first, whatever they are. Raises sqlite3.Error."""
    with closing(open_read_only(path)) as db:
        rows = db.execute("SELECT id FROM sessions ORDER BY started_at, id").fetchall()
    return [row["id"] for row in rows]


def read_chat(path: Path, session_id: str, profile: str) -> Chat | None:
    """Return one conversation, or None if it has no messages. Raises sqlite3.Error."""
    with closing(open_read_only(path)) as db:
        db.execute("BEGIN")  # one view of the data, whatever the gateway writes meanwhile
        found = db.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
        if found is None:
            return None
        more = pick(found, ("cwd", *BILLING))
        about: Row = clean_json({**session_row(found), **more})
        rows = list(message_rows(messages_of(db, session_id), _stamp(about["started_at"])))
    return _chat(session_id, profile, about, rows) if rows else None


def message_rows(messages: Sequence[Row], began: float | None) -> Iterator[Row]:
    """Rows for the table `messages`: each user message begins a turn, others follow it.

    Other roles, empty answers and the gateway's own lines about interruptions are left out. A
    message without a time gets that of the one before.
    """
    names = tool_names(messages)
    turn, index, stamp = 0, 0, began or 0.0
    for message in messages:
        row = _row(message, names)
        if row is None:
            continue
        if row["role"] == "user":
            turn, index = turn + 1, 0
        else:
            turn, index = max(turn, 1), index + 1
        stamp = _stamp(message.get("timestamp")) or stamp
        yield {**row, "turn_no": turn, "idx": index, "timestamp": stamp}


def _row(message: Mapping[str, Any], names: Mapping[str, str]) -> Row | None:
    role, content = message.get("role"), message.get("content")
    if role not in {"user", "assistant", "tool"}:
        return None
    row: Row = {name: _text(message.get(name)) for name in _TEXTS}
    row |= {"role": role, "content": blocks_to_text(content), "tool_calls": None}
    row["content_blocks"] = content if role == "user" and isinstance(content, list) else None
    row["tool_name"] = _text(message.get("tool_name")) or names.get(row["tool_call_id"] or "")
    if role == "assistant" and not _parse_answer(row, message.get("tool_calls")):
        return None
    row["token_count"] = _count(message.get("token_count"), 2**31) or tokens.count(row["content"])
    return row


def _parse_answer(row: Row, calls: object) -> bool:
    """Parse stringified content (P27) into `row`; False if the answer is empty."""
    row["tool_calls"] = clean_calls(with_ids(calls)) or None
    if is_synthetic(row["content"]):
        row["content"] = ""
    parsed = parse_stringified(row["content"])
    if parsed is not None:
        row["content"] = parsed.content
        row["reasoning"] = parsed.reasoning or row["reasoning"]
        row["tool_calls"] = parsed.tool_calls or row["tool_calls"]
    return bool(row["content"].strip() or row["reasoning"] or row["tool_calls"])


def _chat(session_id: str, profile: str, about: Row, rows: list[Row]) -> Chat:
    began = _stamp(about["started_at"]) or rows[0]["timestamp"]
    last = max(began, *(row["timestamp"] for row in rows))
    asked = next((row["content"] for row in rows if row["role"] == "user"), "")
    answers = [row["content"] for row in rows if row["role"] == "assistant" and row["content"]]
    columns = {
        "profile": profile,
        "source": _text(about["source"]) or "hermes",
        "user_id": _text(about["user_id"]),
        "model": _text(about["model"]),
        "title": _text(about["title"]) or title_of(asked),
        "preview": " ".join(answers[-1].split())[:100] if answers else title_of(asked),
        "workspace": _text(about["cwd"]),
        "started_at": began,
        "ended_at": _stamp(about["ended_at"]),
        "end_reason": _text(about["end_reason"]),
        "last_active": last,
    }
    return Chat(session_id, columns, rows, _usage(about, last))


def _usage(about: Row, at: float) -> Row:
    """The usage that the gateway counted for the session; empty if it counted none."""
    counts = {name: _count(about.get(name), 2**53) for name in COUNTS}
    if not any(counts.values()):
        return {}
    costs = {name: _cost(about.get(name)) for name in COSTS}
    billing = {name: _text(about.get(name)) for name in BILLING}
    return {**counts, **costs, **billing, "model": _text(about["model"]), "created_at": at}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _stamp(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < math.inf else None


def _cost(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else None


def _count(value: object, limit: int) -> int:
    return value if isinstance(value, int) and 0 < value < limit else 0
