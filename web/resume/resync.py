"""Sends the members of a feed their session anew, when what they have cannot be continued."""

from shared.errors import RedisUnavailable
from shared.protocol.events import encode
from web.relay.feed import Feed
from web.relay.log_reader import LogReader
from web.resume.log_state import ended_runs, lacks_log, positions
from web.resume.session_reader import SessionReader
from web.resume.session_snapshot import build_aside
from web.sockets.emitter_protocol import DeliverRuns


class Resync:
    """Sends `session.resync` to all members of a feed."""

    def __init__(self, sessions: SessionReader, logs: LogReader, emitter: DeliverRuns) -> None:
        self._sessions = sessions
        self._logs = logs
        self._emitter = emitter

    def send(self, feed: Feed) -> None:
        """Send it, and move the feed's cursors to the heads of the logs. Under the feed's lock.

        Raises RedisUnavailable and DatabaseUnavailable: half a session would replace what members
        show.
        """
        conversation = self._sessions.announced_conversation(feed.address)
        views = self._logs.read(feed, (), whole=True)
        if lacks_log(feed, conversation.runs, views):
            raise RedisUnavailable("Redis: the log of a live run is not there yet")
        for view in views:
            feed.snap_to_head(view)
        ended = ended_runs(conversation.runs)
        feed.note_shown_ends(ended)
        payload = build_aside(feed.address, conversation, views)
        entry = encode("session.resync", {**payload, "event": "session.resync"})
        self._emitter.snapshot(feed.members, entry, positions(views), ended)
