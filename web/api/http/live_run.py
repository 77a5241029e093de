"""What the log of a live run says beyond its row: whether its agent waits, and what came last."""

from dataclasses import dataclass

from shared.db.database import Database
from shared.db.runs.approvals import answered
from shared.errors import RedisUnavailable
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog, LogView
from shared.protocol.events import DELTAS
from web.api.approvals import open_questions


@dataclass(frozen=True)
class LiveRun:
    """`waits`: a question of the agent has no answer. `last_event`: the newest that is no delta."""

    waits: bool = False
    last_event: str | None = None


class LiveRuns:
    """Reads logs."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log

    def look(self, owner: str, session_id: str | None, run_id: str) -> LiveRun:
        """What the log says; nothing if there is none, or Redis does not answer."""
        keys = RunKeys(feed_tag(owner, session_id, run_id), run_id)
        try:
            view = self._event_log.read([(keys, 0)])[0]
        except RedisUnavailable:
            return LiveRun()
        if view is None:
            return LiveRun()
        asked = open_questions(view)
        if asked:
            done = self._db.read(lambda tx: answered(tx, run_id))
            asked = [seq for seq in asked if seq not in done]
        return LiveRun(waits=bool(asked), last_event=_last_event(view))


def _last_event(view: LogView) -> str | None:
    names = (entry[2 : entry.index(b'"', 2)].decode() for entry in reversed(view.entries))
    return next((name for name in names if name not in DELTAS), None)
