"""Who is in which room: membership of sockets in feeds, changed under the feed's lock (R28)."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from shared.db.database import Database
from shared.db.sessions.read import RunInfo, read_run, recent_runs
from shared.errors import RedisUnavailable
from shared.event_log.store import LogView
from web.recovery.store import RecoveryStore
from web.relay.feed import Feed, FeedAddress, FeedClosed
from web.relay.relay import Relay
from web.sockets.connections import Connection


class Membership:
    """Joins by `run` and `resume`, leaves at disconnect."""

    def __init__(self, relay: Relay, db: Database, records: RecoveryStore | None = None) -> None:
        """`records`: of the sockets that can be recovered, if there may be any."""
        self._relay = relay
        self._db = db
        self._records = records

    def join(self, connection: Connection, address: FeedAddress) -> bool:
        """Let the socket hear from now on; False if it did already. Raises RedisAway, DatabaseAway.

        The bell is confirmed first, then the rows are read, then under the lock the log (R26).
        """
        while True:
            feed = self._relay.open(address)
            if connection.sid in feed.members:
                return False
            runs = self.runs(address)
            try:
                with self._relay.hold(feed):
                    begun = [run.id for run in runs.values() if run.has_begun]
                    views = self._relay.read(feed, begun, whole=False)
                    self._relay.advance(feed, views)
                    self.note(feed, connection, runs, views, told="")
                    self.admit(feed, connection, runs, views)
                return True
            except FeedClosed:
                continue

    def runs(self, address: FeedAddress) -> dict[str, RunInfo]:
        """The open runs and the newest ended ones. Raises DatabaseAway."""
        return self._db.single(lambda tx: _runs(tx, address))

    def note(
        self,
        feed: Feed,
        connection: Connection,
        runs: dict[str, RunInfo],
        views: Sequence[LogView],
        *,
        told: str,
    ) -> int:
        """Write down that the socket joins, before anything comes of it; the join's mark (P3).

        `told`: the event that shows it the runs, if one does. Under the feed's lock. Raises
        RedisAway.
        """
        if connection.standing is None or self._records is None:
            return 0
        at = places(views)
        seen = [run.id for run in runs.values() if not run.is_open and run.announced]
        seen += [view.run_id for view in views if view.ended]
        mark = connection.standing.join(feed.address, at, seen, told=told)
        self._records.save(connection.sid)
        return mark

    def note_later(self, feed: Feed, connection: Connection, runs: dict[str, RunInfo]) -> None:
        """The same while Redis is away: written as soon as it is back."""
        with suppress(RedisUnavailable):
            self.note(feed, connection, runs, (), told="")

    def admit(
        self,
        feed: Feed,
        connection: Connection,
        runs: Mapping[str, RunInfo],
        views: Sequence[LogView],
    ) -> None:
        """Make the socket a member, at the heads of these logs. Under the feed's lock."""
        for run in runs.values():
            if not run.is_open and run.announced:
                feed.remember_end(run.id)
        # First written down here, then looked whether it is gone: else a disconnect in between
        # would leave it in the room for ever.
        connection.feeds.add(feed.tag)
        feed.members.add(connection.sid)
        feed.pending_resync.discard(connection.sid)
        if lacks_log(feed, runs, views):
            feed.mark_for_resync([connection.sid])
        if connection.closed:
            feed.remove(connection.sid)

    def mute(self, connection: Connection, address: FeedAddress, run_id: str) -> None:
        """The socket hears nothing more of this run (P5)."""
        feed = self._relay.find(address.tag)
        if feed is None:
            return
        with suppress(FeedClosed), self._relay.hold(feed):
            if connection.sid in feed.members:
                feed.muted.setdefault(run_id, set()).add(connection.sid)
        if connection.standing is not None and self._records is not None:
            connection.standing.mute(feed.tag, run_id)
            with suppress(RedisUnavailable):  # then a moment later
                self._records.save(connection.sid)

    def unmute(self, feed: Feed, connection: Connection) -> None:
        """It asked for the session again: it hears all of it. Under the feed's lock."""
        for sids in feed.muted.values():
            sids.discard(connection.sid)
        if connection.standing is not None:
            connection.standing.unmute(feed.tag)

    def leave(self, connection: Connection, tag: str) -> None:
        """The socket hears nothing more of the feed."""
        if connection.standing is not None:
            connection.standing.leave(tag)
        self._leave(connection, tag)

    def _leave(self, connection: Connection, tag: str) -> None:
        connection.feeds.discard(tag)
        feed = self._relay.find(tag)
        if feed is not None:
            with suppress(FeedClosed), self._relay.hold(feed):
                feed.remove(connection.sid)

    def leave_all(self, connection: Connection) -> None:
        """The socket is gone. Returns at once: it may be called while a feed is held."""
        threading.Thread(
            target=self._leave_all, args=(connection,), name="leave", daemon=True
        ).start()

    def _leave_all(self, connection: Connection) -> None:
        for tag in list(connection.feeds):
            self._leave(connection, tag)


def lacks_log(feed: Feed, runs: Mapping[str, RunInfo], views: Sequence[LogView]) -> bool:
    """Whether members heard of an open run whose log is not there, as after a flush of Redis: who
    joins now has not seen its beginning, and is told everything once its owner wrote it anew."""
    there = {view.run_id for view in views}
    return any(
        cursor.seq and not cursor.ended and run_id not in there and runs[run_id].is_open
        for run_id, cursor in feed.cursors.items()
        if run_id in runs
    )


def places(views: Sequence[LogView]) -> dict[str, tuple[int, int]]:
    """Epoch and head of the logs that go on, by run id."""
    return {view.run_id: (view.epoch, view.head) for view in views if not view.ended}


def _runs(tx: Session, address: FeedAddress) -> dict[str, RunInfo]:
    if address.session_id is None:
        return read_run(tx, address.owner, address.run_id or "").runs
    return recent_runs(tx, address.owner, address.session_id)
