"""Moves events from notifications and logs to sockets: each once, in order (R26-R28).

Problem: a notification (pub/sub) is fast, but may be lost, late, repeated or of an owner that was
taken over. The log in Redis is complete, but reading it for every entry would be slow.

Idea: each feed has a cursor per run, the last entry that its members got. A notification that
continues the cursor is delivered as it is; a repeated one is dropped; one that leaves a gap is not
delivered, and the log is read instead. A sweep compares cursors with the heads of the logs, so that
a lost last notification is found too. What cannot be continued (a new epoch, a trimmed log, too
much at once) is replaced by a resync: the whole session anew.

Invariant: everything that is sent to a feed's members is sent under its lock, and moves the cursor
in the same step. Notifications that come while the lock is held wait in the backlog, which the
holder empties when it releases the lock.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from shared.errors import RedisUnavailable, Unavailable
from shared.event_log.clients import Commands
from shared.event_log.store import EventLog
from shared.event_log.types import LogView
from shared.metrics import web as metrics
from shared.protocol.events import (
    LogAppended,
    LogReinstalled,
    SessionNotification,
    parse_notification,
)
from shared.service import Service
from web.relay import cursor as cursors
from web.relay.cursor import Action, RelayCursor
from web.relay.feed import Feed, FeedClosed, Notification
from web.relay.feed_address import FeedAddress
from web.relay.feeds import Feeds
from web.relay.log_reader import LogReader
from web.relay.lost_ends import LostEnds
from web.relay.sharded_subscriber import ShardedSubscriber
from web.relay.sweep import SWEEP_EVERY, Sweeper
from web.sockets.emitter_protocol import DeliverRuns

log = logging.getLogger(__name__)

LINGER = 5.0  # seconds
TRIES = 3

R = TypeVar("R")
T = TypeVar("T")


class Relay:
    """The feeds of a process, and what is delivered to their members."""

    def __init__(
        self,
        event_log: EventLog,
        commands: Sequence[Commands],
        subscribers: Sequence[Commands],
        emitter: DeliverRuns,
        *,
        resync: Callable[[Feed], None],
        announce_again: Callable[[Sequence[str]], None],
        linger: float = LINGER,
        sweep_every: float = SWEEP_EVERY,
        burst: int = 1000,
    ) -> None:
        """`commands` and `subscribers`: a client of each server of the log. `resync` sends the
        members of a feed their session anew; it is called under the feed's lock and may raise
        Unavailable. `announce_again`: as of LostEnds. `burst`: how many entries a member is sent
        at once before a resync is cheaper.
        """
        self._emitter = emitter
        self._resync = resync
        self._burst = burst
        self.logs = LogReader(event_log)
        self.subscriber = ShardedSubscriber(
            commands,
            subscribers,
            event_log.channels,
            on_notification=self._on_notification,
            on_gap=self._on_gap,
        )
        self.feeds = Feeds(self.subscriber, linger)
        self.sweeper = Sweeper(
            event_log,
            self.feeds,
            self.subscriber,
            fill=self._fill_soon,
            lost_ends=LostEnds(announce_again),
            every=sweep_every,
        )
        self.refills = 0  # how often logs were read since something was missing

    @property
    def services(self) -> list[Service]:
        """The loops of the relay, in the order in which they are started."""
        return [*self.subscriber.services, self.sweeper.service]

    # -- joining ----------------------------------------------------------------------------

    def with_feed(
        self,
        address: FeedAddress,
        read: Callable[[], R],
        work: Callable[[Feed, R], T],
        *,
        subscribed: bool = True,
    ) -> T:
        """Open the feed, `read`, and do `work(feed, what was read)` under the feed's lock; again
        from the start if the feed was closed in between. In this order nothing falls between
        what was read and what is notified (R26).

        Raises RedisUnavailable; not when `subscribed` is false: Redis is not asked then.
        """
        while True:
            feed = self.feeds.open(address) if subscribed else self.feeds.find_or_make(address)
            found = read()
            try:
                with self.hold(feed):
                    return work(feed, found)
            except FeedClosed:
                continue

    @contextmanager
    def hold(self, feed: Feed) -> Iterator[Feed]:
        """Hold the feed's lock, and handle afterwards what was notified meanwhile. Raises
        FeedClosed."""
        try:
            with feed.lock:
                if feed.closed:
                    raise FeedClosed
                yield feed
        finally:
            self._handle_backlog(feed)

    def advance(self, feed: Feed, views: Sequence[LogView]) -> bool:
        """Give the members what they lack of these logs. Under the feed's lock.

        True if the members were sent the session anew: the cursors may be beyond `views` then, so
        that who joins with what these show would miss what lies in between.
        """
        lost = False
        for view in views:
            lost |= self._advance_one(feed, view)
        feed.behind.clear()
        if lost:
            feed.mark_for_resync(feed.members)
        is_anew = feed.needs_resync and self._resync_members(feed)
        feed.drop_oldest_ends()
        return is_anew

    def _advance_one(self, feed: Feed, view: LogView) -> bool:
        """Whether members cannot be given what they lack."""
        cursor = feed.cursors.get(view.run_id)
        ended_before = cursor is None and view.ended and view.run_id not in feed.behind
        if not feed.members or ended_before:  # no member lacks anything of it
            feed.snap_to_head(view)
            return False
        if cursor is None:
            cursor = feed.cursors[view.run_id] = RelayCursor(view.epoch)
        step = cursors.read(cursor, view)
        if len(step.entries) > self._burst:
            step = cursors.Step(step.entries[-1:] if view.ended else (), Action.RESYNC)
        self._deliver(feed, view.run_id, step.entries)
        return step.action is Action.RESYNC

    def _resync_members(self, feed: Feed) -> bool:
        """Send the session anew; if that fails now (False), the sweep does it later."""
        log.info("relay.resync members=%s", len(feed.members))
        metrics.RESYNCS.inc()
        try:
            self._resync(feed)
        except Unavailable as error:
            log.warning("relay.resync_failed code=%s", error.code)
            return False
        feed.resync_sent()
        return True

    # -- notifications -----------------------------------------------------------------------

    def _on_notification(self, tag: str, data: bytes) -> None:
        feed = self.feeds.find(tag)
        if feed is None or (not feed.members and not feed.lock.locked()):
            return  # without members nothing is decoded (R28)
        notification = parse_notification(data)
        if notification is not None:
            feed.backlog.append(notification)
            self._handle_backlog(feed)

    def _on_gap(self) -> None:
        self.sweeper.soon()

    def _handle_backlog(self, feed: Feed) -> None:
        """Handle what was received, unless another thread holds the feed: it does so then."""
        while feed.backlog and feed.lock.acquire(blocking=False):
            try:
                while feed.backlog:
                    self._handle(feed, feed.backlog.popleft())
            finally:
                feed.lock.release()

    def _handle(self, feed: Feed, notification: Notification) -> None:
        if isinstance(notification, SessionNotification):
            self._emitter.deliver(feed.members, notification.entry)
            return
        cursor = feed.cursors.get(notification.run_id)
        if cursor is None:  # runs that had begun when a member joined have one: this run is new
            cursor = feed.cursors[notification.run_id] = RelayCursor(notification.epoch)
        if isinstance(notification, LogAppended):
            step = cursors.receive(cursor, notification)
        else:
            step = cursors.receive_reinstall(cursor, notification)
        self._deliver(feed, notification.run_id, step.entries)
        if step.action is Action.READ:
            feed.behind.add(notification.run_id)
            self._fill_soon(feed)
        elif feed.pending_resync and isinstance(notification, LogReinstalled):
            self._fill_soon(feed)
        elif cursor.ended:
            feed.drop_oldest_ends()

    def _deliver(self, feed: Feed, run_id: str, entries: Sequence[bytes]) -> None:
        if entries:
            at, sids = feed.cursors[run_id], list(feed.receivers(run_id))
            if at.ended:
                feed.move_to_newest(run_id)
            self._emitter.run_entries(sids, run_id, at.epoch, at.seq, entries, ended=at.ended)

    # -- gaps ------------------------------------------------------------------------------

    def _fill_soon(self, feed: Feed) -> None:
        if not feed.filling:
            feed.filling = True
            threading.Thread(
                target=self._fill, args=(feed,), name="relay-fill", daemon=True
            ).start()

    def _fill(self, feed: Feed) -> None:
        """Read what the members lack and deliver it; a few times, then the sweep tries again."""
        self.refills += 1
        for tries_left in reversed(range(TRIES)):
            try:
                with self.hold(feed):
                    self.advance(feed, self.logs.missing(feed))
                    feed.filling = False
                return
            except FeedClosed:
                return
            except RedisUnavailable:
                time.sleep(0.1 * (TRIES - tries_left))
            except Exception:  # the edge of a thread; the sweep tries again
                log.exception("relay.fill_failed")
        feed.filling = False
