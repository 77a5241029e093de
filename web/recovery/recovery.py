"""Connection state recovery: who lost its connection is sent what it missed, unasked (P3).

As socket.io-client (4.6 and later) speaks it: the answer to CONNECT carries a `pid`, events carry
an offset, and a CONNECT with `pid` and `offset` is answered with the same pid and followed by what
was missed. docs/adr/0010 has the reasons.
"""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from shared.db.database import Database
from shared.db.sessions.read import ENDED_RUNS, RunInfo
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.event_log.store import LogView
from shared.protocol.events import Payload
from shared.run_end import announce
from web.payloads import ResumePayload
from web.recovery.offset import Joined, Lost, continued_record, fresh_record, lost, parse_offset
from web.recovery.store import RecoveryStore, new_pid
from web.relay.feed import Feed, FeedClosed
from web.relay.relay import Relay
from web.resume.membership import Membership
from web.resume.resume import Resume
from web.sockets.connections import Connection, Connections
from web.sockets.emitter import Emitter
from web.sockets.engineio_internals import SocketServer
from web.sockets.request_queue import RequestQueue

log = logging.getLogger(__name__)

TRIES = 3
PID_MAX = 64  # characters


class Recovery:
    """Knows sockets that come back, and shows them what they missed, before anything else."""

    def __init__(
        self,
        db: Database,
        relay: Relay,
        rooms: Membership,
        resume: Resume,
        records: RecoveryStore,
        lane: RequestQueue,
        connections: Connections,
        emitter: Emitter,
        burst: int,
    ) -> None:
        """`burst`: how many entries of a run are sent at most; more is told by a resync."""
        self._db = db
        self._log = relay.log
        self._relay = relay
        self._rooms = rooms
        self._resume = resume
        self._records = records
        self._lane = lane
        self._connections = connections
        self._emitter = emitter
        self._burst = burst
        self._returning: dict[str, Lost] = {}  # by sid, until their CONNECT is answered

    def install(self, server: SocketServer) -> None:
        """Have the answer to CONNECT say the pid, and what was missed follow it."""
        server.extend_connect_answer(self._pid_field, self._on_connect_answered)

    def _pid_field(self, sid: str) -> Payload:
        connection = self._connections.get(sid)
        if connection is None or connection.standing is None:
            return {}
        return {"pid": connection.standing.pid}

    def _on_connect_answered(self, sid: str) -> None:
        connection = self._connections.get(sid)
        if connection is not None:
            self._begin(connection)

    def arrive(self, connection: Connection, said: Mapping[str, Any]) -> None:
        """Give the socket a pid: the one that it says, if it had that; else a new one.

        Raises RedisAway: without the record it cannot be told whether it comes back.
        """
        pid, text = said.get("pid"), said.get("offset")
        offset = parse_offset(text)
        record = None
        known = pid if isinstance(pid, str) and len(pid) <= PID_MAX else ""
        if known and (text is None or offset is not None):
            record = self._records.find(known, connection.owner)
        if record is None:
            known = new_pid()
            new, now = fresh_record(offset)
        else:
            self._returning[connection.sid] = lost(record, offset, connection.owner)
            new, now = continued_record(record, offset)
        connection.standing = self._records.open(connection.sid, connection.owner, known, new, now)

    def leave(self, connection: Connection, *, for_good: bool) -> None:
        """The socket is gone; what it watched is kept for a while, unless it said good-bye."""
        self._returning.pop(connection.sid, None)
        if connection.standing is not None:
            self._records.close(connection.sid, for_good=for_good)

    def _begin(self, connection: Connection) -> None:
        state = self._returning.pop(connection.sid, None)
        if state is not None:
            self._lane.first(connection.sid, lambda: self._show(connection, state))

    # -- showing what was missed -------------------------------------------------------------

    def _show(self, connection: Connection, state: Lost) -> None:
        """All sessions of the socket. If it cannot be done now, the client is made to ask again."""
        log.info("socket.recovers sid=%s sessions=%s", connection.sid, len(state.feeds))
        tries_left = TRIES
        waiting = sorted(state.feeds, key=lambda joined: not joined.awaits)
        while not connection.closed:
            try:
                self._records.save(connection.sid)
                while waiting:
                    self._rejoin(connection, state, waiting[0])
                    waiting.pop(0)
            except RedisUnavailable as error:
                tries_left -= 1
                log.warning("socket.recovery_failed sid=%s error=%s", connection.sid, error.code)
                if not tries_left:
                    break
                time.sleep(0.3)
            except Exception:  # the edge of the lane; with its record it would fail again
                log.exception("socket.recovery_failed sid=%s", connection.sid)
                self._records.close(connection.sid, for_good=True)
                break
            else:
                return
        self._emitter.close(connection)

    def _rejoin(self, connection: Connection, state: Lost, joined: Joined) -> None:
        address = joined.address
        if joined.awaits == "resumed":  # its `resume` was heard, and the answer lost
            self._resume.resume(
                connection, ResumePayload(session_id=address.session_id, run_id=address.run_id)
            )
            return
        self._resume.pace(address)
        try:
            if joined.awaits or not self._continue(connection, state, joined):
                log.info("socket.resync sid=%s", connection.sid)
                self._resume.resync_one(connection, address)
        except DatabaseUnavailable:
            self._join_without_rows(connection, state, joined)

    def _continue(self, connection: Connection, state: Lost, joined: Joined) -> bool:
        """Rejoin as R26 has it; False if the socket must be told everything anew."""
        while True:
            feed = self._relay.open(joined.address)
            runs = self._runs(joined)
            try:
                with self._relay.hold(feed):
                    _mute(feed, connection, joined)
                    return self._send_missed(feed, connection, state, joined, runs)
            except FeedClosed:
                continue

    def _runs(self, joined: Joined) -> dict[str, RunInfo]:
        """The session's runs, ends announced. Raises DatabaseAway."""
        runs = self._rooms.runs(joined.address)
        unannounced_runs = [
            run.id for run in runs.values() if not run.is_open and not run.announced
        ]
        for run_id in unannounced_runs:
            announce(self._db, self._log, run_id)
        return self._rooms.runs(joined.address) if unannounced_runs else runs

    def _send_missed(
        self,
        feed: Feed,
        connection: Connection,
        state: Lost,
        joined: Joined,
        runs: Mapping[str, RunInfo],
    ) -> bool:
        """Send what the socket lacks, and admit it; False if that cannot be told. Under lock."""
        lacks = [r for r in runs if r not in joined.muted and not state.has_all(joined, r)]
        if len(lacks) >= ENDED_RUNS:
            return False  # there may be more than the rows show
        views = self._relay.read(feed, lacks, whole=True)
        self._relay.advance(feed, views)
        theirs = [
            (view, _missed(state, joined, view, self._burst))
            for view in _in_order(views, runs)
            if view.run_id not in joined.muted and not state.has_all(joined, view.run_id)
        ]
        unread = set(lacks) - {view.run_id for view in views}
        if not all(_may_be_unread(state, joined, runs[run_id]) for run_id in unread):
            return False
        if any(entries is None for _, entries in theirs):
            return False
        for view, entries in theirs:
            self._relay.teller.entries(
                [connection.sid],
                view.run_id,
                view.epoch,
                view.head,
                entries or (),
                ended=view.ended,
            )
        self._rooms.admit(feed, connection, runs, views)
        return True

    def _join_without_rows(self, connection: Connection, state: Lost, joined: Joined) -> None:
        """Go on with what is live; the rest is told once the database is back."""
        while True:
            feed = self._relay.open(joined.address)
            try:
                with self._relay.hold(feed):
                    _mute(feed, connection, joined)
                    if not self._send_missed(feed, connection, state, joined, {}):
                        self._rooms.admit(feed, connection, {}, ())
                        feed.mark_for_resync([connection.sid])
                    feed.needs_resync = True  # a run may have ended meanwhile
                return
            except FeedClosed:
                continue


def _mute(feed: Feed, connection: Connection, joined: Joined) -> None:
    for run_id in joined.muted:
        if run_id not in feed.cursors or not feed.cursors[run_id].ended:
            feed.muted.setdefault(run_id, set()).add(connection.sid)


def _in_order(views: Sequence[LogView], runs: Iterable[str]) -> list[LogView]:
    """As the session had them; one that the rows did not show yet is the newest."""
    by_run = {view.run_id: view for view in views}
    known = [by_run.pop(run_id) for run_id in runs if run_id in by_run]
    return [*known, *by_run.values()]


def _missed(state: Lost, joined: Joined, view: LogView, burst: int) -> Sequence[bytes] | None:
    """The entries that the socket lacks; None if they would not continue what it has."""
    try:
        epoch, seq = state.place(joined, view.run_id) or (view.epoch, 0)
    except KeyError:
        return None
    if epoch != view.epoch:
        return None
    if view.ended and seq >= view.head:
        return view.entries[-1:]  # the end was fixed below what had been shown
    if not view.first - 1 <= seq <= view.head:
        return None
    missed = view.entries[seq - view.first + 1 :]
    return missed if len(missed) <= burst else None


def _may_be_unread(state: Lost, joined: Joined, run: RunInfo) -> bool:
    """Whether a run without log has nothing to tell: it waits, or is about to begin."""
    try:
        return run.is_open and state.place(joined, run.id) is None
    except KeyError:
        return False
