"""Who is in which room: membership of sockets in feeds, changed under the feed's lock (R28)."""

import threading
from contextlib import suppress

from sqlalchemy.orm import Session

from shared.db.conversation import RunInfo, read_run, recent_runs
from shared.db.database import Database
from web.connections import Connection
from web.feed import Feed, FeedAddress, FeedClosed
from web.relay import Relay


class Rooms:
    """Joins by `run` and `resume`, leaves at disconnect."""

    def __init__(self, relay: Relay, db: Database) -> None:
        self._relay = relay
        self._db = db

    def join(self, connection: Connection, address: FeedAddress) -> bool:
        """Let the socket hear from now on; False if it did already. Raises RedisAway, DatabaseAway.

        The bell is confirmed first, then the rows are read, then under the lock the log (R26).
        """
        while True:
            feed = self._relay.open(address)
            if connection.sid in feed.members:
                return False
            runs = self._db.read(lambda session: _runs(session, address))
            try:
                with self._relay.hold(feed):
                    self._relay.advance(feed, self._relay.read(feed, (), whole=False))
                    self.admit(feed, connection, runs)
                return True
            except FeedClosed:
                continue

    def admit(self, feed: Feed, connection: Connection, runs: dict[str, RunInfo]) -> None:
        """Make the socket a member, at the log's head. Under the feed's lock."""
        for run in runs.values():
            if not run.is_open and run.announced:
                feed.remember_end(run.id)
        # First written down here, then looked whether it is gone: else a disconnect in between
        # would leave it in the room for ever.
        connection.feeds.add(feed.tag)
        feed.members.add(connection.sid)
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

    def unmute(self, feed: Feed, connection: Connection) -> None:
        """It asked for the session again: it hears all of it. Under the feed's lock."""
        for sids in feed.muted.values():
            sids.discard(connection.sid)

    def leave(self, connection: Connection, tag: str) -> None:
        """The socket hears nothing more of the feed."""
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
            self.leave(connection, tag)


def _runs(session: Session, address: FeedAddress) -> dict[str, RunInfo]:
    if address.session_id is None:
        return read_run(session, address.owner, address.run_id or "").runs
    return recent_runs(session, address.owner, address.session_id)
