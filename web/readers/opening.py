"""Opens a reader: what it lacks so far, and then a place among its feed's members (R26).

Problem: as of a socket (`web/resume/resume.py`), what was and what follows must meet without a gap.
Idea: the channel is subscribed; then, under the feed's lock, the present members are brought to the
heads of the logs, the log of the reader's run is read, and the reader becomes a member behind it.
The log is rendered once for all readers of a run (`replay.py`), and only its new entries are read
for the next one. A run that has ended and whose log is gone is shown from the database.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from shared import runtime
from shared.db.database import Database
from shared.db.models import RunRow
from shared.db.runs.run_status import RunStatus, read_status
from shared.db.sessions.read import RunInfo
from shared.db.sessions.turn_messages import read_rows
from shared.errors import DatabaseUnavailable, NotFound, RedisUnavailable
from shared.event_log.keys import RunKeys
from shared.event_log.store import EventLog
from shared.event_log.types import LogView
from shared.protocol.run_states import ENDED
from shared.run_end import announce
from web.readers.condensed import Said, Step, steps_of
from web.readers.frames import HasId, end_frame
from web.readers.place import Place, start_of
from web.readers.reader import RunReader
from web.readers.replay import (
    BeyondTheEnd,
    End,
    IncompleteLog,
    Replay,
    Start,
    of_stored,
)
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.session_reader import SessionReader

log = logging.getLogger(__name__)

KEPT = 32  # rendered logs
LOCKS = 64
ASIDE = 1000  # entries; rendering more would hold all other requests for milliseconds

Cursor = Place | int | None


@dataclass(frozen=True)
class _Stored:
    """The stored turn of an ended run."""

    steps: Sequence[Step]
    epoch: int
    terminal_seq: int
    end: tuple[str, dict[str, Any]]

    def is_end(self, cursor: Cursor) -> bool:
        """Whether the cursor is that of the run's end."""
        if isinstance(cursor, Place):
            return (cursor.epoch, cursor.seq) == (self.epoch, self.terminal_seq)
        return cursor == self.terminal_seq


class Opening:
    """Any thread may call any method."""

    def __init__(
        self,
        *,
        db: Database,
        event_log: EventLog,
        relay: Relay,
        membership: Membership,
        sessions: SessionReader,
    ) -> None:
        self._db = db
        self._event_log = event_log
        self._relay = relay
        self._membership = membership
        self._sessions = sessions
        self._replays: OrderedDict[str, Replay] = OrderedDict()
        self._rendering = [threading.Lock() for _ in range(LOCKS)]  # each for some of the runs

    def open(self, reader: RunReader, cursor: Cursor) -> Start:
        """What the reader lacks after its cursor; it gets what follows, unless the run has ended.

        Raises NotFound, BeyondTheEnd, PositionGone, RedisUnavailable, DatabaseUnavailable.
        """
        owner, run_id = reader.connection.owner, reader.run_id
        while True:
            run = self._db.read(lambda tx: read_status(tx, owner, run_id))
            if run is None:
                raise NotFound
            if run.state in ENDED:
                return self.ended(owner, run, cursor)
            start = self._live(reader, run, cursor)
            if start is not None:
                return start

    def end_frame(self, owner: str, run_id: str, end: End, place: HasId) -> bytes:
        """The frame of the end of a run, behind which the reader is at `place`, with the stored
        answer."""
        output = None
        if "output" not in end.event:
            try:
                run = self._db.read(lambda tx: read_status(tx, owner, run_id))
                output = run.output if run is not None else None
            except DatabaseUnavailable:
                log.info("reader.output_unread run_id=%s", run_id)
        more = {"condensed": True} if end.condensed else {}
        return end_frame(place, end.name, end.event, output, **more)

    # -- live runs ------------------------------------------------------------------------------

    def _live(self, reader: RunReader, run: RunStatus, cursor: Cursor) -> Start | None:
        """None if it has ended meanwhile, and its log does not have it all."""
        address = _address(reader.connection.owner, run)

        def work(feed: Feed, runs: dict[str, RunInfo]) -> Start | None:
            begun = [found.id for found in runs.values() if found.has_begun]
            views = self._relay.logs.read(feed, begun, whole=False)
            self._relay.advance(feed, views)
            start = self.begun(run, address.keys(run.id), cursor)
            has_ended = run.id in feed.cursors and feed.cursors[run.id].ended
            if has_ended and not start.is_over:
                return None
            if not start.is_over:
                reader.open(start.place)
                self._membership.admit(feed, reader.connection, runs, views)
            return start

        return self._relay.with_feed(address, lambda: self._sessions.runs(address), work)

    def begun(self, run: RunStatus, keys: RunKeys, cursor: Cursor) -> Start:
        """What a reader of a live run lacks of its log. Raises BeyondTheEnd, PositionGone,
        RedisUnavailable."""
        replay = self._replay(run, keys)
        if replay is not None:
            return replay.after(cursor)
        if isinstance(cursor, int) and cursor:
            raise BeyondTheEnd  # it has not begun, or its owner is about to write its log anew
        place = cursor if isinstance(cursor, Place) else start_of(run.id)
        return Start([], place)

    def _replay(self, run: RunStatus, keys: RunKeys) -> Replay | None:
        """The log of the run as it is now; None: there is none, or it does not have it all."""
        with self._rendering[hash(run.id) % LOCKS]:
            return self._rendered_now(run, keys)

    def _rendered_now(self, run: RunStatus, keys: RunKeys) -> Replay | None:
        known = self._replays.get(run.id)
        view = self._read(keys, known.head if known is not None else 0)
        if known is not None and view is not None and not known.continues(view):
            known, view = None, self._read(keys, 0)
        if view is None:
            self._replays.pop(run.id, None)
            return None
        try:
            replay = _rendered(view, run.session_id, known)
        except IncompleteLog:
            return None
        self._replays[run.id] = replay
        self._replays.move_to_end(run.id)
        while len(self._replays) > KEPT:
            self._replays.popitem(last=False)
        return replay

    def _read(self, keys: RunKeys, after: int) -> LogView | None:
        return self._event_log.read([(keys, after)])[0]

    # -- ended runs -----------------------------------------------------------------------------

    def ended(self, owner: str, run: RunStatus, cursor: Cursor) -> Start:
        """What a reader of an ended run lacks. Raises NotFound, BeyondTheEnd, PositionGone,
        DatabaseUnavailable."""
        try:
            if not run.announced:
                announce(self._db, self._event_log, run.id)
            replay = self._replay(run, _address(owner, run).keys(run.id))
        except RedisUnavailable:
            replay = None
        if replay is not None and replay.ended is not None:
            return replay.after(cursor)
        return self._of_rows(run, cursor)

    def _of_rows(self, run: RunStatus, cursor: Cursor) -> Start:
        stored = self._db.read(lambda tx: _stored(tx, run.id))
        if isinstance(cursor, int) and cursor > stored.terminal_seq:
            raise BeyondTheEnd
        if stored.is_end(cursor):
            return Start([], start_of(run.id), is_over=True)
        made = list(of_stored(run.id, run.session_id, stored.steps, cursor))
        had = cursor if isinstance(cursor, Place) else start_of(run.id)
        place = made[-1][0] if made else had
        place = place.but(epoch=stored.epoch, seq=stored.terminal_seq)
        name, event = stored.end
        end = End(place, name, event, condensed=True)
        return Start([one for _, one in made], place, end, is_over=True)


def _address(owner: str, run: RunStatus) -> FeedAddress:
    return FeedAddress(owner, run.session_id, run.id if run.session_id is None else None)


def _rendered(view: LogView, session_id: str | None, known: Replay | None) -> Replay:
    def work() -> Replay:
        if known is None:
            return Replay(view, session_id)
        known.extend(view)
        return known

    return runtime.offload(work) if len(view.entries) > ASIDE else work()


def _stored(tx: Session, run_id: str) -> _Stored:
    row = tx.get(RunRow, run_id)
    if row is None or not row.terminal_entries:
        raise NotFound
    if row.session_id is not None:
        steps: list[Step] = steps_of(read_rows(tx, run_id))
    else:
        steps = [Said("", row.output)] if row.output else []
    name, event = row.terminal_entries[-1]
    return _Stored(steps, row.epoch, row.terminal_seq or 0, (name, event))
