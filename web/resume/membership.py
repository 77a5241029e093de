"""Which sockets are members of which feeds, changed under the feed's lock (R28)."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from shared.db.sessions.read import RunInfo
from shared.errors import ClientError, RedisUnavailable
from shared.event_log.types import LogView
from web.relay.feed import Feed, FeedClosed
from web.relay.feed_address import FeedAddress
from web.relay.relay import Relay
from web.resume.log_state import lacks_log, positions
from web.resume.session_reader import SessionReader
from web.sockets.connections import Connection
from web.sockets.emitter_protocol import Positions


class JoinJournal(Protocol):
    """Writes down what a socket watches, so that it can be recovered on another process (P3)."""

    def join(
        self, sid: str, address: FeedAddress, at: Positions, seen: Sequence[str], shown_by: str
    ) -> int:
        """The socket joins, `at` these positions and without need of the runs in `seen`.
        `shown_by`: the event that shows it so, empty if none does. Returns the join's mark, 0 for
        a socket that cannot be recovered. Raises RedisUnavailable when it is not written yet."""

    def leave(self, sid: str, tag: str) -> None:
        """The socket leaves the feed of that tag."""

    def mute(self, sid: str, tag: str, run_id: str) -> None:
        """The socket gets no more of the run."""

    def unmute(self, sid: str, tag: str) -> None:
        """The socket gets all runs of the feed again."""


class TooManySessions(ClientError):
    """This socket watches too many sessions; open another one."""

    code = "too_many_sessions"


class Membership:
    """Joins by `run` and `resume`, leaves at disconnect."""

    def __init__(
        self, relay: Relay, sessions: SessionReader, journal: JoinJournal, *, most: int = 1000
    ) -> None:
        """`most`: sessions that one socket may watch."""
        self._most = most
        self._relay = relay
        self._sessions = sessions
        self._journal = journal

    def join(self, connection: Connection, address: FeedAddress) -> bool:
        """Make the socket a member; False if it was one. Raises RedisUnavailable,
        DatabaseUnavailable and TooManySessions."""
        self.check_room(connection, address)
        if connection.sid in self._relay.feeds.open(address).members:
            return False

        def work(feed: Feed, runs: dict[str, RunInfo]) -> None:
            begun = [run.id for run in runs.values() if run.has_begun]
            views = self._relay.logs.read(feed, begun, whole=False)
            self._relay.advance(feed, views)
            self.record(feed, connection, runs, views, shown_by="")
            self.admit(feed, connection, runs, views)

        self._relay.with_feed(address, lambda: self._sessions.runs(address), work)
        return True

    def check_room(self, connection: Connection, address: FeedAddress) -> None:
        """Raise TooManySessions if the socket watches as many others as it may."""
        if len(connection.feeds) >= self._most and address.tag not in connection.feeds:
            raise TooManySessions

    def record(
        self,
        feed: Feed,
        connection: Connection,
        runs: Mapping[str, RunInfo],
        views: Sequence[LogView],
        *,
        shown_by: str,
    ) -> int:
        """Write down that the socket joins, before anything is sent to it; the join's mark (P3).

        `shown_by`: the event that shows it the runs, if one does. Under the feed's lock. Raises
        RedisUnavailable.
        """
        seen = [run.id for run in runs.values() if not run.is_open and run.announced]
        seen += [view.run_id for view in views if view.ended]
        return self._journal.join(connection.sid, feed.address, positions(views), seen, shown_by)

    def record_later(self, feed: Feed, connection: Connection, runs: Mapping[str, RunInfo]) -> None:
        """The same while Redis does not answer: it is written as soon as it does."""
        with suppress(RedisUnavailable):
            self.record(feed, connection, runs, (), shown_by="")

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
                if not feed.cursors[run.id].ended:  # Redis lost an end that members still lack
                    feed.muted.setdefault(run.id, set()).add(connection.sid)
        # First added, then looked whether the socket is closed: else one that disconnects in
        # between would be a member for ever.
        connection.feeds.add(feed.tag)
        feed.members.add(connection.sid)
        feed.pending_resync.discard(connection.sid)
        if lacks_log(feed, runs, views):
            feed.mark_for_resync([connection.sid])
        if connection.closed:
            feed.remove(connection.sid)

    def mute(self, connection: Connection, address: FeedAddress, run_id: str) -> None:
        """Send the socket nothing more of this run (P5)."""
        feed = self._relay.feeds.find(address.tag)
        if feed is None:
            return
        with suppress(FeedClosed), self._relay.hold(feed):
            if connection.sid in feed.members:
                feed.muted.setdefault(run_id, set()).add(connection.sid)
        self._journal.mute(connection.sid, feed.tag, run_id)

    def unmute(self, feed: Feed, connection: Connection) -> None:
        """Send it all runs again: it asked for the session anew. Under the feed's lock."""
        for sids in feed.muted.values():
            sids.discard(connection.sid)
        self._journal.unmute(connection.sid, feed.tag)

    def leave(self, connection: Connection, tag: str) -> None:
        """Send the socket nothing more of the feed, now and after it was recovered."""
        self._journal.leave(connection.sid, tag)
        self._remove(connection, tag)

    def leave_all(self, connection: Connection) -> None:
        """Remove a disconnected socket. Returns at once: the caller may hold a feed."""
        threading.Thread(
            target=self._remove_all, args=(connection,), name="leave", daemon=True
        ).start()

    def _remove_all(self, connection: Connection) -> None:
        for tag in list(connection.feeds):
            self._remove(connection, tag)

    def _remove(self, connection: Connection, tag: str) -> None:
        connection.feeds.discard(tag)
        feed = self._relay.feeds.find(tag)
        if feed is not None:
            with suppress(FeedClosed), self._relay.hold(feed):
                feed.remove(connection.sid)
