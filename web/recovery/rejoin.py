"""Joins a socket that came back to its sessions again, with what it missed of each (P3)."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from shared.db.sessions.read import ENDED_RUNS, RunInfo
from shared.errors import DatabaseUnavailable, RedisUnavailable
from shared.event_log.types import LogView
from web.payloads import ResumePayload
from web.recovery.lost_socket import LostJoin, LostSocket
from web.recovery.store import RecoveryStore
from web.relay.feed import Feed
from web.relay.relay import Relay
from web.resume.log_state import misses_end
from web.resume.membership import Membership
from web.resume.resume import Resume
from web.resume.session_reader import SessionReader
from web.sockets.connections import Connection
from web.sockets.emitter_protocol import DeliverRuns

log = logging.getLogger(__name__)

TRIES = 3


class CloseSocket(Protocol):
    """What is needed of the emitter besides delivering."""

    def close(self, connection: Connection) -> None: ...


class Rejoin:
    """Works in the thread of the socket's requests, before the first of them."""

    def __init__(
        self,
        *,
        sessions: SessionReader,
        relay: Relay,
        membership: Membership,
        resume: Resume,
        store: RecoveryStore,
        run_emitter: DeliverRuns,
        sockets: CloseSocket,
        burst: int,
    ) -> None:
        """`burst`: how many entries of a run are sent at most; more is shown by a resync."""
        self._sessions = sessions
        self._relay = relay
        self._membership = membership
        self._resume = resume
        self._store = store
        self._run_emitter = run_emitter
        self._sockets = sockets
        self._burst = burst

    def all(self, connection: Connection, lost: LostSocket) -> None:
        """Join all sessions of the socket. If that fails now, close it: the client asks again."""
        log.info("socket.recovers sid=%s sessions=%s", connection.sid, len(lost.joins))
        tries_left = TRIES
        waiting = sorted(lost.joins, key=lambda join: not join.missed_event)
        while not connection.closed:
            try:
                self._store.save(connection.sid)
                while waiting:
                    self._one(connection, lost, waiting[0])
                    waiting.pop(0)
            except RedisUnavailable as error:
                tries_left -= 1
                log.warning("socket.recovery_failed sid=%s error=%s", connection.sid, error.code)
                if not tries_left:
                    break
                time.sleep(0.3)
            except Exception:  # the edge of the queue; with its record it would fail again
                log.exception("socket.recovery_failed sid=%s", connection.sid)
                self._store.close(connection.sid, for_good=True)
                break
            else:
                return
        self._sockets.close(connection)

    def _one(self, connection: Connection, lost: LostSocket, join: LostJoin) -> None:
        address = join.address
        if join.missed_event == "resumed":  # its `resume` came in, and the answer was lost
            self._resume.resume(
                connection, ResumePayload(session_id=address.session_id, run_id=address.run_id)
            )
            return
        self._resume.wait_if_slow(address)
        with self._resume.turn_of(address, is_live=lost.has_open_run):
            try:
                if join.missed_event or not self._continue(connection, lost, join):
                    log.info("socket.resync sid=%s", connection.sid)
                    self._resume.resync_one(connection, address)
            except DatabaseUnavailable:
                self._join_without_rows(connection, lost, join)

    def _continue(self, connection: Connection, lost: LostSocket, join: LostJoin) -> bool:
        """Join again as R26 has it; False if the session must be shown anew."""

        def work(feed: Feed, runs: dict[str, RunInfo]) -> bool:
            _mute(feed, connection, join)
            is_sent = self._send_missed(feed, connection, lost, join, runs)
            return is_sent and not misses_end(feed, runs, ())

        return self._relay.with_feed(
            join.address, lambda: self._sessions.announced_runs(join.address), work
        )

    def _join_without_rows(self, connection: Connection, lost: LostSocket, join: LostJoin) -> None:
        """Go on with what is live; a resync follows once the database is back."""

        def work(feed: Feed, _: None) -> None:
            _mute(feed, connection, join)
            if not self._send_missed(feed, connection, lost, join, {}):
                self._membership.admit(feed, connection, {}, ())
                feed.mark_for_resync([connection.sid])
            feed.needs_resync = True  # a run may have ended meanwhile

        self._relay.with_feed(join.address, lambda: None, work)

    def _send_missed(
        self,
        feed: Feed,
        connection: Connection,
        lost: LostSocket,
        join: LostJoin,
        runs: Mapping[str, RunInfo],
    ) -> bool:
        """Send what the socket lacks, and admit it; False if that cannot be known. Under the feed's
        lock."""
        wanted = [r for r in runs if r not in join.muted and not lost.has_all(join, r)]
        if len(wanted) >= ENDED_RUNS:
            return False  # there may be more than the rows show
        views = self._relay.logs.read(feed, wanted, whole=True)
        if self._relay.advance(feed, views):
            return False  # the other members are beyond these logs
        missed = [
            (view, _missed(lost, join, view, self._burst))
            for view in _in_order(views, runs)
            if view.run_id not in join.muted and not lost.has_all(join, view.run_id)
        ]
        unread = set(wanted) - {view.run_id for view in views}
        if not all(_has_nothing_to_send(lost, join, runs[run_id]) for run_id in unread):
            return False
        if any(entries is None for _, entries in missed):
            return False
        for view, entries in missed:
            self._run_emitter.run_entries(
                [connection.sid],
                view.run_id,
                view.epoch,
                view.head,
                entries or (),
                ended=view.ended,
            )
        self._membership.admit(feed, connection, runs, views)
        return True


def _mute(feed: Feed, connection: Connection, join: LostJoin) -> None:
    for run_id in join.muted:
        if run_id not in feed.cursors or not feed.cursors[run_id].ended:
            feed.muted.setdefault(run_id, set()).add(connection.sid)


def _in_order(views: Sequence[LogView], runs: Iterable[str]) -> list[LogView]:
    """In the order of the session's runs; one that the rows did not show yet is the newest."""
    by_run = {view.run_id: view for view in views}
    known = [by_run.pop(run_id) for run_id in runs if run_id in by_run]
    return [*known, *by_run.values()]


def _missed(lost: LostSocket, join: LostJoin, view: LogView, burst: int) -> Sequence[bytes] | None:
    """The entries that the socket lacks; None if they would not continue what it has."""
    try:
        epoch, seq = lost.position(join, view.run_id) or (view.epoch, 0)
    except KeyError:
        return None
    if epoch != view.epoch:
        return None
    if view.ended and seq >= view.head:
        return view.entries[-1:]  # the end was fixed below what had been delivered
    if not view.first - 1 <= seq <= view.head:
        return None
    missed = view.entries[seq - view.first + 1 :]
    return missed if len(missed) <= burst else None


def _has_nothing_to_send(lost: LostSocket, join: LostJoin, run: RunInfo) -> bool:
    """Whether a run without log has sent nothing yet: it waits, or is about to begin."""
    try:
        return run.is_open and lost.position(join, run.id) is None
    except KeyError:
        return False
