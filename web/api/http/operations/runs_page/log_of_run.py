"""`GET /api/runs/{run_id}/log`: which events a run's log has, and when; contents for the owner."""

from typing import Any, Final

import orjson
from flask import Response

from shared.db.database import Database
from shared.db.operations.runs_of_all import read_facts
from shared.errors import RedisUnavailable
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog
from shared.event_log.types import LogView
from shared.protocol.events import DELTAS, decode
from shared.protocol.timeline import time_of
from web.api.http.bodies import checked
from web.api.http.operations.runs_page.queries import LogQuery
from web.api.http.operations.scope import visible_owner
from web.api.http.routes import Answer, Call
from web.api.http.runs import not_found, run_id_of

MOST_SHOWN: Final = 2000  # characters of a payload


class LogOfRun:
    """The route."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log

    def show(self, call: Call) -> Answer | Response:
        """A user is shown that of their own run, an operator that of any, without contents."""
        query = checked(LogQuery, call.arguments)
        run_id, owner = run_id_of(call), visible_owner(call)
        run = self._db.read(lambda tx: read_facts(tx, owner, run_id))
        if run is None:
            raise not_found(run_id)
        keys = RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id)
        view = self._read(keys, query.after)
        entries = view.entries if view is not None else []
        is_own = run.owner == call.owner
        return Answer(
            {
                "object": "run.log",
                "run_id": run.id,
                "available": view is not None,
                "epoch": view.epoch if view is not None else None,
                "first": view.base + 1 if view is not None else None,
                "head": view.head if view is not None else None,
                "ended": view.ended if view is not None else run.ended_at is not None,
                "data": [_entry(entry, is_own=is_own) for entry in entries[: query.limit]],
                "has_more": len(entries) > query.limit,
            }
        )

    def _read(self, keys: RunKeys, after: int) -> LogView | None:
        try:
            return self._event_log.read([(keys, after)])[0]
        except RedisUnavailable:
            return None


def _entry(entry: bytes, *, is_own: bool) -> dict[str, Any]:
    name, payload = decode(entry)
    text = payload.get("delta", payload.get("text")) if name in DELTAS else None
    return {
        "seq": payload["seq"],
        "event": name,
        "at": time_of(payload.get("timestamp")),
        "characters": len(text) if isinstance(text, str) else None,
        "payload": orjson.dumps(payload).decode()[:MOST_SHOWN] if is_own else None,
    }
