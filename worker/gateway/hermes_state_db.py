"""Reads sessions from the `state.db` of a Hermes home on this machine, and never writes there.

It is for gateways that are too old to return sessions over HTTP, and for the part of a transcript
that they do not return. Rows have the shape of the HTTP answers; columns that the database does not
have are None. What `read` returns has passed the boundary, as an answer does: an SQLite column may
hold any type.
"""

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from shared.any_json import decode
from shared.conversation.content import clean_json
from worker.gateway import boundary_rows
from worker.gateway.models import GatewayMessage, GatewaySession, GatewayTranscript

log = logging.getLogger(__name__)

BUSY_TIMEOUT = 1.0  # seconds to wait for a writer
LONGEST_CHAIN = 32  # sessions of one turn
JSON_CONTENT: Final = "\x00json:"  # prefix of content that is not text

SESSION_COLUMNS: Final = (
    "id",
    "source",
    "user_id",
    "model",
    "title",
    "started_at",
    "ended_at",
    "end_reason",
    "message_count",
    "tool_call_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "estimated_cost_usd",
    "actual_cost_usd",
    "api_call_count",
    "parent_session_id",
)
MESSAGE_COLUMNS: Final = (
    "id",
    "session_id",
    "role",
    "content",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "timestamp",
    "token_count",
    "finish_reason",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "codex_reasoning_items",
)
SUMMED: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "api_call_count",
)
COSTS: Final = ("estimated_cost_usd", "actual_cost_usd")

Row = dict[str, Any]


def read(home: Path, session_id: str) -> GatewayTranscript | None:
    """The session with its continuations, in order; None if there is no such session, or no
    readable database, which is logged."""
    path = home / "state.db"
    try:
        with closing(open_read_only(path)) as db:
            db.execute("BEGIN")  # one view of the data, whatever the gateway writes meanwhile
            chain = _chain(db, session_id)
            messages = [message for row in chain for message in messages_of(db, row["id"])]
    except (sqlite3.Error, OSError) as error:
        if path.exists():
            log.warning("state_db.unreadable path=%s error=%s", path, error)
        return None
    sessions = [session for row in chain if (session := boundary_rows.session(row)) is not None]
    return transcript_of(sessions, boundary_rows.messages(messages)) if sessions else None


def is_usable(home: Path) -> bool:
    """Whether sessions can be read there, or will be: a new home has no database yet."""
    path = home / "state.db"
    if not path.exists():
        return home.is_dir()
    try:
        with closing(open_read_only(path)) as db:
            db.execute("SELECT id FROM sessions LIMIT 1").fetchone()
    except (sqlite3.Error, OSError) as error:
        log.warning("state_db.unreadable path=%s error=%s", path, error)
        return False
    return True


def transcript_of(
    chain: Sequence[GatewaySession], messages: Sequence[GatewayMessage]
) -> GatewayTranscript:
    """The transcript of sessions that continue each other, under the id of the last one."""
    ids = tuple(row["id"] for row in chain)
    return GatewayTranscript(ids[-1], messages, ids, _total(chain))


def _total(chain: Sequence[GatewaySession]) -> GatewaySession:
    """The last session's row with the token counts and costs of all of them."""
    rows: Sequence[Mapping[str, Any]] = chain
    sums = {name: sum(row.get(name) or 0 for row in rows) for name in SUMMED}
    costs = {name: _cost(rows, name) for name in COSTS}
    return cast("GatewaySession", {**rows[-1], **sums, **costs})


def _cost(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [row[name] for row in rows if row.get(name) is not None]
    return sum(known) if known else None


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write. Raises sqlite3.Error."""
    # Not `immutable`: the gateway writes, and the newest rows are in its write-ahead log.
    db = sqlite3.connect(
        f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT, isolation_level=None
    )
    db.row_factory = sqlite3.Row
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def _chain(db: sqlite3.Connection, session_id: str) -> list[Row]:
    chain: list[Row] = []
    row = db.execute("SELECT * FROM sessions WHERE id = ?", (session_id,)).fetchone()
    while row is not None and len(chain) < LONGEST_CHAIN:
        chain.append(session_row(row))
        row = _continuation(db, row) if ended_by_compression(chain[-1]) else None
        if row is not None and row["id"] in {session["id"] for session in chain}:
            break
    return chain


def ended_by_compression(session: Mapping[str, Any]) -> bool:
    """Whether the gateway compressed the session and continued it under another id."""
    return str(session.get("end_reason") or "").startswith("compress")


def came_after(child: Mapping[str, Any], parent: Mapping[str, Any]) -> bool:
    """Whether the child began after its parent had ended, so that it may continue it. A child that
    began earlier is a branch that a person made, or another agent's session."""
    began, ended = child.get("started_at"), parent.get("ended_at")
    if not isinstance(began, int | float) or not isinstance(ended, int | float):
        return False
    return began >= ended and child.get("source") == parent.get("source")


def _continuation(db: sqlite3.Connection, row: sqlite3.Row) -> sqlite3.Row | None:
    """The newest child that continues the session."""
    children = db.execute(
        "SELECT * FROM sessions WHERE parent_session_id = ? ORDER BY started_at DESC, id DESC",
        (row["id"],),
    ).fetchall()
    parent = session_row(row)
    return next(
        (c for c in children if came_after(session_row(c), parent) and not _is_marked(c)), None
    )


def _is_marked(child: sqlite3.Row) -> bool:
    """Whether the gateway has marked the session as a branch or another agent's."""
    marks = _json(pick(child, ("model_config",))["model_config"])
    return isinstance(marks, dict) and ("_branched_from" in marks or "_delegate_from" in marks)


def session_row(row: sqlite3.Row) -> Row:
    """The session in the shape of the HTTP answer."""
    settings = pick(row, ("system_prompt", "model_config"))
    return {
        **pick(row, SESSION_COLUMNS),
        "has_system_prompt": bool(settings["system_prompt"]),
        "has_model_config": bool(settings["model_config"]),
    }


def messages_of(db: sqlite3.Connection, session_id: str) -> list[Row]:
    """The session's messages in order, without those that were undone (`active` is 0)."""
    rows = db.execute("SELECT * FROM messages WHERE session_id = ? ORDER BY id", (session_id,))
    return [_message(row) for row in rows if pick(row, ("active",))["active"] != 0]


def _message(row: sqlite3.Row) -> Row:
    message = pick(row, MESSAGE_COLUMNS)
    content = message["content"]
    if isinstance(content, str) and content.startswith(JSON_CONTENT):
        stored = content.removeprefix(JSON_CONTENT)
        message["content"] = stored if (found := decode(stored)) is None else found
    if message["tool_calls"]:
        message["tool_calls"] = _json(message["tool_calls"])
    cleaned: Row = clean_json(message)
    return cleaned


def pick(row: sqlite3.Row, names: Iterable[str]) -> Row:
    """These columns; None for those that the table does not have."""
    existing = row.keys()
    return {name: row[name] if name in existing else None for name in names}


def _json(text: object) -> Any:
    return decode(text) if isinstance(text, str | bytes) else None
