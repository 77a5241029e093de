"""Shows a session to a socket that comes (back): what was, then live events, without seam (R26).

Problem: stored messages are in the database, the live run's text is in its log, further text comes
as notifications. Read one after the other, an entry in between would be missing or come twice; a
run that ends in between would be in both, or in neither.

Idea: the channel is subscribed first; then the rows are read; then, under the feed's lock, the
logs. If rows and logs are of different moments, all of it is done again. Still under the lock older
members are brought to the heads of the same logs, `resumed` is queued for the socket, and only then
it becomes a member. Those who ask for one session at once share one answer (`together.py`). With a
cursor a socket gets the entries after that instead of the messages, which are not even read then.

Invariant: `resumed` shows every entry up to the feed's cursors and the socket is sent every entry
after them. Resuming only reads: twice, or ten times at once, changes nothing (invariant 8).
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from shared.db.sessions.read import PAGE, Conversation
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.event_log.types import LogView
from shared.protocol.events import Payload, encode
from web.payloads import ResumePayload
from web.relay.feed import Feed
from web.relay.feed_address import FeedAddress
from web.relay.relay import Relay
from web.resume.live_first import LiveFirst
from web.resume.log_state import ended_runs, misses_end, positions
from web.resume.membership import Membership
from web.resume.notices import no_notices
from web.resume.resume_cursor import Replay, ResumeCursor, cursor_of, replay_after
from web.resume.session_reader import SessionReader
from web.resume.session_snapshot import build, build_aside, disagree
from web.resume.together import Together
from web.sockets.connections import Connection
from web.sockets.emitter_protocol import DeliverRuns
from web.sockets.reconnect_backoff import ReconnectBackoff

log = logging.getLogger(__name__)

TRIES = 3


@dataclass(frozen=True)
class _Request:
    connections: Sequence[Connection]  # several only without a cursor
    address: FeedAddress
    event: str  # with which the session is shown: `resumed` or `session.resync`
    cursor: ResumeCursor | None = None


@dataclass(frozen=True)
class _Rows:
    conversation: Conversation
    degraded: bool = False  # the database did not answer, so the conversation is empty
    notices: Sequence[Payload] = ()


@dataclass(frozen=True)
class _Shown:
    """What one socket is sent. `entry`: the encoded event; `mark`: of its join in the journal."""

    sid: str
    entry: bytes
    views: Sequence[LogView]
    ended: Sequence[str]
    mark: int


class _CannotContinue(Exception):
    """What the client has is not what comes before the log's newest entries."""


class Resume:
    """Answers `resume`, and lets single sockets join with a resync."""

    def __init__(
        self,
        *,
        sessions: SessionReader,
        relay: Relay,
        membership: Membership,
        emitter: DeliverRuns,
        backoff: ReconnectBackoff,
        burst: int,
        notices: Callable[[str], list[Payload]] = no_notices,
        waits: Callable[[str, str, str], None] = lambda owner, session_id, run_id: None,
    ) -> None:
        """`burst`: how many entries are replayed at most; more is sent as messages. `notices`: what
        there is to say of sessions of a profile. `waits` is called with owner, session and run
        where a session is shown whose run waits for a slot."""
        self._sessions = sessions
        self._relay = relay
        self._membership = membership
        self._emitter = emitter
        self._backoff = backoff
        self._burst = burst
        self._notices = notices
        self._waits = waits
        self._together = Together(self._show_to_all)
        self._live_first = LiveFirst(sessions.live)

    def resume(self, connection: Connection, payload: ResumePayload) -> Payload:
        """Send `resumed` and make the socket a member; run, session and state of the run that it
        shows, for the acknowledgement."""
        run_id = payload.run_id if payload.session_id is None else None
        address = FeedAddress(connection.owner, payload.session_id, run_id)
        self._membership.check_room(connection, address)
        self.wait_if_slow(address)
        cursor = cursor_of(payload)
        with self.turn_of(address, is_live=cursor is not None):
            try:
                sent = self._continue_or_show(connection, address, cursor)
            except RedisUnavailable:
                sent = self._show_without_log(connection, address)
        return {name: sent[name] for name in ("run_id", "session_id", "status") if name in sent}

    def _continue_or_show(
        self, connection: Connection, address: FeedAddress, cursor: ResumeCursor | None
    ) -> Payload:
        if cursor is not None:
            request = _Request([connection], address, "resumed", cursor)
            try:
                return self._show(request, lambda: self._rows(address, messages=0))
            except _CannotContinue:
                pass
        return self._together.ask(address, connection)

    def _show_to_all(self, address: FeedAddress, connections: Sequence[Connection]) -> Payload:
        request = _Request(connections, address, "resumed")
        return self._show(request, lambda: self._rows(address))

    def resync_one(self, connection: Connection, address: FeedAddress) -> None:
        """Make the socket a member with the session shown anew: what it has cannot be continued.

        Raises RedisUnavailable and DatabaseUnavailable.
        """
        request = _Request([connection], address, "session.resync")
        self._show(request, lambda: self._announced(address))

    def wait_if_slow(self, address: FeedAddress) -> None:
        """Wait, if sockets of this session were too slow of late (R31)."""
        self._backoff.wait(address.tag)

    def turn_of(
        self, address: FeedAddress, *, is_live: bool = False
    ) -> AbstractContextManager[None]:
        """Wait a moment, if many come at once and this is no session with a live run. `is_live`: it
        has one, or had when its client went."""
        key = (address.owner, address.session_id or address.run_id or "")
        return self._live_first.turn(key, is_live=is_live)

    def _rows(self, address: FeedAddress, messages: int = PAGE) -> _Rows:
        try:
            return self._announced(address, messages)
        except DatabaseUnavailable:
            log.warning("resume.degraded database=unavailable")
            return _Rows(Conversation(), degraded=True)

    def _announced(self, address: FeedAddress, messages: int = PAGE) -> _Rows:
        conversation = self._sessions.announced_conversation(address, messages)
        waiting = conversation.first_in_line
        if waiting is not None and address.session_id is not None:
            self._waits(address.owner, address.session_id, waiting)
        profile = conversation.profile
        return _Rows(conversation, notices=self._notices(profile) if profile else ())

    def _show(self, request: _Request, read: Callable[[], _Rows]) -> Payload:
        for tries_left in reversed(range(TRIES)):
            sent = self._try_to_show(request, read, is_last_try=not tries_left)
            if sent is not None:
                return sent
        raise AssertionError("unreachable")

    def _try_to_show(
        self, request: _Request, read: Callable[[], _Rows], *, is_last_try: bool
    ) -> Payload | None:
        """None if rows and logs are of different moments, or members are beyond both since a
        resync, so that both must be read again. Raises _CannotContinue."""

        def work(feed: Feed, rows: _Rows) -> Payload | None:
            views = self._views(feed, rows.conversation, request.cursor)
            runs = rows.conversation.runs
            is_stale = disagree(runs, views) or misses_end(feed, runs, views)
            if is_stale and not is_last_try and not rows.degraded:
                return None
            if self._relay.advance(feed, views):
                if is_last_try:
                    raise RedisUnavailable("Redis: the members are behind again and again")
                return None
            replay = replay_after(request.cursor, rows.conversation, views, self._burst)
            if request.cursor is not None and replay is None and not rows.degraded:
                raise _CannotContinue
            return self._show_and_admit(request, feed, rows, views, replay)

        return self._relay.with_feed(request.address, read, work)

    def _views(
        self, feed: Feed, conversation: Conversation, cursor: ResumeCursor | None
    ) -> list[LogView]:
        begun = [run.id for run in conversation.runs.values() if run.has_begun]
        named = [cursor.run_id] if cursor is not None else []
        return self._relay.logs.read(feed, [*begun, *named], whole=True)

    def _show_and_admit(
        self,
        request: _Request,
        feed: Feed,
        rows: _Rows,
        views: Sequence[LogView],
        replay: Replay | None,
    ) -> Payload:
        """Send what was, then admit: nothing can come between. Under the feed's lock."""
        runs = rows.conversation.runs
        payload = _payload(feed.address, rows, views, replay)
        entry = encode(request.event, {**payload, "event": request.event})
        for connection in request.connections:
            if request.event == "resumed":
                self._membership.unmute(feed, connection)
            mark = self._membership.record(feed, connection, runs, views, shown_by=request.event)
            shown = _Shown(connection.sid, entry, views, ended_runs(runs), mark)
            self._send(shown, replay, request.cursor)
            self._membership.admit(feed, connection, runs, views)
        if rows.degraded:
            feed.needs_resync = True  # as soon as the database is back
        return payload

    def _send(self, shown: _Shown, replay: Replay | None, cursor: ResumeCursor | None) -> None:
        sids, at = [shown.sid], positions(shown.views)
        if replay is None or not replay.entries or cursor is None:
            self._emitter.snapshot(sids, shown.entry, at, shown.ended, shown.mark)
            return
        at[replay.log.run_id] = (cursor.epoch, cursor.after_seq)
        self._emitter.snapshot(sids, shown.entry, at, shown.ended, shown.mark)
        view = replay.log
        self._emitter.run_entries(
            sids, view.run_id, view.epoch, view.head, replay.entries, ended=view.ended
        )

    def _show_without_log(self, connection: Connection, address: FeedAddress) -> Payload:
        """Redis does not answer: show what the rows say, and everything once it is back (P7)."""
        try:
            conversation = self._sessions.conversation(address)
        except DatabaseUnavailable:
            conversation = Conversation()

        def work(feed: Feed, _: None) -> Payload:
            payload = build(address, conversation, (), degraded=True)
            ended = ended_runs(conversation.runs)
            self._emitter.snapshot([connection.sid], encode("resumed", payload), {}, ended)
            self._membership.record_later(feed, connection, conversation.runs)
            # Members may know the log already, and this socket then lacks its beginning.
            is_first = not feed.cursors and not feed.members
            if not feed.members:
                for run_id in ended:  # announced or not: it was shown now
                    feed.remember_end(run_id)
            self._membership.admit(feed, connection, conversation.runs, ())
            if not is_first:
                feed.mark_for_resync([connection.sid])
            feed.needs_resync = True  # as soon as Redis is back: the rows alone are not all
            return payload

        return self._relay.with_feed(address, lambda: None, work, subscribed=False)


def _payload(
    address: FeedAddress, rows: _Rows, views: Sequence[LogView], replay: Replay | None
) -> Payload:
    notices = {"notices": rows.notices} if rows.notices else {}
    if replay is None:
        return build_aside(address, rows.conversation, views, degraded=rows.degraded) | notices
    payload = build(address, rows.conversation, views, degraded=rows.degraded, with_messages=False)
    return payload | notices | {"replay": True}
