"""Showing a session to a socket that comes (back): what was, then live, without seam (R26)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from shared import runtime
from shared.db.database import Database
from shared.db.sessions.read import PAGE, Conversation, read_conversation, read_run
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.event_log.store import EventLog, LogView
from shared.protocol.events import Payload, encode
from shared.run_end import announce
from web.payloads import ResumePayload
from web.relay.feed import Feed, FeedAddress, FeedClosed
from web.relay.relay import Relay
from web.resume.membership import Membership, lacks_log, places
from web.resume.session_snapshot import build, is_stale
from web.sockets.connections import Connection
from web.sockets.delivery import Deliver
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)

TRIES = 3
FOLD_ELSEWHERE = 1000  # entries; folding more would hold the hub for milliseconds


@dataclass(frozen=True)
class ResumeCursor:
    """The last entry of a run that the client has."""

    run_id: str
    epoch: int
    after_seq: int


class Resume:
    """Answers `resume`, and builds the resync of members whose view cannot be continued."""

    def __init__(
        self,
        db: Database,
        event_log: EventLog,
        relay: Relay,
        rooms: Membership,
        emitter: Deliver,
        burst: int,
        pacing: ReconnectBackoff | None = None,
    ) -> None:
        """`burst`: how many entries are replayed at most; more is told as messages."""
        self._db = db
        self._log = event_log
        self._relay = relay
        self._rooms = rooms
        self._emitter = emitter
        self._burst = burst
        self._pacing = pacing or ReconnectBackoff()

    def resume(self, connection: Connection, payload: ResumePayload) -> Payload:
        """Send `resumed`, let the socket join; run, session and state for the acknowledgement."""
        run_id = payload.run_id if payload.session_id is None else None
        address = FeedAddress(connection.owner, payload.session_id, run_id)
        self.pace(address)
        cursor = None
        if payload.run_id is not None and payload.has_cursor:
            cursor = ResumeCursor(payload.run_id, payload.epoch or 0, payload.after_seq or 0)
        try:
            sent = self._join(connection, address, cursor)
        except RedisUnavailable:
            sent = self._without_log(connection, address)
        return {name: sent[name] for name in ("run_id", "session_id", "status") if name in sent}

    def pace(self, address: FeedAddress) -> None:
        """Wait, if sockets of this session were too slow of late (R31)."""
        self._pacing.wait(address.tag)

    def resync(self, feed: Feed) -> None:
        """Give all members the session anew. Under the feed's lock.

        Raises RedisAway, and DatabaseAway: half a session would wipe what members show.
        """
        conversation, degraded = self._conversation(feed.address)
        if degraded:
            raise DatabaseUnavailable
        views = self._relay.read(feed, (), whole=True)
        if lacks_log(feed, conversation.runs, views):
            raise RedisUnavailable("Redis: the log of a live run is not there yet")
        for view in views:
            feed.snap_to_head(view)
        payload = self._build(feed.address, conversation, views, degraded=False)
        entry = encode("session.resync", {**payload, "event": "session.resync"})
        self._relay.teller.shown(feed.members, entry, places(views), _over(conversation))

    def resync_one(self, connection: Connection, address: FeedAddress) -> None:
        """Let the socket join with the session told anew: what it has cannot be continued.

        Raises RedisAway, and DatabaseAway like `resync`.
        """
        self._join(connection, address, None, "session.resync")

    def _join(
        self,
        connection: Connection,
        address: FeedAddress,
        cursor: ResumeCursor | None,
        name: str = "resumed",
    ) -> Payload:
        tries_left = TRIES
        while True:
            tries_left -= 1
            feed = self._relay.open(address)
            conversation, degraded = self._conversation(address)
            if degraded and name != "resumed":
                raise DatabaseUnavailable
            try:
                with self._relay.hold(feed):
                    views = self._views(feed, conversation, cursor)
                    if tries_left > 0 and not degraded and is_stale(conversation, views):
                        continue
                    self._relay.advance(feed, views)
                    return self._seat(connection, feed, conversation, views, cursor, degraded, name)
            except FeedClosed:
                continue

    def _views(
        self, feed: Feed, conversation: Conversation, cursor: ResumeCursor | None
    ) -> list[LogView]:
        begun = [run.id for run in conversation.runs.values() if run.has_begun]
        named = [cursor.run_id] if cursor is not None else []
        return self._relay.read(feed, [*begun, *named], whole=True)

    def _seat(
        self,
        connection: Connection,
        feed: Feed,
        conversation: Conversation,
        views: Sequence[LogView],
        cursor: ResumeCursor | None,
        degraded: bool,
        name: str,
    ) -> Payload:
        """Say what was, then admit: nothing can come between. Under the feed's lock."""
        missed = _missed(views, cursor, self._burst)
        if cursor is not None and _has_begun_since(cursor.run_id, conversation, views):
            missed = None  # the cursor says nothing of the runs after its own
        if missed is None:
            payload = self._build(feed.address, conversation, views, degraded=degraded)
        else:
            payload = build(
                feed.address, conversation, views, degraded=degraded, with_messages=False
            ) | {"replay": True}
        if name == "resumed":
            self._rooms.unmute(feed, connection)
        mark = self._rooms.note(feed, connection, conversation.runs, views, told=name)
        at = places(views)
        if cursor is not None and missed:
            at[cursor.run_id] = (cursor.epoch, cursor.after_seq)
        sids, entry = [connection.sid], encode(name, {**payload, "event": name})
        self._relay.teller.shown(sids, entry, at, _over(conversation), mark)
        if cursor is not None and missed:
            view = next(view for view in views if view.run_id == cursor.run_id)
            self._relay.teller.entries(
                sids, view.run_id, view.epoch, view.head, missed, ended=view.ended
            )
        self._rooms.admit(feed, connection, conversation.runs, views)
        return payload

    def _build(
        self,
        address: FeedAddress,
        conversation: Conversation,
        views: Sequence[LogView],
        *,
        degraded: bool,
    ) -> Payload:
        def work() -> Payload:
            return build(address, conversation, views, degraded=degraded)

        entries = sum(len(view.entries) for view in views)
        return runtime.offload(work) if entries > FOLD_ELSEWHERE else work()

    def _conversation(self, address: FeedAddress) -> tuple[Conversation, bool]:
        """The rows, ends announced; and whether they could not be read."""
        try:
            conversation = self._read(address)
            if unannounced_runs := conversation.unannounced_runs():
                for run_id in unannounced_runs:
                    announce(self._db, self._log, run_id)
                conversation = self._read(address)
        except DatabaseUnavailable:
            log.warning("resume.degraded database=away")
            return Conversation(), True
        return conversation, False

    def _read(self, address: FeedAddress) -> Conversation:
        owner, session_id = address.owner, address.session_id
        if session_id is None:
            run_id = address.run_id or ""
            return self._db.read(lambda tx: read_run(tx, owner, run_id))
        named = session_id
        return self._db.read(lambda tx: read_conversation(tx, owner, named, PAGE))

    def _without_log(self, connection: Connection, address: FeedAddress) -> Payload:
        """Redis is away: what the rows say, and everything once it is back (P7)."""
        try:
            conversation = self._read(address)
        except DatabaseUnavailable:
            conversation = Conversation()
        while True:
            feed = self._relay.find_or_make(address)
            try:
                with self._relay.hold(feed):
                    payload = build(address, conversation, (), degraded=True)
                    entry = encode("resumed", payload)
                    self._relay.teller.shown([connection.sid], entry, {}, _over(conversation))
                    self._rooms.note_later(feed, connection, conversation.runs)
                    # Others may know the log already, and this socket then lacks its beginning.
                    is_first = not feed.cursors and not feed.members
                    if not feed.members:
                        for run_id in _over(conversation):  # announced or not: it was shown now
                            feed.remember_end(run_id)
                    self._rooms.admit(feed, connection, conversation.runs, ())
                    if not is_first:
                        feed.mark_for_resync([connection.sid])
                return payload
            except FeedClosed:
                continue


def _over(conversation: Conversation) -> list[str]:
    return [run.id for run in conversation.runs.values() if not run.is_open]


def _has_begun_since(run_id: str, conversation: Conversation, views: Sequence[LogView]) -> bool:
    """Whether another run of the session has begun after this one."""
    turns = {run.id: run.turn_no for run in conversation.runs.values() if run.turn_no is not None}
    newest = max(turns, key=lambda name: turns[name], default=run_id)
    return newest != run_id or any(v.run_id != run_id and not v.ended for v in views)


def _missed(
    views: Sequence[LogView], cursor: ResumeCursor | None, burst: int
) -> list[bytes] | None:
    """The entries after the client's cursor; None if they cannot tell it everything."""
    if cursor is None:
        return None
    for view in views:
        if view.run_id == cursor.run_id and view.epoch == cursor.epoch:
            begins_after = view.first - 1
            if begins_after <= cursor.after_seq <= view.head:
                missed = view.entries[cursor.after_seq - begins_after :]
                return missed if len(missed) <= burst else None
    return None
