"""What the log of a live run says beyond its row: whether its agent waits, and what came last.

Problem: many clients ask for a run again and again until it has ended, and the log of a long answer
is long. Idea: what a log said is remembered, and only what came since is read.
Invariant: the answer is that of a whole reading; a log that does not continue what is remembered
(a new epoch, entries that are trimmed) is read as a whole.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from shared.db.database import Database
from shared.db.runs.approvals import answered
from shared.errors import RedisUnavailable
from shared.event_log.keys import RunKeys, feed_tag
from shared.event_log.store import EventLog, LogView
from shared.protocol.events import DELTAS
from shared.protocol.state_events import StateEvents
from web.api.approvals import open_questions, questions_of

REMEMBERED = 200  # runs


@dataclass(frozen=True)
class LiveRun:
    """`waits`: a question of the agent has no answer. `last_event`: the newest that is no delta."""

    waits: bool = False
    last_event: str | None = None


@dataclass(frozen=True)
class _Reading:
    """What a log said up to `head`."""

    epoch: int
    head: int
    questions: StateEvents
    last_event: str | None


class LiveRuns:
    """Reads logs. Any thread may call it."""

    def __init__(self, db: Database, event_log: EventLog) -> None:
        self._db = db
        self._event_log = event_log
        self._readings: OrderedDict[str, _Reading] = OrderedDict()  # the one asked for last is last
        self._lock = threading.Lock()

    def look(self, owner: str, session_id: str | None, run_id: str) -> LiveRun:
        """What the log says; nothing if there is none, or Redis does not answer."""
        keys = RunKeys(feed_tag(owner, session_id, run_id), run_id)
        try:
            reading = self._read(keys)
        except RedisUnavailable:
            return LiveRun()
        if reading is None:
            return LiveRun()
        asked = open_questions(reading.questions)
        if asked:
            done = self._db.read(lambda tx: answered(tx, run_id))
            asked = [seq for seq in asked if seq not in done]
        return LiveRun(waits=bool(asked), last_event=reading.last_event)

    def _read(self, keys: RunKeys) -> _Reading | None:
        before = self._readings.get(keys.run_id)
        view = self._event_log.read([(keys, before.head if before else 0)])[0]
        if before is not None and view is not None and not _continues(before, view):
            before, view = None, self._event_log.read([(keys, 0)])[0]
        if view is None:
            return None
        reading = _followed(before, view)
        with self._lock:
            self._readings[keys.run_id] = reading
            self._readings.move_to_end(keys.run_id)
            if len(self._readings) > REMEMBERED:
                self._readings.popitem(last=False)
        return reading


def _continues(before: _Reading, view: LogView) -> bool:
    return view.epoch == before.epoch and view.first == before.head + 1


def _followed(before: _Reading | None, view: LogView) -> _Reading:
    """`view`: of the entries after `before`, or of all."""
    questions = questions_of(view, before.questions if before else None)
    last = _last_event(view) or (before.last_event if before else None)
    return _Reading(view.epoch, view.head, questions, last)


def _last_event(view: LogView) -> str | None:
    names = (entry[2 : entry.index(b'"', 2)].decode() for entry in reversed(view.entries))
    return next((name for name in names if name not in DELTAS), None)
