"""`GET /api/runs/{run_id}/timeline`: when a run did what, from its rows and its log."""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from flask import Response

from shared import runtime
from shared.db.database import Database
from shared.db.models import AttemptRow, CompressionRow
from shared.db.operations.runs_of_all import RunFacts
from shared.db.operations.timelines import StoredTimeline, read_timeline
from shared.errors import RedisUnavailable
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog
from shared.event_log.types import LogView
from shared.protocol.events import DELTAS, decode
from shared.protocol.timeline import Step, Timeline
from web.api.http.operations.scope import is_operator, visible_owner
from web.api.http.routes import Answer, Call
from web.api.http.run_objects import status_word
from web.api.http.runs import not_found, run_id_of

ASIDE: Final = 1000  # entries; folding more would hold all other requests for milliseconds
_DELTA: Final = tuple(f'["{name}"'.encode() for name in DELTAS)
_COMPRESSION: Final = (
    "kind",
    "started_at",
    "ended_at",
    "result",
    "trigger_tokens",
    "threshold",
    "after_tokens",
    "before_messages",
    "after_messages",
)


class Timelines:
    """The route."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log

    def show(self, call: Call) -> Answer | Response:
        """A user is shown that of their own run, an operator that of any."""
        run_id, owner = run_id_of(call), visible_owner(call)
        stored = self._db.read(lambda tx: read_timeline(tx, owner, run_id))
        if stored is None:
            raise not_found(run_id)
        seen, source = self._seen(stored)
        run = stored.run
        return Answer(
            {
                "object": "run.timeline",
                "run_id": run.id,
                "owner": run.owner,
                "session_id": run.session_id,
                "profile": run.profile,
                "status": status_word(run, waits=False),
                "reason": run.reason,
                "takeovers": run.takeovers,
                "worker": run.worker if is_operator(call) else None,
                "steps": in_order([*stored.steps, *seen.steps]),
                "left_out": seen.left_out,
                "source": source,
                "attempts": [_attempt(row) for row in stored.attempts],
                "compressions": [_compression(row) for row in stored.compressions],
            }
        )

    def _seen(self, stored: StoredTimeline) -> tuple[Timeline, str]:
        """What workers saw of it: stored with the end, or read from the log while there is one."""
        if stored.seen is not None:
            return Timeline.from_state(stored.seen), "stored"
        view = self._log(stored.run)
        if view is None:
            return Timeline(), "rows"
        folded = runtime.offload(fold, view) if len(view.entries) > ASIDE else fold(view)
        return folded, "log"

    def _log(self, run: RunFacts) -> LogView | None:
        keys = RunKeys(feed_tag(run.owner, run.session_id, run.id), run.id)
        try:
            return self._event_log.read([(keys, 0)])[0]
        except RedisUnavailable:
            return None


def fold(view: LogView) -> Timeline:
    """The steps in a log. Of deltas only the first is decoded."""
    state = orjson.loads(view.checkpoint).get("timeline") if view.checkpoint is not None else None
    timeline = Timeline.from_state(state)
    has_delta = False
    for entry in view.entries:
        if entry.startswith(_DELTA):
            if has_delta:
                continue
            has_delta = True
        timeline.apply(*decode(entry))
    return timeline


def in_order(steps: Sequence[Step]) -> list[Step]:
    """The steps by time, without fields that have no value. A step without a time stays behind the
    one that came before it in its source. The clocks of workers and of the database may differ a
    little; so the run begins with `queued`, and ends with `ended`, whatever they say."""
    timed: list[tuple[int, float, Step]] = []
    last = 0.0
    for step in steps:
        last = step["at"] if step["at"] is not None else last
        place = {"queued": 0, "ended": 2}.get(step["step"], 1)
        timed.append((place, last, step))
    timed.sort(key=lambda one: one[:2])
    return [
        {name: value for name, value in step.items() if value is not None or name == "at"}
        for _, _, step in timed
    ]


def _attempt(row: AttemptRow) -> dict[str, Any]:
    return {
        "attempt": row.fence,
        "posted_at": row.intent_at,
        "gateway_run_id": row.gateway_run_id,
        "never_sent": row.never_sent,
        "proved_absent_at": row.proved_absent_at,
        "proof": row.proof,
        "double_post": row.double_post,
    }


def _compression(row: CompressionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COMPRESSION}
