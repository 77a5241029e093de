"""Reads a session that was exported as JSON, for `holdfast import --file` (P29)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.errors import DeployError
from shared.conversation.content import clean_json
from shared.db.sessions.export_session import FORMAT, VERSION
from shared.db.sessions.import_session import Chat
from shared.db.usage_report import BILLING, COSTS, COUNTS
from shared.identifiers import is_identifier

Row = dict[str, Any]

LARGEST: Final = 2**31  # bytes of a file
LATEST: Final = 2.0**43  # epoch seconds

_TEXTS: Final = (
    *("tool_call_id", "tool_name", "finish_reason", "reasoning", "reasoning_details"),
    *("reasoning_content", "codex_reasoning_items"),
)
_SESSION_TEXTS: Final = (
    *("user_id", "model", "title", "preview", "workspace", "end_reason", "parent_session_id"),
)
_LENGTHS: Final = {"parent_session_id": 255, "source": 255, "role": 32}


def read_file(path: Path, profile: str) -> Chat:
    """Return the session in the file, to be imported with this profile. Raises DeployError."""
    try:
        if path.stat().st_size > LARGEST:
            raise DeployError(f"{path} is larger than {LARGEST} bytes")
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error}") from error
    except orjson.JSONDecodeError as error:
        raise DeployError(f"{path} is no JSON: {error}") from error
    try:
        return _chat(clean_json(found), profile)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DeployError(f"{path} is no session that Holdfast exported: {error}") from error


def _chat(found: Mapping[str, Any], profile: str) -> Chat:
    if found.get("format") != FORMAT or found.get("version") != VERSION:
        raise ValueError(f"it must have the format {FORMAT}, version {VERSION}")
    about = found["session"]
    if not is_identifier(about["id"]):
        raise ValueError("its id is none that a client can send")
    columns: Row = {name: _text(about, name) for name in _SESSION_TEXTS}
    columns |= {"profile": profile, "source": _text(about, "source") or "chat"}
    columns |= {name: _time(about[name]) for name in ("started_at", "last_active")}
    columns |= {name: about.get(name) is True for name in ("pinned", "archived")}
    columns["ended_at"] = _time(about["ended_at"]) if "ended_at" in about else None
    rows = sorted(map(_row, found["messages"]), key=lambda row: (row["turn_no"], row["idx"]))
    return Chat(about["id"], columns, rows, _usage(found.get("usage") or []))


def _row(message: Mapping[str, Any]) -> Row:
    row: Row = {name: _text(message, name) for name in _TEXTS}
    row |= {"role": _text(message, "role"), "content": _text(message, "content") or ""}
    if row["role"] is None:
        raise ValueError("a message has no role")
    row |= {name: _list(message.get(name)) for name in ("content_blocks", "tool_calls")}
    row |= {name: _number(message[name], 2**31) for name in ("turn_no", "idx")}
    tokens = message.get("token_count")
    row["token_count"] = None if tokens is None else _number(tokens, 2**31)
    row["timestamp"] = _time(message["timestamp"])
    row["error"] = message.get("error") if isinstance(message.get("error"), bool) else None
    for name in ("duration", "reasoning_duration"):
        seconds = message.get(name)
        row[name] = None if seconds is None else _time(seconds)
    return row


def _usage(rows: Sequence[Mapping[str, Any]]) -> Row:
    """All runs as one, since it counts for the session."""
    if not rows:
        return {}
    counts = {name: sum(_number(row.get(name) or 0, 2**53) for row in rows) for name in COUNTS}
    costs = {name: _cost([row[name] for row in rows if row.get(name)]) for name in COSTS}
    last = rows[-1]
    billing = {name: _text(last, name) for name in BILLING}
    at = _time(last["created_at"])
    return {**counts, **costs, **billing, "model": _text(last, "model"), "created_at": at}


def _cost(values: Sequence[Any]) -> float | None:
    costs = [float(value) for value in values if isinstance(value, int | float)]
    return math.fsum(costs) if costs else None


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    if value and len(value) > _LENGTHS.get(name, len(value)):
        raise ValueError(f"{name} is too long")
    return value


def _list(value: object) -> list[Any] | None:
    if value is not None and not isinstance(value, list):
        raise ValueError("calls or blocks are no list")
    return value


def _number(value: object, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
        raise ValueError(f"{value!r} is no number that fits")
    return value


def _time(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise ValueError(f"{value!r} is no time")
    return float(value)
